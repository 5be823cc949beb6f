//! Free TCP ports, from a range that the kernel never hands to outgoing connections.

use anyhow::{Result, bail};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's default ephemeral range (32768..), so a client's socket cannot take a port between our look and its use.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

static NEXT: AtomicU16 = AtomicU16::new(u16::MAX);

/// A port nobody listens on, given out once per process. Processes that run side by side start at different places.
pub fn free_port() -> Result<u16> {
    let start = (std::process::id().wrapping_mul(397) % u32::from(COUNT)) as u16;
    let _ = NEXT.compare_exchange(u16::MAX, start, Ordering::Relaxed, Ordering::Relaxed);
    for _ in 0..COUNT {
        let port = FIRST
            + NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some((n + 1) % COUNT)).unwrap_or(0);
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}
