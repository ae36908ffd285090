//! Writes the books beside the call path, which never waits on a disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tracing::{Instrument as _, debug_span};

use crate::{Books, Entry, RunId};

/// For so long entries are gathered before they are written together.
const GATHERED_FOR: Duration = Duration::from_millis(200);

/// So many are written at once at most.
const BATCH: usize = 1_000;

/// So many may wait for a disk that stalls: minutes of a busy bridge.
const QUEUE: usize = 100_000;

/// How often a run with open calls says that it is alive.
const PULSE: Duration = Duration::from_secs(10);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The bridge's pen: takes entries at once and writes them within a fraction of a second. Clones share it.
///
/// A database that is busy or a disk that is full is tried again until it takes the entries; should so many
/// gather meanwhile that memory would suffer, further ones are dropped, counted and reported in the log.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

/// The recorder's task is gone: the runtime is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recorder has stopped")]
pub struct RecorderError;

enum Message {
    Write(Entry),
    Flush(oneshot::Sender<()>),
    End(oneshot::Sender<()>),
}

impl Recorder {
    /// Starts the task that writes for a [run](Books::begin_run). Must be called within a Tokio runtime.
    pub fn start<B: Books>(books: B, run: RunId) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        tokio::spawn(
            Writer {
                books,
                run,
                messages,
            }
            .run(),
        );
        Self {
            queue,
            dropped: Arc::default(),
        }
    }

    /// Takes an entry. Never waits.
    pub fn record(&self, entry: Entry) {
        let Err(refused) = self.queue.try_send(Message::Write(entry)) else {
            return;
        };
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        match refused {
            // One line for many: the log shall not drown in them.
            mpsc::error::TrySendError::Full(_) if dropped % 1_000 == 1 => {
                tracing::error!(dropped, "the books can't keep up: entries are dropped");
            }
            mpsc::error::TrySendError::Full(_) => {}
            mpsc::error::TrySendError::Closed(_) => {
                tracing::warn!(dropped, "an entry came after the books were closed");
            }
        }
    }

    /// How many entries were dropped, because the database took none for minutes or the books were closed.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all that was recorded so far is written.
    pub async fn flush(&self) -> Result<(), RecorderError> {
        self.ask(Message::Flush).await
    }

    /// Writes what is left and closes the run; the recorder takes nothing after that.
    pub async fn finish(&self) -> Result<(), RecorderError> {
        self.ask(Message::End).await
    }

    async fn ask(
        &self,
        message: impl FnOnce(oneshot::Sender<()>) -> Message,
    ) -> Result<(), RecorderError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(message(answer))
            .await
            .map_err(|_| RecorderError)?;
        answered.await.map_err(|_| RecorderError)
    }
}

struct Writer<B> {
    books: B,
    run: RunId,
    messages: mpsc::Receiver<Message>,
}

