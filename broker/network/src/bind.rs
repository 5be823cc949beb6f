//! Listening sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use gregor_model::EndPoint;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::NetworkConfig;

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("listener {endpoint}: cannot listen: {source}")]
pub struct BindError {
    /// `NAME://host:port`.
    pub endpoint: String,
    /// Why.
    pub source: io::Error,
}

/// Takes the address. Until [`listen`] connections are refused, so that clients try another broker meanwhile.
pub(crate) fn bind(endpoint: &EndPoint, config: &NetworkConfig) -> Result<Socket, BindError> {
    let failed = |source| BindError {
        endpoint: format!("{}://{}:{}", endpoint.listener, endpoint.host, endpoint.port),
        source,
    };
    if !endpoint.host.is_empty() {
        let mut addresses = (endpoint.host.as_str(), endpoint.port).to_socket_addrs().map_err(failed)?;
        let address = addresses.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        return bind_address(address, config).map_err(failed);
    }
    // Every address: both families by one socket, or IPv4 alone where there is no IPv6.
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), endpoint.port);
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), endpoint.port);
    match bind_address(v6, config) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => bind_address(v4, config).map_err(failed),
        result => result.map_err(failed),
    }
}

/// Begins to listen; connections queue up until someone accepts.
pub(crate) fn listen(socket: Socket, backlog: i32) -> io::Result<std::net::TcpListener> {
    socket.listen(backlog)?;
    Ok(socket.into())
}

fn bind_address(address: SocketAddr, config: &NetworkConfig) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    if let Some(bytes) = config.receive_buffer_bytes {
        // Accepted sockets inherit it; it must be set before they exist to size the TCP window.
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What every accepted socket gets (`Acceptor.configureAcceptedSocketChannel`).
pub(crate) fn configure(stream: &tokio::net::TcpStream, config: &NetworkConfig) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_keepalive(true)?;
    if let Some(bytes) = config.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(())
}
