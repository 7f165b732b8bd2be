//! `EventLogService`: reading, following and checking the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use encours_domain::Position;
use encours_log::{LogReader, Tail};
use encours_projections::RebuildProgress;
use encours_proto::money::timestamp;
use encours_proto::v1::event_log_service_server::EventLogService;
use encours_proto::{Message as _, v1};
use futures_util::stream::{BoxStream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::api::{Api, blocking};
use crate::failure::{Failure, VERIFICATION_RUNNING, WATCH_STALLED};
use crate::leader::Writing;
use crate::paging::page_size;
use crate::reading::Filter;

/// How often a watcher hears that there is nothing new.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// Events read at once for a watcher.
const WATCH_BATCH: usize = 256;
/// Messages that may wait for a slow caller; past them reading pauses.
const WATCH_QUEUE: usize = 64;
/// The same in bytes: an event may have as many as its command.
const WATCH_BYTES: u32 = 256 * 1024;
/// A watcher that takes nothing for this long is left, where nothing else is said.
pub(crate) const WATCH_STALL: Duration = Duration::from_secs(60);
/// Frames between two messages about how far a verification or a rebuild is.
const PROGRESS_FRAMES: u64 = 512;

type Watched = Result<v1::WatchEventsResponse, Status>;
/// What waits for a watcher, and the room that it takes until it is read.
type Waiting = (Watched, Option<OwnedSemaphorePermit>);
type Verified = Result<v1::VerifyLogResponse, Status>;
type Rebuilding = Result<v1::RebuildReadModelResponse, Status>;

#[tonic::async_trait]
impl EventLogService for Api {
    type WatchEventsStream = BoxStream<'static, Watched>;
    type VerifyLogStream = ReceiverStream<Verified>;
    type RebuildReadModelStream = ReceiverStream<Rebuilding>;

    async fn read_events(
        &self,
        request: Request<v1::ReadEventsRequest>,
    ) -> Result<Response<v1::ReadEventsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.is_log(&request.log)?;
        self.ready(&metadata, request.min_position).await?;
        let filter = self.event_filter(request.filter)?;
        let limit = page_size(request.page_size)?;
        let after = Position(request.after_position);
        let until = self.model.position();
        let events = self.events();
        let scan = blocking(move || events.scan(after, until, &filter, limit)).await?;
        Ok(Response::new(v1::ReadEventsResponse {
            events: scan.events,
            last_position: scan.last.0,
            end: scan.last >= until,
            position: until.0,
        }))
    }

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.is_log(&request.log)?;
        self.ready(&metadata, request.min_position).await?;
        let filter = self.event_filter(request.filter)?;
        let (to, stream) = mpsc::channel(WATCH_QUEUE);
        let api = self.clone();
        tokio::spawn(async move {
            let (told, dropped) = (Position(request.after_position), Arc::clone(&api.tail_dropped));
            let mut watcher = Watcher::new(to, told, api.watch_stall, dropped);
            if let Err(failure) = api.follow(filter, &mut watcher).await {
                // WHY not dropped where the queue is full: it says where to go on.
                let _ = watcher.to.send((Err(failure.into()), None)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream).map(|(message, _room)| message).boxed()))
    }

    async fn get_head(
        &self,
        request: Request<v1::GetHeadRequest>,
    ) -> Result<Response<v1::GetHeadResponse>, Status> {
        self.is_log(&request.get_ref().log)?;
        let tail = self.reader.tail();
        let (role, leader_address) = match &*self.writing.borrow() {
            Writing::Here(_) => (v1::NodeRole::Leader, String::new()),
            Writing::There(address) => (v1::NodeRole::Follower, address.clone()),
            Writing::Nobody => (v1::NodeRole::Follower, String::new()),
        };
        Ok(Response::new(v1::GetHeadResponse {
            log_id: self.reader.log_id().to_string(),
            position: tail.next_position.0.saturating_sub(1),
            frame_number: tail.number.0,
            frame_hash: tail.hash.0.to_vec(),
            recorded_at: Some(timestamp(tail.recorded_at)),
            epoch: tail.epoch.0,
            read_position: self.model.position().0,
            role: role.into(),
            leader_address,
            // Only who keeps several logs tells.
            log: String::new(),
        }))
    }

    async fn verify_log(
        &self,
        request: Request<v1::VerifyLogRequest>,
    ) -> Result<Response<Self::VerifyLogStream>, Status> {
        self.is_log(&request.get_ref().log)?;
        let turn = Arc::clone(&self.verifying).try_acquire_owned().map_err(|_| {
            Failure::new(VERIFICATION_RUNNING, "a verification is under way already")
                .retry_after(SIGN_OF_LIFE)
        })?;
        let api = self.clone();
        told(move |to| {
            let _turn = turn;
            api.verify(to)
        })
    }

    async fn rebuild_read_model(
        &self,
        request: Request<v1::RebuildReadModelRequest>,
    ) -> Result<Response<Self::RebuildReadModelStream>, Status> {
        self.is_log(&request.get_ref().log)?;
        let api = self.clone();
        told(move |to| api.rebuild(to))
    }

    async fn get_proof(
        &self,
        request: Request<v1::GetProofRequest>,
    ) -> Result<Response<v1::GetProofResponse>, Status> {
        self.is_log(&request.get_ref().log)?;
        Ok(Response::new(self.proofs.prove(request.into_inner()).await?))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        self.is_log(&request.get_ref().log)?;
        Ok(Response::new(self.proofs.checkpoint()?))
    }
}