impl<B: Books> Writer<B> {
    async fn run(mut self) {
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                first = self.messages.recv() => match first {
                    Some(first) => if self.round(first).await.is_break() { return },
                    None => return,
                },
                _ = pulse.tick() => if let Err(error) = self.books.still_running(self.run, now()).await {
                    tracing::warn!(%error, "the books can't be written just now");
                },
            }
        }
    }

    /// Gathers what comes shortly after the first, and writes it.
    async fn round(&mut self, first: Message) -> std::ops::ControlFlow<()> {
        let until = Instant::now() + GATHERED_FOR;
        let mut batch = Vec::new();
        let mut message = Some(first);
        loop {
            match message {
                Some(Message::Write(entry)) => batch.push(entry),
                Some(Message::Flush(answer)) => {
                    self.write(&batch).await;
                    // Whoever asked may have gone.
                    let _ = answer.send(());
                    return std::ops::ControlFlow::Continue(());
                }
                Some(Message::End(answer)) => {
                    self.write(&batch).await;
                    self.end().await;
                    let _ = answer.send(());
                    return std::ops::ControlFlow::Break(());
                }
                None => break,
            }
            if batch.len() >= BATCH {
                break;
            }
            message = timeout_at(until, self.messages.recv())
                .await
                .unwrap_or(None);
        }
        self.write(&batch).await;
        std::ops::ControlFlow::Continue(())
    }

    /// Tries until it is done. One entry that the database will never take doesn't take the others with it.
    async fn write(&self, batch: &[Entry]) {
        let mut pause = Duration::from_millis(100);
        while !batch.is_empty() {
            let span = debug_span!("entries", count = batch.len());
            let written = self.books.write(self.run, batch, now());
            match written.instrument(span).await {
                Ok(()) => return,
                Err(error) if error.is_lasting() => match batch {
                    [entry] => return tracing::error!(%error, ?entry, "an entry can't be written"),
                    _ => {
                        let (first, second) = batch.split_at(batch.len() / 2);
                        Box::pin(self.write(first)).await;
                        return Box::pin(self.write(second)).await;
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, entries = batch.len(), "the books can't be written just now: trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn end(&self) {
        if let Err(error) = self.books.end_run(self.run, now()).await {
            tracing::warn!(%error, "the run couldn't be closed; the next start will");
        }
    }
}

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use conclave_accounts::{CallId, Source};
    use conclave_conference::LeaveReason;

    use super::*;
    use crate::StoreError;

    /// Books that refuse as they are told to, and otherwise remember.
    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Memory>>);

    #[derive(Default)]
    struct Memory {
        batches: Vec<Vec<Entry>>,
        refusals: VecDeque<StoreError>,
        /// A call of which no entry can ever be written.
        poison: Option<CallId>,
        ended: bool,
    }

    #[async_trait::async_trait]
    impl Books for Fake {
        async fn begin_run(&self, _: DateTime<Utc>) -> Result<RunId, StoreError> {
            Ok(RunId(1))
        }

        async fn write(
            &self,
            _: RunId,
            entries: &[Entry],
            _: DateTime<Utc>,
        ) -> Result<(), StoreError> {
            let mut memory = self.0.lock().unwrap();
            if let Some(refusal) = memory.refusals.pop_front() {
                return Err(refusal);
            }
            let poisoned = |entry: &Entry| matches!(entry, Entry::CallEnded { call, .. } if Some(*call) == memory.poison);
            if entries.iter().any(poisoned) {
                return Err(StoreError::PinTaken);
            }
            memory.batches.push(entries.to_vec());
            Ok(())
        }

        async fn still_running(&self, _: RunId, _: DateTime<Utc>) -> Result<(), StoreError> {
            Ok(())
        }

        async fn end_run(&self, _: RunId, _: DateTime<Utc>) -> Result<(), StoreError> {
            self.0.lock().unwrap().ended = true;
            Ok(())
        }
    }

    fn ended(call: u64) -> Entry {
        Entry::CallEnded {
            call: CallId(call),
            at: DateTime::UNIX_EPOCH,
            reason: LeaveReason::HungUp,
        }
    }

    fn started() -> (Fake, Recorder) {
        let books = Fake::default();
        (books.clone(), Recorder::start(books, RunId(1)))
    }

    fn written(books: &Fake) -> Vec<u64> {
        let number = |entry: &Entry| match entry {
            Entry::CallEnded { call, .. } => call.0,
            other => panic!("{other:?} was never recorded"),
        };
        books
            .0
            .lock()
            .unwrap()
            .batches
            .concat()
            .iter()
            .map(number)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn entries_are_gathered_for_a_fifth_of_a_second() {
        let (books, recorder) = started();
        for call in 1..=3 {
            recorder.record(ended(call));
            sleep(Duration::from_millis(50)).await;
        }
        assert!(written(&books).is_empty());
        sleep(Duration::from_millis(60)).await;
        assert_eq!(
            books.0.lock().unwrap().batches,
            [vec![ended(1), ended(2), ended(3)]]
        );
        // A steady stream doesn't put the writing off for ever.
        for call in 4..=13 {
            recorder.record(ended(call));
            sleep(Duration::from_millis(50)).await;
        }
        assert!(books.0.lock().unwrap().batches.len() >= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_written_in_order_and_in_parts() {
        let (books, recorder) = started();
        (1..=2_500).for_each(|call| recorder.record(ended(call)));
        recorder.flush().await.unwrap();
        assert_eq!(written(&books), (1..=2_500).collect::<Vec<_>>());
        assert!(
            books
                .0
                .lock()
                .unwrap()
                .batches
                .iter()
                .all(|batch| batch.len() <= BATCH)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_database_is_asked_again() {
        let (books, recorder) = started();
        let busy = || StoreError::Database(sqlx::Error::PoolTimedOut);
        books
            .0
            .lock()
            .unwrap()
            .refusals
            .extend([busy(), busy(), busy()]);
        recorder.record(ended(1));
        recorder.record(ended(2));
        recorder.finish().await.unwrap();
        assert_eq!(written(&books), [1, 2]);
        assert!(books.0.lock().unwrap().ended);
        assert_eq!(recorder.flush().await, Err(RecorderError));
    }

    #[tokio::test(start_paused = true)]
    async fn one_bad_entry_takes_no_other_with_it() {
        let (books, recorder) = started();
        books.0.lock().unwrap().poison = Some(CallId(4));
        (1..=9).for_each(|call| recorder.record(ended(call)));
        recorder.flush().await.unwrap();
        assert_eq!(written(&books), [1, 2, 3, 5, 6, 7, 8, 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_memory_would_hold_is_counted() {
        let (books, recorder) = started();
        let source = Source::withheld("berlin");
        // Nothing else runs until we wait: the queue only fills.
        for call in 0..QUEUE as u64 + 5 {
            recorder.record(Entry::CallAnswered {
                call: CallId(call),
                at: DateTime::UNIX_EPOCH,
                source: source.clone(),
            });
        }
        assert_eq!(recorder.dropped(), 5);
        recorder.finish().await.unwrap();
        assert_eq!(books.0.lock().unwrap().batches.concat().len(), QUEUE);
    }
}
