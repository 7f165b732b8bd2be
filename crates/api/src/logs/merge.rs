//! The answers of a log to a stream of commands, with those between them that never reached it.

use encours_proto::v1;
use encours_proto::v1::command_result::Result as Shown;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::mpsc;

use crate::batch::Answer;

/// What became of a command on its way to the log, in the order of the commands.
pub(super) enum Place {
    /// It went there: the next answer is for it.
    Passed,
    /// It did not.
    Refused(v1::CommandError),
}

/// Answers in the order of their commands.
pub(super) struct Merge {
    /// INVARIANT: a place is there before the log is given its command.
    places: mpsc::Receiver<Place>,
    answers: BoxStream<'static, Answer>,
    /// An answer whose place is not looked at yet.
    held: Option<Answer>,
    ended: bool,
}

impl Merge {
    pub(super) fn new(places: mpsc::Receiver<Place>, answers: BoxStream<'static, Answer>) -> Self {
        Self { places, answers, held: None, ended: false }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Answer> + Send {
        stream::unfold(self, async |mut merge| Some((merge.next().await?, merge)))
    }

    async fn next(&mut self) -> Option<Answer> {
        match self.place().await {
            Some(Place::Refused(error)) => {
                let result = v1::CommandResult { result: Some(Shown::Error(error)) };
                Some(Ok(v1::ExecuteStreamResponse { result: Some(result) }))
            }
            Some(Place::Passed) => self.answer().await,
            // What comes without a place is why there are no more answers.
            None => self.held.take(),
        }
    }

    /// The place of the next command; `None` where the answers end without one.
    async fn place(&mut self) -> Option<Place> {
        if let Ok(place) = self.places.try_recv() {
            return Some(place);
        }
        if self.held.is_some() || self.ended {
            return None;
        }
        tokio::select! {
            biased;
            Some(place) = self.places.recv() => Some(place),
            // WHY: that somebody waits for answers is what has commands read.
            answer = self.answers.next() => {
                self.ended = answer.is_none();
                self.held = answer;
                self.places.try_recv().ok()
            }
        }
    }

    async fn answer(&mut self) -> Option<Answer> {
        if self.held.is_none() && !self.ended {
            self.held = self.answers.next().await;
            self.ended = self.held.is_none();
        }
        self.held.take()
    }
}
