//! What happens in a conference that goes on, told as it happens: each event is what one look at it differs by from the
//! look before. So a program that reads slowly misses steps in between and never the outcome.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::shapes::{LiveCaller, LiveConference, LiveDetails, LiveFloor, LivePlace};

/// The data of a server-sent event; its name is `what`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveEvent {
    pub(crate) what: Happening,
    /// When it was noticed.
    pub(crate) at: DateTime<Utc>,
    /// As it is now; where it has ended, as it was.
    pub(crate) conference: LiveConference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<LiveFloor>,
    /// Whom it is about, as it is now; of one who left, as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<LiveCaller>,
    /// Everyone, in `snapshot` and `started`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) callers: Option<Vec<LiveCaller>>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Happening {
    /// Nothing yet: how it stands where a stream begins.
    Snapshot,
    /// A conference began.
    Started,
    /// The number of those who are in or wait changed, or its life went on; of conferences that a stream doesn't follow
    /// caller by caller.
    Changed,
    Locked,
    Unlocked,
    /// Who may speak.
    Floor,
    /// Its life went on: a Host came, the last one left, it is ending.
    Stage,
    Ended,
    /// A caller waits.
    Arrived,
    /// A caller is in the room.
    Joined,
    /// A caller who was in waits for a Host.
    Held,
    /// A caller is gone.
    Left,
    Named,
    Muted,
    Unmuted,
    /// Music or noise on a line.
    Noisy,
    NoiseOver,
    HandRaised,
    HandLowered,
    OnHold,
    OffHold,
    Speaking,
    Silent,
    /// How its packets come in.
    Quality,
}

impl Happening {
    /// The name of the event.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Started => "started",
            Self::Changed => "changed",
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
            Self::Floor => "floor",
            Self::Stage => "stage",
            Self::Ended => "ended",
            Self::Arrived => "arrived",
            Self::Joined => "joined",
            Self::Held => "held",
            Self::Left => "left",
            Self::Named => "named",
            Self::Muted => "muted",
            Self::Unmuted => "unmuted",
            Self::Noisy => "noisy",
            Self::NoiseOver => "noise-over",
            Self::HandRaised => "hand-raised",
            Self::HandLowered => "hand-lowered",
            Self::OnHold => "on-hold",
            Self::OffHold => "off-hold",
            Self::Speaking => "speaking",
            Self::Silent => "silent",
            Self::Quality => "quality",
        }
    }
}

impl LiveEvent {
    /// How it stands.
    pub(super) fn whole(what: Happening, now: &LiveDetails, at: DateTime<Utc>) -> Self {
        Self {
            what,
            at,
            conference: now.conference.clone(),
            floor: Some(now.floor),
            caller: None,
            callers: Some(now.callers.clone()),
        }
    }

    /// Of a conference that isn't followed caller by caller.
    pub(super) fn from_afar(what: Happening, now: &LiveConference, at: DateTime<Utc>) -> Self {
        Self {
            what,
            at,
            conference: now.clone(),
            floor: None,
            caller: None,
            callers: None,
        }
    }

    /// That it is over.
    pub(super) fn ended(last: &LiveDetails, at: DateTime<Utc>) -> Self {
        Self::from_afar(Happening::Ended, &last.conference, at)
    }
}

