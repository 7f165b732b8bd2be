//! `encours serve`: a node behind gRPC, until it is told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use encours_log::{OsDisk, SystemClock};
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::failure::{Exit, Failure, Outcome};
use crate::node::{Node, NodeOptions, failed};

/// What `encours serve` takes.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The data folder; made where it does not exist
    #[arg(long, env = "ENCOURS_DATA", default_value = "./encours-data", value_name = "DIR")]
    data: PathBuf,

    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "ENCOURS_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDRESS")]
    listen: String,

    /// Listens beyond this machine without encryption: whoever reaches the port reads and writes
    #[arg(long)]
    insecure: bool,

    /// MiB of a new segment of the log
    #[arg(long, default_value_t = 64, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=4096))]
    segment_mib: u64,
}

/// Serves until SIGTERM or SIGINT; a second signal ends the process at once.
pub(crate) async fn run(args: &ServeArgs) -> Outcome {
    let address = address(&args.listen, args.insecure).await?;
    let mut signals = Signals::listen()?;
    let options = NodeOptions {
        data: args.data.clone(),
        segment_len: args.segment_mib << 20,
        disk: Arc::new(OsDisk),
        clock: Arc::new(SystemClock::new()),
    };
    // Opening reads the whole log; nothing else runs yet that it could hold up.
    let node = tokio::task::block_in_place(|| Node::open(options))?;
    node.caught_up().await?;
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            node.stop().await?;
            let message = format!("cannot listen on {address}: {error}");
            return Err(Failure::new(Exit::Failure, message)
                .hint("give another address with --listen, or port 0 for a free one"));
        }
    };
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = node.api().serve(listener, async move {
        let _ = stopped.await;
    });
    let mut server = tokio::spawn(server);
    ready(address);
    let mut broken = node.engine().failed();
    let mut fatal = None;
    tokio::select! {
        name = signals.next() => info!(signal = name, "stopping"),
        ended = &mut server => {
            let why = ended.map_or_else(|error| error.to_string(), |served| match served {
                Ok(()) => "the server has ended".to_owned(),
                Err(error) => error.to_string(),
            });
            fatal = Some(Failure::new(Exit::Failure, why));
        }
        _ = broken.wait_for(Option::is_some) => {}
    }
    tokio::spawn(async move {
        let name = signals.next().await;
        warn!(signal = name, "stopping at once");
        std::process::exit(Exit::Failure as i32);
    });
    drop(stop);
    let engine_failed = node.engine().failed().borrow().clone();
    if let Some(error) = &engine_failed {
        error!(code = error.code(), %error, "the engine has stopped");
    } else if !server.is_finished() {
        let _ = server.await;
    }
    let closed = node.stop().await;
    match (engine_failed, fatal) {
        (Some(error), _) => Err(failed(&error)),
        (None, Some(failure)) => Err(failure),
        (None, None) => {
            closed?;
            info!("stopped");
            Ok(())
        }
    }
}

/// The address to listen on. Without encryption that is one of this machine alone, unless told
/// otherwise.
async fn address(listen: &str, insecure: bool) -> Outcome<SocketAddr> {
    let unusable = |why: String| {
        Failure::usage(format!("--listen {listen:?}: {why}")).hint("it looks like 127.0.0.1:50051")
    };
    let mut found = lookup_host(listen).await.map_err(|error| unusable(error.to_string()))?;
    let address = found.next().ok_or_else(|| unusable("no such address".to_owned()))?;
    if !address.ip().is_loopback() && !insecure {
        return Err(Failure::usage(format!(
            "--listen {listen}: {address} can be reached from other machines, without encryption"
        ))
        .hint("listen on 127.0.0.1, or say --insecure where the network is trusted"));
    }
    if insecure && !address.ip().is_loopback() {
        warn!(%address, "listening beyond this machine without encryption");
    }
    Ok(address)
}

/// The one line on standard output: programs wait for it and read the address.
fn ready(address: SocketAddr) {
    info!(%address, "ready");
    let mut out = std::io::stdout().lock();
    // WHY ignored: nobody needs to read it for the server to serve.
    let _ = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
}

/// The signals that ask for an end.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> Outcome<Self> {
        let term = signal(SignalKind::terminate())?;
        let int = signal(SignalKind::interrupt())?;
        Ok(Self { term, int })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_this_machine_needs_to_be_asked_for() {
        assert!(address("127.0.0.1:0", false).await.is_ok());
        assert!(address("[::1]:0", false).await.is_ok());
        let refused = address("0.0.0.0:50051", false).await.unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("without encryption"), "{refused}");
        assert!(address("0.0.0.0:50051", true).await.is_ok());
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        assert!(address("nonsense", false).await.unwrap_err().to_string().contains("--listen"));
    }
}
