//! The thread of a recording: from its feed to its files.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    Feed,
    feed::{Drain, Drained, feed},
    recording::Recording,
};

/// Between two looks at the feed: a thread that waited to be woken would cost the other end a system call.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks between two words on how it goes.
const TELL_EVERY: u32 = 100;

/// What is to be recorded where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The directory, which is made (for its owner alone) if it isn't there.
    pub folder: PathBuf,
    /// How the files are called: `NAME.opus`, and `NAME-1.opus` and so on for the participants. It should be impossible to
    /// guess. A file that is there already is an error.
    pub name: String,
    /// A file for each participant, too: for the first 256 who are heard.
    pub tracks: bool,
    /// Bits a second for each file.
    pub bitrate: u32,
    /// Tells the streams from others: any number does.
    pub serial: u32,
    /// Lines at the head of each file, beside its `TITLE`.
    pub comments: Vec<(String, String)>,
}

/// What a recording tells.
#[derive(Debug)]
pub enum Told {
    /// The file of the mix is there: from now on it is recorded.
    Begun {
        /// That file.
        file: PathBuf,
    },
    /// A participant is heard for the first time, and has a file.
    Track {
        /// Whose.
        voice: u64,
        /// That file.
        file: PathBuf,
    },
    /// Every ten seconds.
    Progress {
        /// Recorded time.
        time: Duration,
        /// In all files.
        bytes: u64,
        /// Of that time, what is silence because the disk was too slow.
        lost: Duration,
    },
    /// It has ended with its feed, and all is written. Nothing follows.
    Over(Summary),
    /// Nothing is recorded any more; what was written is there. Nothing follows.
    Failed {
        /// Why.
        error: RecordError,
        /// What had been recorded by then.
        time: Duration,
        /// In all files.
        bytes: u64,
    },
}

/// How a recording was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Recorded time.
    pub time: Duration,
    /// In all files.
    pub bytes: u64,
    /// How many.
    pub files: usize,
    /// Of the time, what is silence because the disk was too slow.
    pub lost: Duration,
    /// Participants who got no file of their own, because there were too many.
    pub left_out: usize,
}

/// A file or directory that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct RecordError {
    path: PathBuf,
    source: io::Error,
}

impl RecordError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            source,
        }
    }

    /// Which.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk, or what this user may have of it, is full.
    pub fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// A recording that goes on in a thread of its own, until its [`Feed`] is dropped.
pub struct Recorder(JoinHandle<()>);

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").finish()
    }
}

impl Recorder {
    /// Begins one. `tell` is called from its thread.
    ///
    /// # Errors
    /// No thread is to be had. What the disk says is [told](Told::Failed).
    pub fn start(plan: Plan, tell: impl FnMut(Told) + Send + 'static) -> io::Result<(Self, Feed)> {
        let (feed, drain) = feed();
        let thread = thread::Builder::new()
            .name("recording".into())
            .spawn(move || run(plan, &drain, tell))?;
        Ok((Self(thread), feed))
    }

    /// Waits until all is written: not before the feed is dropped.
    pub fn wait(self) {
        // A thread that panicked has told so on standard error.
        let _ = self.0.join();
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

fn run(plan: Plan, drain: &Drain, mut tell: impl FnMut(Told)) {
    let mut recording = match Recording::begin(plan) {
        Ok(recording) => recording,
        Err(error) => {
            return tell(Told::Failed {
                error,
                time: Duration::ZERO,
                bytes: 0,
            });
        }
    };
    let file = recording.path().to_owned();
    tell(Told::Begun { file });
    let told = match follow(&mut recording, drain, &mut tell) {
        Ok(()) => {
            let (time, bytes) = (recording.time(), recording.bytes());
            match recording.finish(drain.lost()) {
                Ok(summary) => Told::Over(summary),
                Err(error) => Told::Failed { error, time, bytes },
            }
        }
        Err(error) => Told::Failed {
            error,
            time: recording.time(),
            bytes: recording.bytes(),
        },
    };
    tell(told);
}

/// Writes down what comes, until nothing comes any more.
fn follow(
    recording: &mut Recording,
    drain: &Drain,
    tell: &mut impl FnMut(Told),
) -> Result<(), RecordError> {
    for look in 1_u32.. {
        loop {
            match drain.next() {
                Drained::Chunk(chunk) => {
                    recording.take(&chunk, |voice, file| {
                        let file = file.to_owned();
                        tell(Told::Track { voice, file });
                    })?;
                    drain.give_back(chunk);
                }
                Drained::Nothing => break,
                Drained::End => return Ok(()),
            }
        }
        if look.is_multiple_of(TELL_EVERY) {
            tell(Told::Progress {
                time: recording.time(),
                bytes: recording.bytes(),
                lost: Duration::from_millis(20) * u32::try_from(drain.lost()).unwrap_or(u32::MAX),
            });
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
