//! Where a server listens: a port is taken first, and listened on once all else is ready.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tracing::warn;

use crate::failure::{Exit, Failure, Outcome};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// A port that is taken; connections are refused until it is listened on.
pub(crate) struct Port {
    socket: TcpSocket,
    option: &'static str,
    address: SocketAddr,
}

impl Port {
    /// Takes a port; fails where somebody listens on it.
    pub(crate) fn take(option: &'static str, address: SocketAddr) -> Outcome<Self> {
        let take = || {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(socket)
        };
        match take() {
            Ok(socket) => Ok(Self { socket, option, address }),
            Err(error) => Err(unheard(option, address, &error)),
        }
    }

    /// The address, with the port that was given where 0 was asked for.
    pub(crate) fn address(&self) -> Outcome<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Lets others connect.
    pub(crate) fn listen(self) -> Outcome<TcpListener> {
        let Self { socket, option, address } = self;
        socket.listen(BACKLOG).map_err(|error| unheard(option, address, &error))
    }
}

fn unheard(option: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, format!("cannot listen on {address}: {error}"))
        .hint(format!("give another address with {option}, or port 0 for a free one"))
}

/// The address to listen on. Without encryption that is one of this machine alone, unless told
/// otherwise.
pub(crate) async fn address(option: &str, listen: &str, insecure: bool) -> Outcome<SocketAddr> {
    let unusable = |why: String| {
        Failure::usage(format!("{option} {listen:?}: {why}")).hint("it looks like 127.0.0.1:50051")
    };
    let mut found = lookup_host(listen).await.map_err(|error| unusable(error.to_string()))?;
    let address = found.next().ok_or_else(|| unusable("no such address".to_owned()))?;
    if !address.ip().is_loopback() && !insecure {
        return Err(Failure::usage(format!(
            "{option} {listen}: {address} can be reached from other machines, without encryption"
        ))
        .hint("listen on 127.0.0.1, or say --insecure where the network is trusted"));
    }
    if insecure && !address.ip().is_loopback() {
        warn!(%address, option, "listening beyond this machine without encryption");
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_this_machine_needs_to_be_asked_for() {
        assert!(address("--listen", "127.0.0.1:0", false).await.is_ok());
        assert!(address("--listen", "[::1]:0", false).await.is_ok());
        let refused = address("--metrics", "0.0.0.0:9464", false).await.unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("without encryption"), "{refused}");
        assert!(refused.to_string().contains("--metrics"), "{refused}");
        assert!(address("--listen", "0.0.0.0:50051", true).await.is_ok());
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        let refused = address("--listen", "nonsense", false).await.unwrap_err();
        assert!(refused.to_string().contains("--listen"));
    }
}
