//! A conference that goes on, as it goes over the wire.

use chrono::{DateTime, Utc};
use conclave_conference as conference;
use conclave_conference::{CallId, Command, Place, WaitFor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::shapes::PinRole;
use crate::live;
use crate::live::{Deed, Snapshot, Summary};
use crate::look::masked;
use crate::pages::live::{About, quality};

/// A conference that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveConference {
    /// Its number in this run of the bridge: another than that of its record.
    pub(crate) id: u64,
    pub(crate) account: u64,
    pub(crate) owner: String,
    pub(crate) booking: Option<u64>,
    pub(crate) title: String,
    /// With the number it says which conference an order is meant for.
    pub(crate) started: DateTime<Utc>,
    pub(crate) stage: LiveStage,
    /// Hosts in the room.
    pub(crate) hosts: u64,
    /// Guests in the room.
    pub(crate) guests: u64,
    /// Callers who wait, for whatever.
    pub(crate) waiting: u64,
    /// Of those, callers whom somebody must let in.
    pub(crate) asking: u64,
    pub(crate) locked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LiveStage {
    /// No Host has been in: Guests wait.
    AwaitingHost,
    Open,
    /// The last Host left; the others are held until one returns.
    HostAway,
    /// Its end is being announced.
    Ending,
}

/// A conference that goes on, with everyone who is in or waits.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveDetails {
    pub(crate) conference: LiveConference,
    pub(crate) floor: LiveFloor,
    /// Whether the account has the lock.
    pub(crate) can_lock: bool,
    /// Whether an end that is being announced can be taken back.
    pub(crate) can_take_back: bool,
    /// How many callers the lock has turned away since it was locked last.
    pub(crate) turned_away: u32,
    /// In order of arrival.
    pub(crate) callers: Vec<LiveCaller>,
}

/// Who may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LiveFloor {
    Open,
    /// Guests are muted and may unmute themselves.
    Lecture,
    /// Guests are muted.
    StrictLecture,
}

/// A call in a conference that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveCaller {
    /// Its number in this run of the bridge.
    pub(crate) call: u64,
    pub(crate) role: PinRole,
    pub(crate) name: Option<String>,
    /// Masked, unless an administrator or an auditor asks; absent where it was withheld.
    pub(crate) number: Option<String>,
    pub(crate) arrived: DateTime<Utc>,
    pub(crate) place: LivePlace,
    /// Why the others don't hear it, if a mute is why.
    pub(crate) muted: Option<LiveMute>,
    /// Its line is on hold.
    pub(crate) on_hold: bool,
    /// Its line plays music or noise.
    pub(crate) noisy: bool,
    /// The hand is up.
    pub(crate) hand: bool,
    /// `let-speak` would let it speak.
    pub(crate) can_let_speak: bool,
    pub(crate) speaking: bool,
    /// How its packets come in, once that is known.
    pub(crate) reception: Option<LiveReception>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LivePlace {
    Room,
    AwaitsHost,
    AwaitsConsent,
    /// They are told that the conference is recorded, and let in then.
    HearsNotice,
    /// Until a Host is back.
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LiveMute {
    /// For its music or noise.
    Quieted,
    ByHost,
    ByLecture,
    ByOneself,
}

/// How a call's packets have come in lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveReception {
    /// Lost ones, in percent.
    pub(crate) lost: u8,
    pub(crate) jitter_ms: u16,
    pub(crate) quality: LiveQuality,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LiveQuality {
    Good,
    Fair,
    Poor,
}

/// Something that shall be done in a conference that goes on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveOrder {
    /// The conference's, as it was read: an order for an earlier one of that number does nothing.
    pub(crate) started: DateTime<Utc>,
    pub(crate) what: LiveDeed,
    /// Whom, where it is about one caller; else absent.
    pub(crate) call: Option<u64>,
    /// For `name` alone: 1 to 100 printable characters, a letter among them.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LiveDeed {
    Lock,
    Unlock,
    /// Everyone may speak.
    Open,
    Lecture,
    StrictLecture,
    /// Quiets the line that plays music or noise, or the loudest Guest; again, restores it.
    QuietNoise,
    /// Lets the next raised hand speak.
    NextHand,
    RollCall,
    End,
    /// Takes an end back while it is being announced.
    TakeBack,
    /// Of one caller, as all that follow.
    Mute,
    Unmute,
    /// For its music or noise: the caller can't undo it, and is told why.
    Quiet,
    Restore,
    LetSpeak,
    LetIn,
    SendAway,
    Disconnect,
    Name,
}

/// The field that an order of its kind needs, or has nothing to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Lacks(&'static str),
    Has(&'static str),
}

impl LiveOrder {
    pub(super) fn deed(mut self) -> Result<Deed, Unfit> {
        let deed = self.take_deed()?;
        // Whoever names a caller may mean another order, and ending a conference can't be taken back for long.
        match self {
            Self { call: Some(_), .. } => Err(Unfit::Has("call")),
            Self { name: Some(_), .. } => Err(Unfit::Has("name")),
            _ => Ok(deed),
        }
    }