/// Has something done off the async workers that tells how far it is, and in the end what came out.
fn told<T: Send + 'static>(
    done: impl FnOnce(&mpsc::Sender<Result<T, Status>>) -> Result<T, Failure> + Send + 'static,
) -> Result<Response<ReceiverStream<Result<T, Status>>>, Status> {
    let (to, stream) = mpsc::channel(WATCH_QUEUE);
    // WHY a place from the beginning: a caller that does not read must not hold a turn, or a thread.
    let last = to.clone().try_reserve_owned();
    let last = last.map_err(|error| Failure::internal(error.to_string()))?;
    tokio::task::spawn_blocking(move || last.send(done(&to).map_err(Status::from)));
    Ok(Response::new(ReceiverStream::new(stream)))
}

impl Api {
    /// Checks the log and tells how far it is, until the caller leaves or the server stops.
    fn verify(&self, to: &mpsc::Sender<Verified>) -> Result<v1::VerifyLogResponse, Failure> {
        let mut result =
            verified(&*self.reader, to, &self.stopping).ok_or_else(Failure::stopping)?;
        if result.intact {
            let digest = self.model.digest();
            result.digest = digest.value.to_string();
            result.digest_position = digest.position.0;
        }
        Ok(step(v1::verify_log_response::Step::Result(result)))
    }

    /// Rebuilds the read model and tells how far it is, until the caller leaves or the server stops.
    fn rebuild(
        &self,
        to: &mpsc::Sender<Rebuilding>,
    ) -> Result<v1::RebuildReadModelResponse, Failure> {
        use v1::rebuild_read_model_response::Step;
        let step = |step| v1::RebuildReadModelResponse { step: Some(step) };
        let mut frames = 0_u64;
        let rebuilt = self.model.rebuild(&mut |RebuildProgress { position, last }| {
            frames += 1;
            if frames.is_multiple_of(PROGRESS_FRAMES) {
                let (position, log_position) = (position.0, last.0);
                let progress = v1::RebuildProgress { position, log_position };
                // WHY dropped where the queue is full: the rebuild waits for no slow reader.
                let _ = to.try_send(Ok(step(Step::Progress(progress))));
            }
            !to.is_closed() && !*self.stopping.borrow()
        })?;
        Ok(step(Step::Result(v1::RebuildResult {
            log_id: self.reader.log_id().to_string(),
            position: rebuilt.position.0,
            digest: rebuilt.digest.to_string(),
            digest_before: rebuilt.before.map_or_else(String::new, |before| before.to_string()),
            differs: rebuilt.differs(),
            milliseconds: u64::try_from(rebuilt.took.as_millis()).unwrap_or(u64::MAX),
            stopped: rebuilt.stopped.map_or_else(String::new, |stopped| stopped.to_string()),
        })))
    }

