//! Recordings: what the machine wants recorded goes from the room's tap to files, and what becomes of them comes back.

mod command;
mod shelf;

use std::{collections::BTreeMap, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use conclave_accounts::CallId;
use conclave_conference::{ConferenceId, RecordingId};
use conclave_engine::{LegId, Tap};
use conclave_record::{Feed, Origin, Plan, Recorder, Told};
use conclave_store::Entry;
use rand::RngExt;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::config;

pub(crate) use command::run;
pub(crate) use shelf::Shelf;

/// One recording, by its conference and its number there.
pub(crate) type Key = (ConferenceId, RecordingId);

/// The recordings that go on.
pub(crate) struct Recordings {
    shelf: Shelf,
    settings: config::Recordings,
    going: BTreeMap<Key, Recorder>,
    tell: mpsc::UnboundedSender<(Key, Told)>,
}

/// The end of a feed that the engine has.
struct Ear(Feed);

impl Tap for Ear {
    fn hear(&mut self, from: Option<LegId>, frame: &[i16]) {
        let origin = from.map_or(Origin::Room, |leg| Origin::Voice(leg.0));
        self.0.hear(origin, frame);
    }

    fn end_tick(&mut self, tick: u64) {
        self.0.end_tick(tick);
    }
}

impl Recordings {
    /// What becomes of the recordings comes out of the receiver.
    pub(crate) fn new(
        shelf: Shelf,
        settings: config::Recordings,
    ) -> (Self, mpsc::UnboundedReceiver<(Key, Told)>) {
        let (tell, told) = mpsc::unbounded_channel();
        let recordings = Self {
            shelf,
            settings,
            going: BTreeMap::new(),
            tell,
        };
        (recordings, told)
    }

    /// Begins one: the tap is for its room. `None` where it can't be; the reason is told.
    pub(crate) fn start(&mut self, key: Key, now: DateTime<Utc>) -> Option<Box<dyn Tap>> {
        self.going.retain(|_, recorder| !recorder.is_over());
        if self.going.len() >= self.settings.at_once {
            error!(
                at_once = self.settings.at_once,
                "a host's wish to record is refused: as many recordings go on as [recordings] at-once allows"
            );
            return None;
        }
        let mut random = rand::rng();
        let plan = Plan {
            folder: self.shelf.folder().to_owned(),
            name: shelf::name(now, random.random()),
            tracks: self.settings.tracks,
            bitrate: self.settings.bitrate,
            serial: random.random(),
            comments: vec![
                ("ENCODER".into(), "conclave".into()),
                ("DATE".into(), now.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ],
        };
        let tell = self.tell.clone();
        // Nobody listens only when the bridge is going down.
        let started = Recorder::start(plan, move |told| drop(tell.send((key, told))));
        match started {
            Ok((recorder, feed)) => {
                self.going.insert(key, recorder);
                Some(Box::new(Ear(feed)))
            }
            Err(problem) => {
                error!("a recording can't begin: {problem}");
                None
            }
        }
    }

    /// Waits until all is written, once the rooms are gone.
    pub(crate) async fn finish(self) {
        let going = self.going.into_values();
        let written = tokio::task::spawn_blocking(move || going.for_each(Recorder::wait));
        if let Err(problem) = written.await {
            error!("the last recordings may be unfinished: {problem}");
        }
    }
}

/// What of it belongs into the books.
pub(crate) fn entry(key: Key, told: &Told, now: DateTime<Utc>) -> Option<Entry> {
    let (conference, recording) = key;
    let file = |call, file: &Path| Entry::RecordingFile {
        conference,
        recording,
        call,
        file: file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        at: now,
    };
    let over = |length| Entry::RecordingOver {
        conference,
        recording,
        length,
    };
    match told {
        Told::Begun { file: mix } => Some(file(None, mix)),
        Told::Track { voice, file: track } => Some(file(Some(CallId(*voice)), track)),
        Told::Progress { .. } => None,
        Told::Over(summary) => Some(over(summary.time)),
        Told::Failed { time, .. } => Some(over(*time)),
    }
}

/// Says in the log what an operator wants to know.
pub(crate) fn log(key: Key, told: &Told) {
    let (conference, recording) = (key.0.0, key.1.0);
    let seconds = |time: Duration| time.as_secs_f64();
    match told {
        Told::Begun { file } => {
            info!(conference, recording, file = %file.display(), "recording");
        }
        Told::Track { .. } => {}
        Told::Progress { lost, .. } if lost.is_zero() => {}
        Told::Progress { lost, .. } => warn!(
            conference,
            recording,
            lost_s = seconds(*lost),
            "the disk is too slow for a recording: some of it is silence"
        ),
        Told::Over(summary) => info!(
            conference,
            recording,
            seconds = seconds(summary.time),
            bytes = summary.bytes,
            files = summary.files,
            lost_s = seconds(summary.lost),
            left_out = summary.left_out,
            "recorded"
        ),
        Told::Failed { error, time, .. } => error!(
            conference,
            recording,
            seconds = seconds(*time),
            full = error.is_full(),
            "a recording FAILED, and its hosts are told: {error}"
        ),
    }
}
