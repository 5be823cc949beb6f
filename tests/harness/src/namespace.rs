//! A small switched network of Linux network namespaces, so that one broker can be cut off: its packets vanish, as when a
//! switch port dies, and no connection is reset. Needs root.

use anyhow::{Result, bail};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

static NEXT_SUBNET: AtomicU8 = AtomicU8::new(0);

/// A bridge on the host with one namespace per port. Gone when dropped.
#[derive(Debug)]
pub struct Network {
    bridge: String,
    subnet: u8,
    ports: Vec<Port>,
}

#[derive(Debug)]
struct Port {
    namespace: String,
    host_end: String,
}

impl Network {
    /// Makes the bridge and `ports` namespaces attached to it.
    pub fn new(ports: u8) -> Result<Network> {
        // Another test process may use the first subnets: start at a place of our own and take the first that is free.
        let first = (std::process::id() % 200) as u8;
        for _ in 0..200 {
            let subnet = (first.wrapping_add(NEXT_SUBNET.fetch_add(1, Ordering::Relaxed))) % 200;
            let bridge = format!("gregor{subnet}");
            // An address of its own: a bridge without one takes a port's, changes it when that port is cut, and the namespaces
            // go on sending to the old one until they ask again, for half a minute.
            let ethernet = format!("02:67:72:67:72:{subnet:02x}");
            if ip(&["link", "add", &bridge, "address", &ethernet, "type", "bridge"]).is_ok() {
                let mut network = Network { bridge, subnet, ports: Vec::new() };
                network.configure(ports)?;
                network.open("-I");
                return Ok(network);
            }
        }
        bail!("cannot make a network bridge: not root, or the kernel has none")
    }

    fn configure(&mut self, ports: u8) -> Result<()> {
        for address in [self.host_address(), self.zookeeper_address()] {
            ip(&["addr", "add", &format!("{address}/24"), "dev", &self.bridge])?;
        }
        ip(&["link", "set", &self.bridge, "up"])?;
        for index in 0..ports {
            let namespace = format!("gregor{}-{index}", self.subnet);
            let host_end = format!("gregor{}p{index}", self.subnet);
            ip(&["netns", "add", &namespace])?;
            self.ports.push(Port { namespace: namespace.clone(), host_end: host_end.clone() });
            ip(&["link", "add", &host_end, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
            ip(&["link", "set", &host_end, "master", &self.bridge, "up"])?;
            let address = format!("{}/24", self.address(index));
            ip(&["-n", &namespace, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
            ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    /// Where Docker runs, the kernel hands bridged packets to a firewall that drops what it does not know: these may pass.
    /// `-I` puts the rule there, `-D` takes it away.
    fn open(&self, operation: &str) {
        let rule = ["-w", "5", operation, "FORWARD", "-i", &self.bridge, "-o", &self.bridge, "-j", "ACCEPT"];
        // Without that program nothing is dropped either.
        let _ = Command::new("iptables").args(rule).output();
    }

    /// The host's address on the bridge: where the clients are.
    pub fn host_address(&self) -> String {
        format!("10.231.{}.254", self.subnet)
    }

    /// Another one, for ZooKeeper: so that a broker can be cut off from it alone.
    pub fn zookeeper_address(&self) -> String {
        format!("10.231.{}.253", self.subnet)
    }

    /// The address inside namespace `index`.
    pub fn address(&self, index: u8) -> String {
        format!("10.231.{}.{}", self.subnet, index + 1)
    }

    /// The name of namespace `index`.
    pub fn namespace(&self, index: u8) -> String {
        self.ports[usize::from(index)].namespace.clone()
    }

    /// Pulls the plug of namespace `index`: packets go nowhere, both ways, and nobody is told.
    pub fn cut(&self, index: u8) -> Result<()> {
        ip(&["link", "set", &self.ports[usize::from(index)].host_end, "nomaster"])
    }

    /// From here on packets of namespace `index` to `address` vanish; what comes from there still arrives.
    pub fn silence(&self, index: u8, address: &str) -> Result<()> {
        // A route that leads nowhere, and what the kernel remembers of the way there is forgotten.
        let namespace = &self.ports[usize::from(index)].namespace;
        ip(&["-n", namespace, "route", "add", "blackhole", &format!("{address}/32")])
    }

    /// Ends [`Network::silence`].
    pub fn unsilence(&self, index: u8, address: &str) -> Result<()> {
        let namespace = &self.ports[usize::from(index)].namespace;
        ip(&["-n", namespace, "route", "del", "blackhole", &format!("{address}/32")])
    }

    /// Plugs it in again.
    pub fn join(&self, index: u8) -> Result<()> {
        ip(&["link", "set", &self.ports[usize::from(index)].host_end, "master", &self.bridge])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for port in &self.ports {
            let _ = ip(&["netns", "del", &port.namespace]);
            let _ = ip(&["link", "del", &port.host_end]);
        }
        self.open("-D");
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

/// Whether this process may make namespaces; tests that need them say so and do nothing where it may not.
pub fn available() -> bool {
    Network::new(1).is_ok()
}

fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).output()?;
    if !output.status.success() {
        bail!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
