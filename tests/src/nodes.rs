//! Several nodes of Encours on one log.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use encours_proto::v1;
use tempfile::TempDir;

use crate::client::Client;
use crate::files::data_folder;
use crate::on_nats::ServerNats;
use crate::process::Ran;
use crate::server::{Server, Stopped};

/// How long it may take until somebody leads: two elections of the servers, and one of the nodes.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a node may take to say whether it leads.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How often nodes are asked.
const PAUSE: Duration = Duration::from_millis(20);

/// Nodes with a data folder each; all are killed when dropped.
#[derive(Debug)]
pub struct Nodes {
    nats: Vec<ServerNats>,
    folder: TempDir,
    nodes: Vec<Option<Server>>,
    paused: Vec<bool>,
}

impl Nodes {
    /// Starts so many nodes one after the other, so that the first one leads.
    ///
    /// # Panics
    /// Where one does not start.
    #[must_use]
    pub fn start(count: usize, nats: &ServerNats) -> Self {
        Self::start_each(vec![nats.clone(); count])
    }

    /// Starts a node for each of these, one after the other: each may reach the servers another way.
    ///
    /// # Panics
    /// Where one does not start.
    #[must_use]
    pub fn start_each(nats: Vec<ServerNats>) -> Self {
        let (nodes, paused) = (nats.iter().map(|_| None).collect(), vec![false; nats.len()]);
        let mut nodes = Self { nats, folder: data_folder(), nodes, paused };
        for index in 0..nodes.nats.len() {
            nodes.restart(index);
        }
        nodes
    }

    /// The data folder of one.
    #[must_use]
    pub fn data(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("node{index}"))
    }

    /// One that runs.
    ///
    /// # Panics
    /// Where it does not.
    #[must_use]
    pub fn server(&self, index: usize) -> &Server {
        self.nodes[index].as_ref().expect("the node runs")
    }

    /// Where those that run listen, in their order.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().flatten().map(Server::url).collect()
    }

    /// Where one listens.
    ///
    /// # Panics
    /// Where it does not run.
    #[must_use]
    pub fn url(&self, index: usize) -> String {
        self.server(index).url()
    }

    /// Starts one, after its end, and waits until it is ready.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn restart(&mut self, index: usize) {
        self.try_restart(index).unwrap_or_else(|ran| panic!("node {index} did not start: {ran}"));
    }

    /// As [`restart`](Self::restart); where it ends before it is ready, what it left.
    ///
    /// # Errors
    /// What the process left, where it ended.
    pub fn try_restart(&mut self, index: usize) -> Result<(), Ran> {
        self.kill9(index);
        let metrics = ["--metrics", "127.0.0.1:0"];
        let server = Server::try_start_on_nats(&self.data(index), &self.nats[index], &metrics)?;
        self.nodes[index] = Some(server);
        Ok(())
    }

    /// `kill -9` of one, at once.
    pub fn kill9(&mut self, index: usize) {
        self.paused[index] = false;
        if let Some(server) = self.nodes[index].take() {
            server.kill9();
        }
    }

    /// Holds one still, with SIGSTOP: its connections stay, and it does nothing.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn pause(&mut self, index: usize) {
        self.server(index).signal("STOP");
        self.paused[index] = true;
    }

    /// Has one that was held still go on, with SIGCONT.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn resume(&mut self, index: usize) {
        self.server(index).signal("CONT");
        self.paused[index] = false;
    }

    /// SIGTERM to one, and waits for its end.
    ///
    /// # Panics
    /// Where it does not run, or does not end within a minute.
    #[must_use]
    pub fn stop(&mut self, index: usize) -> Stopped {
        self.nodes[index].take().expect("the node runs").stop()
    }

    /// Waits for the end that one comes to by itself.
    ///
    /// # Panics
    /// Where it does not run, or does not end within a minute.
    #[must_use]
    pub fn end(&mut self, index: usize) -> Ran {
        self.nodes[index].take().expect("the node runs").end()
    }

    /// The newest frame as one knows it; `None` where it does not answer soon.
    pub async fn head(&self, index: usize) -> Option<v1::GetHeadResponse> {
        if self.paused[index] {
            return None;
        }
        let client = Client::lazy(&self.nodes[index].as_ref()?.url(), ANSWER_LIMIT);
        let head = client.log.clone().get_head(v1::GetHeadRequest::default()).await;
        head.ok().map(tonic::Response::into_inner)
    }

    /// Which ones say that they lead.
    pub async fn leaders(&self) -> Vec<usize> {
        let mut leaders = Vec::new();
        for index in 0..self.nodes.len() {
            let head = self.head(index).await;
            if head.is_some_and(|head| head.role() == v1::NodeRole::Leader) {
                leaders.push(index);
            }
        }
        leaders
    }

    /// Waits until one leads and every other that runs hands its writes on to it; which one.
    ///
    /// # Panics
    /// Where nobody does within a minute.
    pub async fn wait_for_leader(&self) -> usize {
        let begun = Instant::now();
        loop {
            let leaders = self.leaders().await;
            if let [leader] = leaders[..]
                && self.all_follow(leader).await
            {
                return leader;
            }
            assert!(begun.elapsed() < LIMIT, "nodes {leaders:?} lead after {LIMIT:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn all_follow(&self, leader: usize) -> bool {
        let address = self.url(leader);
        for index in (0..self.nodes.len()).filter(|index| *index != leader) {
            let is_up = self.nodes[index].is_some() && !self.paused[index];
            let head = self.head(index).await;
            if is_up && head.is_none_or(|head| head.leader_address != address) {
                return false;
            }
        }
        true
    }
}