/// What happened in between, the conference's own matters first, then caller by caller.
pub(super) fn between(
    before: &LiveDetails,
    now: &LiveDetails,
    at: DateTime<Utc>,
) -> Vec<LiveEvent> {
    let tell = |what, caller: Option<&LiveCaller>| LiveEvent {
        caller: caller.cloned(),
        callers: None,
        ..LiveEvent::whole(what, now, at)
    };
    let mut events = Vec::new();
    let (was, is) = (&before.conference, &now.conference);
    if was.stage != is.stage {
        events.push(tell(Happening::Stage, None));
    }
    match (was.locked, is.locked) {
        (false, true) => events.push(tell(Happening::Locked, None)),
        (true, false) => events.push(tell(Happening::Unlocked, None)),
        _ => {}
    }
    if before.floor != now.floor {
        events.push(tell(Happening::Floor, None));
    }
    let known: BTreeMap<u64, &LiveCaller> = by_call(before);
    for caller in &now.callers {
        let happened = match known.get(&caller.call) {
            Some(before) => of_caller(before, caller),
            None => vec![arrival(caller)],
        };
        events.extend(happened.into_iter().map(|what| tell(what, Some(caller))));
    }
    let here = by_call(now);
    let gone = before
        .callers
        .iter()
        .filter(|caller| !here.contains_key(&caller.call));
    events.extend(gone.map(|caller| tell(Happening::Left, Some(caller))));
    events
}

fn by_call(details: &LiveDetails) -> BTreeMap<u64, &LiveCaller> {
    let callers = details.callers.iter();
    callers.map(|caller| (caller.call, caller)).collect()
}

fn arrival(caller: &LiveCaller) -> Happening {
    match caller.place {
        LivePlace::Room => Happening::Joined,
        _ => Happening::Arrived,
    }
}

fn of_caller(before: &LiveCaller, now: &LiveCaller) -> Vec<Happening> {
    let mut happened = Vec::new();
    if before.place != now.place {
        happened.push(match now.place {
            LivePlace::Room => Happening::Joined,
            LivePlace::Held => Happening::Held,
            LivePlace::AwaitsHost | LivePlace::AwaitsConsent | LivePlace::HearsNotice => {
                Happening::Arrived
            }
        });
    }
    if before.name != now.name {
        happened.push(Happening::Named);
    }
    // By another: a caller who is muted by oneself and then by a Host is told of, too.
    if before.muted != now.muted {
        happened.push(match now.muted {
            Some(_) => Happening::Muted,
            None => Happening::Unmuted,
        });
    }
    for (was, is, begins, ends) in [
        (
            before.noisy,
            now.noisy,
            Happening::Noisy,
            Happening::NoiseOver,
        ),
        (
            before.hand,
            now.hand,
            Happening::HandRaised,
            Happening::HandLowered,
        ),
        (
            before.on_hold,
            now.on_hold,
            Happening::OnHold,
            Happening::OffHold,
        ),
        (
            before.speaking,
            now.speaking,
            Happening::Speaking,
            Happening::Silent,
        ),
    ] {
        match (was, is) {
            (false, true) => happened.push(begins),
            (true, false) => happened.push(ends),
            _ => {}
        }
    }
    let quality = |caller: &LiveCaller| caller.reception.map(|reception| reception.quality);
    if quality(before) != quality(now) {
        happened.push(Happening::Quality);
    }
    happened
}

#[cfg(test)]
mod tests {
    use super::super::shapes::{LiveMute, LiveQuality, LiveReception, LiveStage};
    use super::*;
    use crate::api::shapes::PinRole;

    fn caller(call: u64) -> LiveCaller {
        LiveCaller {
            call,
            role: PinRole::Guest,
            name: None,
            number: None,
            arrived: DateTime::UNIX_EPOCH,
            place: LivePlace::Room,
            muted: None,
            on_hold: false,
            noisy: false,
            hand: false,
            can_let_speak: false,
            speaking: false,
            reception: None,
        }
    }

    fn with(callers: &[LiveCaller]) -> LiveDetails {
        LiveDetails {
            conference: LiveConference {
                id: 1,
                account: 1,
                owner: "Ada".to_owned(),
                booking: None,
                title: "Conference of Ada".to_owned(),
                started: DateTime::UNIX_EPOCH,
                stage: LiveStage::Open,
                hosts: 1,
                guests: 1,
                waiting: 0,
                asking: 0,
                locked: false,
            },
            floor: LiveFloor::Open,
            can_lock: true,
            can_take_back: false,
            turned_away: 0,
            callers: callers.to_vec(),
        }
    }

