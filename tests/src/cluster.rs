//! Three real nats-servers on loopback that replicate their streams.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nats::NatsServer;
use crate::ports::free_port;
use crate::proxy::{Mode, Proxy};

/// How many servers there are.
const SERVERS: usize = 3;
/// How long the servers may take to agree: an election takes 4 to 9 seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// How often they are asked.
const PAUSE: Duration = Duration::from_millis(50);

/// A cluster of three servers that sync every message; all are killed when it is dropped. Each keeps
/// its ports and its store over restarts, and tells clients of no other server.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<NatsServer>,
    /// Which of them are held still.
    held: [bool; SERVERS],
    between: Vec<Between>,
}

/// What lies on the way of one server to another.
#[derive(Debug)]
struct Between {
    from: usize,
    to: usize,
    proxy: Proxy,
}

impl NatsCluster {
    /// Starts three servers and waits until they can make streams; `None`, with the reason printed,
    /// where this machine has none.
    ///
    /// # Panics
    /// Where they do not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_first(SERVERS)
    }

    /// As [`start`](Self::start), but with only so many of the three; the others were never there.
    ///
    /// # Panics
    /// Where they do not start.
    #[must_use]
    pub fn start_first(count: usize) -> Option<Self> {
        let ports = [(); SERVERS].map(|()| free_port());
        let routes = ports.map(|port| format!("127.0.0.1:{port}"));
        let servers = ports.iter().enumerate().map(|(index, port)| {
            let others = (0..SERVERS).filter(|other| *other != index);
            member(index, *port, others.map(|other| routes[other].clone()), "")
        });
        Self::launch(servers.collect::<Option<_>>()?, Vec::new(), count)
    }

    /// As [`start`](Self::start), with something between each two of them, so that one can be
    /// [cut off](Self::cut_off) from the others.
    ///
    /// # Panics
    /// Where they do not start.
    pub async fn start_with_ways_between() -> Option<Self> {
        let ports = [(); SERVERS].map(|()| free_port());
        let mut between = Vec::new();
        for from in 0..SERVERS {
            for to in (0..SERVERS).filter(|to| *to != from) {
                let proxy = Proxy::start(&format!("127.0.0.1:{}", ports[to])).await;
                between.push(Between { from, to, proxy });
            }
        }
        // WHY: what one server tells the others of a third one leads nowhere, so that there are no ways
        // but these.
        let nowhere = "advertise: \"127.0.0.1:1\", connect_retries: 1,";
        let servers = ports.iter().enumerate().map(|(index, port)| {
            let ways = between.iter().filter(|way| way.from == index);
            member(index, *port, ways.map(|way| way.proxy.address()), nowhere)
        });
        Self::launch(servers.collect::<Option<_>>()?, between, SERVERS)
    }

    fn launch(servers: Vec<NatsServer>, between: Vec<Between>, count: usize) -> Option<Self> {
        let mut cluster = Self { servers, held: [false; SERVERS], between };
        for server in cluster.servers.iter_mut().take(count) {
            server.spawn();
        }
        cluster.wait_until_ready();
        Some(cluster)
    }

    /// Cuts one off from the other two, silently: its clients keep their connections.
    pub fn cut_off(&self, index: usize) {
        for way in self.ways_of(index) {
            way.proxy.set(Mode::Blackhole);
        }
    }

    /// Ends what [`cut_off`](Self::cut_off) began.
    pub fn join_again(&self, index: usize) {
        for way in self.ways_of(index) {
            way.proxy.set(Mode::Pass);
        }
    }

    fn ways_of(&self, index: usize) -> impl Iterator<Item = &Between> {
        assert!(!self.between.is_empty(), "the cluster was started with nothing in between");
        self.between.iter().filter(move |way| way.from == index || way.to == index)
    }

    /// Where they listen, in their order.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(NatsServer::url).collect()
    }

    /// One of them.
    ///
    /// # Panics
    /// Where there are fewer.
    #[must_use]
    pub fn server(&self, index: usize) -> &NatsServer {
        &self.servers[index]
    }

    /// `kill -9` of one, at once.
    ///
    /// # Panics
    /// Where there are fewer.
    pub fn kill9(&mut self, index: usize) {
        self.held[index] = false;
        self.servers[index].kill9();
    }

    /// SIGTERM to one, and waits for its end.
    ///
    /// # Panics
    /// Where there are fewer, or it does not end.
    pub fn stop(&mut self, index: usize) {
        self.servers[index].stop();
    }

    /// Holds one still, with SIGSTOP: its connections stay, and it does nothing.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn pause(&mut self, index: usize) {
        self.servers[index].signal("STOP");
        self.held[index] = true;
    }

    /// Has one that was held still go on, with SIGCONT.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn resume(&mut self, index: usize) {
        self.servers[index].signal("CONT");
        self.held[index] = false;
    }

    /// Starts one again, after its end, and waits until it greets; whether the others have it back is
    /// told by [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// # Panics
    /// Where it does not start.
    pub fn restart(&mut self, index: usize) {
        self.servers[index].restart();
    }

    /// Waits until those that run have one leader among them, and each has all that it told: then
    /// streams can be made and found, and one more may fail where all run.
    ///
    /// # Panics
    /// Where they do not agree within a minute.
    pub fn wait_until_ready(&self) {
        let begun = Instant::now();
        while let Err(why) = self.agreed() {
            assert!(begun.elapsed() < LIMIT, "no cluster: {why}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until every copy of a stream on a server that runs has all of it.
    ///
    /// # Panics
    /// Where they do not within a minute.
    pub fn wait_until_current(&self, stream: &str) {
        let begun = Instant::now();
        loop {
            let told = self.running().find_map(|index| {
                let info = self.stream_info(index, stream)?;
                (info["cluster"]["leader"] == name(index)).then_some(info)
            });
            let copies = told.as_ref().and_then(|info| info["cluster"]["replicas"].as_array());
            let lagging = copies.map(|copies| {
                let is_behind = |copy: &&Value| {
                    let runs = self.running().any(|index| copy["name"] == name(index));
                    runs && copy["current"] != true
                };
                copies.iter().filter(is_behind).count()
            });
            if lagging == Some(0) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "copies of {stream} are behind: {told:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until a stream has a leader among the servers that run; its index.
    ///
    /// # Panics
    /// Where it has none within a minute.
    #[must_use]
    pub fn stream_leader(&self, stream: &str) -> usize {
        let begun = Instant::now();
        loop {
            // WHY the leader itself: a follower may still name one that is dead.
            let leads = |index: &usize| {
                let info = self.stream_info(*index, stream);
                info.is_some_and(|info| info["cluster"]["leader"] == name(*index))
            };
            if let Some(index) = self.running().find(leads) {
                return index;
            }
            assert!(begun.elapsed() < LIMIT, "stream {stream} has no leader");
            std::thread::sleep(PAUSE);
        }
    }

    fn running(&self) -> impl Iterator<Item = usize> {
        (0..SERVERS).filter(|index| self.servers[*index].pid().is_some() && !self.held[*index])
    }

    /// What a server tells of a stream; `None` where it does not answer or has no copy.
    fn stream_info(&self, index: usize, stream: &str) -> Option<Value> {
        let page = self.servers[index].monitored("/jsz?accounts=true&streams=true")?;
        let accounts = page["account_details"].as_array()?;
        let mut streams =
            accounts.iter().filter_map(|account| account["stream_detail"].as_array()).flatten();
        streams.find(|found| found["name"] == stream).cloned()
    }

    /// Why the servers that run are no cluster yet.
    fn agreed(&self) -> Result<(), String> {
        let mut leaders = Vec::new();
        for index in self.running() {
            let page = self.servers[index].monitored("/jsz");
            let page = page.ok_or_else(|| format!("n{index} does not answer"))?;
            let meta = page["meta_cluster"].clone();
            if meta["leader"] == name(index) {
                let copies = meta["replicas"].as_array().cloned().unwrap_or_default();
                for other in self.running().filter(|other| *other != index) {
                    let found = copies.iter().find(|copy| copy["name"] == name(other));
                    let is_there =
                        |copy: &Value| copy["current"] == true && copy["offline"] != true;
                    if !found.is_some_and(is_there) {
                        return Err(format!("n{other} is behind or offline: {meta}"));
                    }
                }
            }
            leaders.push(meta["leader"].as_str().unwrap_or_default().to_owned());
        }
        match &leaders[..] {
            [first, rest @ ..] if !first.is_empty() && rest.iter().all(|one| one == first) => {
                let leads = self.running().any(|index| name(index) == *first);
                leads.then_some(()).ok_or_else(|| format!("{first} leads, which does not run"))
            }
            _ => Err(format!("the servers name {leaders:?} as their leader")),
        }
    }
}

/// A server that reaches the others at these addresses.
fn member(
    index: usize,
    port: u16,
    others: impl Iterator<Item = String>,
    more: &str,
) -> Option<NatsServer> {
    let routes: Vec<_> = others.map(|other| format!("\"nats://{other}\"")).collect();
    NatsServer::prepare(&format!(
        "server_name: {}\n\
         cluster {{ name: encours-test, listen: \"127.0.0.1:{port}\", no_advertise: true, {more} \
         routes: [{}] }}",
        name(index),
        routes.join(", ")
    ))
}

fn name(index: usize) -> String {
    format!("n{index}")
}