    /// Sends what passes the filter, first what is there, then what comes, until the caller leaves.
    async fn follow(&self, filter: Filter, watcher: &mut Watcher) -> Result<(), Failure> {
        let mut looked_at = watcher.told;
        let mut position = self.model.position_watch();
        let mut stopping = self.stopping.subscribe();
        loop {
            let until = *position.borrow_and_update();
            if *stopping.borrow() {
                return Err(Failure::stopping());
            }
            if looked_at < until {
                let (events, filter) = (self.events(), filter.clone());
                let look = move || events.scan(looked_at, until, &filter, WATCH_BATCH);
                let scan = blocking(look).await?;
                let quiet = scan.events.is_empty() && scan.last < until;
                looked_at = scan.last;
                let heard = scan.events.into_iter().map(|event| v1::WatchEventsResponse {
                    position: event.position,
                    event: Some(event),
                });
                let sign = quiet.then_some(sign_of_life(looked_at));
                for message in heard.chain(sign) {
                    if !watcher.tell(message).await? {
                        return Ok(());
                    }
                }
                continue;
            }
            if let Some(stopped) = self.model.health().stopped {
                return Err(stopped.into());
            }
            tokio::select! {
                changed = position.changed() => {
                    changed.map_err(|_| Failure::stopping())?;
                }
                _ = stopping.changed() => return Err(Failure::stopping()),
                () = watcher.to.closed() => return Ok(()),
                () = tokio::time::sleep(SIGN_OF_LIFE) => {
                    if !watcher.tell(sign_of_life(looked_at)).await? {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Somebody who watches events.
struct Watcher {
    to: mpsc::Sender<Waiting>,
    /// Bytes that may still wait.
    room: Arc<Semaphore>,
    /// The position that it was told last.
    told: Position,
    /// How long it may take nothing.
    stall: Duration,
    /// Counts those who do not read.
    dropped: Arc<AtomicU64>,
}

impl Watcher {
    fn new(
        to: mpsc::Sender<Waiting>,
        told: Position,
        stall: Duration,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self { to, room: Arc::new(Semaphore::new(WATCH_BYTES as usize)), told, stall, dropped }
    }

    /// Sends a message; false where the watcher has left.
    ///
    /// # Errors
    /// Where the watcher takes nothing for too long.
    async fn tell(&mut self, message: v1::WatchEventsResponse) -> Result<bool, Failure> {
        let position = Position(message.position);
        // One that is longer than all the room waits until nothing else does.
        let bytes = u32::try_from(message.encoded_len()).unwrap_or(u32::MAX).min(WATCH_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes);
        let send = async { self.to.send((Ok(message), room.await.ok())).await };
        if let Ok(sent) = timeout(self.stall, send).await {
            self.told = position;
            return Ok(sent.is_ok());
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let (told, stall) = (self.told, self.stall);
        let message = format!("nothing was read for {stall:?}; watch again after position {told}");
        Err(Failure::new(WATCH_STALLED, message).with("position", told))
    }
}

const fn sign_of_life(looked_at: Position) -> v1::WatchEventsResponse {
    v1::WatchEventsResponse { position: looked_at.0, event: None }
}

const fn step(step: v1::verify_log_response::Step) -> v1::VerifyLogResponse {
    v1::VerifyLogResponse { step: Some(step) }
}

/// Checks the log and tells how far it is; `None` where the caller leaves or the server stops.
fn verified(
    reader: &dyn LogReader,
    to: &mpsc::Sender<Verified>,
    stopping: &watch::Sender<bool>,
) -> Option<v1::VerifyResult> {
    let mut told = 0;
    check(reader, |progress| {
        if progress.frames >= told + PROGRESS_FRAMES {
            told = progress.frames;
            // Where the queue is full, a later one tells more.
            let _ = to.try_send(Ok(step(v1::verify_log_response::Step::Progress(progress))));
        }
        !to.is_closed() && !*stopping.borrow()
    })
}

/// Checks the log from its first frame to the tail it has now; `None` where `going_on` says no.
fn check(
    reader: &dyn LogReader,
    mut going_on: impl FnMut(v1::VerifyProgress) -> bool,
) -> Option<v1::VerifyResult> {
    let log_id = reader.log_id();
    let last = reader.tail().number;
    let mut tail = Tail::genesis(log_id);
    let mut result = v1::VerifyResult { log_id: log_id.to_string(), ..Default::default() };
    while tail.number < last {
        let events = match next_frame(reader, &mut tail, &mut result) {
            Ok(events) => events,
            Err(problem) => {
                result.problem = format!("frame {}: {problem}", tail.number.next());
                break;
            }
        };
        result.frames += 1;
        result.events += events;
        let progress = v1::VerifyProgress {
            frames: result.frames,
            events: result.events,
            bytes: result.bytes,
            total_frames: last.0,
        };
        if !going_on(progress) {
            return None;
        }
    }
    result.intact = result.problem.is_empty();
    result.frame_hash = tail.hash.0.to_vec();
    Some(result)
}

/// Checks the frame after `tail` and moves on to it; tells how many events it has.
fn next_frame(
    reader: &dyn LogReader,
    tail: &mut Tail,
    result: &mut v1::VerifyResult,
) -> Result<u64, String> {
    let frame = reader
        .read(tail.number.next())
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "it is missing".to_owned())?;
    let next = tail.follow(reader.log_id(), frame.header()).map_err(|error| error.to_string())?;
    for (position, event) in frame.events() {
        encours_schema::decode(event.kind, event.version, event.payload)
            .map_err(|error| format!("the event at position {position}: {error}"))?;
    }
    *tail = next;
    result.bytes += frame.header().frame_len() as u64;
    Ok(u64::from(frame.header().event_count))
}

#[cfg(test)]
mod tests;