    /// What is to be done; the fields that it needs are taken.
    fn take_deed(&mut self) -> Result<Deed, Unfit> {
        let floor = |floor| Command::SetFloor { floor };
        let mut call = || self.call.take().map(CallId).ok_or(Unfit::Lacks("call"));
        Ok(Deed::Command(match self.what {
            LiveDeed::Lock => Command::SetLock { locked: true },
            LiveDeed::Unlock => Command::SetLock { locked: false },
            LiveDeed::Open => floor(conference::Floor::Open),
            LiveDeed::Lecture => floor(conference::Floor::Lecture),
            LiveDeed::StrictLecture => floor(conference::Floor::StrictLecture),
            LiveDeed::QuietNoise => Command::Quiet,
            LiveDeed::NextHand => Command::Hand,
            LiveDeed::RollCall => Command::RollCall,
            LiveDeed::End => Command::EndForAll,
            LiveDeed::TakeBack => Command::Star,
            LiveDeed::Mute => Command::MuteCall {
                call: call()?,
                muted: true,
            },
            LiveDeed::Unmute => Command::MuteCall {
                call: call()?,
                muted: false,
            },
            LiveDeed::Quiet => Command::QuietCall {
                call: call()?,
                quieted: true,
            },
            LiveDeed::Restore => Command::QuietCall {
                call: call()?,
                quieted: false,
            },
            LiveDeed::LetSpeak => Command::LetSpeak { call: call()? },
            LiveDeed::LetIn => Command::Admit {
                call: call()?,
                welcome: true,
            },
            LiveDeed::SendAway => Command::Admit {
                call: call()?,
                welcome: false,
            },
            LiveDeed::Disconnect => Command::Remove { call: call()? },
            LiveDeed::Name => {
                let call = call()?;
                let name = self.name.take().ok_or(Unfit::Lacks("name"))?;
                return Ok(Deed::Name { call, name });
            }
        }))
    }
}

impl LiveConference {
    pub(super) fn of(summary: &Summary, about: &About) -> Self {
        Self {
            id: summary.id.0.into(),
            account: summary.account.0,
            owner: about.owner.clone(),
            booking: summary.booking.map(|booking| booking.0),
            title: about.title.clone(),
            started: summary.started,
            stage: match summary.stage {
                live::Stage::AwaitingHost => LiveStage::AwaitingHost,
                live::Stage::Open => LiveStage::Open,
                live::Stage::HostAway => LiveStage::HostAway,
                live::Stage::Ending { .. } => LiveStage::Ending,
            },
            hosts: summary.hosts as u64,
            guests: summary.guests as u64,
            waiting: summary.waiting as u64,
            asking: summary.asking as u64,
            locked: summary.locked,
        }
    }
}

impl LiveDetails {
    /// `full`: with whole numbers of callers.
    pub(super) fn of(snapshot: &Snapshot, about: &About, full: bool) -> Self {
        let take_back = live::Stage::Ending {
            can_take_back: true,
        };
        let callers = snapshot.callers.iter();
        Self {
            conference: LiveConference::of(&snapshot.summary, about),
            floor: match snapshot.floor {
                conference::Floor::Open => LiveFloor::Open,
                conference::Floor::Lecture => LiveFloor::Lecture,
                conference::Floor::StrictLecture => LiveFloor::StrictLecture,
            },
            can_lock: snapshot.can_lock,
            can_take_back: snapshot.summary.stage == take_back,
            turned_away: snapshot.turned_away,
            callers: callers.map(|caller| LiveCaller::of(caller, full)).collect(),
        }
    }
}

impl LiveCaller {
    fn of(caller: &live::Caller, full: bool) -> Self {
        let number = caller.number.as_deref();
        Self {
            call: caller.call.0,
            role: caller.role.into(),
            name: caller.name.clone(),
            number: number.map(|number| {
                if full {
                    number.to_owned()
                } else {
                    masked(number)
                }
            }),
            arrived: caller.arrived,
            place: match caller.place {
                Place::Room => LivePlace::Room,
                Place::Waiting {
                    what: WaitFor::Host,
                    ..
                } => LivePlace::AwaitsHost,
                Place::Waiting {
                    what: WaitFor::Consent,
                    ..
                } => LivePlace::AwaitsConsent,
                Place::Waiting {
                    what: WaitFor::Notice,
                    ..
                } => LivePlace::HearsNotice,
                Place::Held { .. } => LivePlace::Held,
            },
            muted: caller.muted.map(|muted| match muted {
                conference::Muted::Quieted => LiveMute::Quieted,
                conference::Muted::ByHost => LiveMute::ByHost,
                conference::Muted::ByLecture => LiveMute::ByLecture,
                conference::Muted::ByOneself => LiveMute::ByOneself,
            }),
            on_hold: caller.on_hold,
            noisy: caller.noisy,
            hand: caller.hand,
            can_let_speak: caller.can_let_speak,
            speaking: caller.speaking,
            reception: caller.reception.map(|reception| LiveReception {
                lost: reception.lost,
                jitter_ms: reception.jitter_ms,
                quality: match quality(reception).0 {
                    "good" => LiveQuality::Good,
                    "fair" => LiveQuality::Fair,
                    _ => LiveQuality::Poor,
                },
            }),
        }
    }
}