    fn told(before: &LiveDetails, now: &LiveDetails) -> Vec<(&'static str, Option<u64>)> {
        let events = between(before, now, DateTime::UNIX_EPOCH);
        let short = |event: LiveEvent| (event.what.word(), event.caller.map(|caller| caller.call));
        events.into_iter().map(short).collect()
    }

    #[test]
    fn callers_come_change_and_go() {
        let check = |before: LiveCaller, now: LiveCaller, expected: &[&str]| {
            let told = told(&with(&[before]), &with(&[now]));
            let words: Vec<_> = told.iter().map(|(word, _)| *word).collect();
            assert_eq!(words, expected);
            assert!(told.iter().all(|(_, call)| *call == Some(7)), "{told:?}");
        };
        let calm = caller(7);
        let waits = LiveCaller {
            place: LivePlace::AwaitsConsent,
            ..calm.clone()
        };
        let muted = |why| LiveCaller {
            muted: Some(why),
            ..calm.clone()
        };
        let received = |quality, lost| LiveCaller {
            reception: Some(LiveReception {
                lost,
                jitter_ms: 1,
                quality,
            }),
            ..calm.clone()
        };
        check(calm.clone(), calm.clone(), &[]);
        check(waits.clone(), calm.clone(), &["joined"]);
        check(calm.clone(), waits, &["arrived"]);
        check(
            calm.clone(),
            LiveCaller {
                place: LivePlace::Held,
                ..calm.clone()
            },
            &["held"],
        );
        check(calm.clone(), muted(LiveMute::ByOneself), &["muted"]);
        check(
            muted(LiveMute::ByOneself),
            muted(LiveMute::ByHost),
            &["muted"],
        );
        check(muted(LiveMute::Quieted), calm.clone(), &["unmuted"]);
        let busy = LiveCaller {
            name: Some("Grace".to_owned()),
            on_hold: true,
            noisy: true,
            hand: true,
            speaking: true,
            ..calm.clone()
        };
        let words = ["named", "noisy", "hand-raised", "on-hold", "speaking"];
        check(calm.clone(), busy.clone(), &words);
        let words = ["named", "noise-over", "hand-lowered", "off-hold", "silent"];
        check(busy, calm.clone(), &words);
        check(calm.clone(), received(LiveQuality::Good, 0), &["quality"]);
        // Figures change all the time: a word is worth telling.
        check(
            received(LiveQuality::Good, 0),
            received(LiveQuality::Good, 1),
            &[],
        );

        let none = with(&[]);
        assert_eq!(
            told(&none, &with(std::slice::from_ref(&calm))),
            [("joined", Some(7))]
        );
        assert_eq!(
            told(&with(std::slice::from_ref(&calm)), &none),
            [("left", Some(7))]
        );
        // A call that takes another's place is another.
        let other = with(&[caller(8)]);
        assert_eq!(
            told(&with(&[calm]), &other),
            [("joined", Some(8)), ("left", Some(7))]
        );
    }

    #[test]
    fn a_conference_is_locked_lectured_and_ends() {
        let open = with(&[]);
        let mut locked = open.clone();
        locked.conference.locked = true;
        locked.conference.stage = LiveStage::Ending;
        locked.floor = LiveFloor::StrictLecture;
        let words = [("stage", None), ("locked", None), ("floor", None)];
        assert_eq!(told(&open, &locked), words);
        let words = [("stage", None), ("unlocked", None), ("floor", None)];
        assert_eq!(told(&locked, &open), words);
    }

    #[test]
    fn an_events_name_is_what_its_data_says() {
        for (what, word) in [
            (Happening::Snapshot, "snapshot"),
            (Happening::NoiseOver, "noise-over"),
            (Happening::HandRaised, "hand-raised"),
            (Happening::OffHold, "off-hold"),
        ] {
            assert_eq!(what.word(), word);
            assert_eq!(serde_json::to_value(what).unwrap(), word);
        }
    }
}
