//! Says in words what comes out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use conclave_conference::{
    Action, Actor, Audience, Clip, Fact, PlayId, Prompt, Record, Route, Timer, WaitFor,
};

use crate::support::START;

pub(crate) fn action(action: &Action, plays: &BTreeMap<PlayId, String>) -> String {
    match action {
        Action::Route { call, route } => match route {
            Route::Silence => format!("{call}: silence"),
            Route::HoldMusic => format!("{call}: hold music"),
            Route::Room { heard: true } => format!("{call}: in the room"),
            Route::Room { heard: false } => format!("{call}: in the room, not heard"),
        },
        Action::Play { to, clips, .. } => {
            let to = match to {
                Audience::Call(call) => format!("{call} hears"),
                Audience::Room { except: None } => "the room hears".to_owned(),
                Audience::Room { except: Some(call) } => format!("the room but {call} hears"),
            };
            format!("{to} {}", sound(clips))
        }
        Action::Stop { play } => format!("stopped: {}", plays[play]),
        Action::Release {
            call,
            farewell,
            reason,
        } => {
            let farewell = farewell.map_or(String::new(), |prompt| format!(" hears {prompt},"));
            format!("{call}:{farewell} is disconnected ({})", reason.as_str())
        }
        Action::ForgetName { name } => format!("wiped: the name of call {}", name.0),
        Action::StartRecording { recording } => format!("recording {} is to begin", recording.0),
        Action::StopRecording { recording } => format!("recording {} is to end", recording.0),
        Action::Record(record) => format!("in the books: {}", books(record)),
    }
}

/// Clips as one reads them: `2 people-in-conference`, `"call 1" has-joined`.
pub(crate) fn sound(clips: &[Clip]) -> String {
    let clips: Vec<String> = clips
        .iter()
        .map(|clip| match clip {
            Clip::Prompt(prompt) => prompt.to_string(),
            Clip::Name(name) => format!("\"call {}\"", name.0),
        })
        .collect();
    clips.join(" ")
}

pub(crate) fn timer(timer: Timer, plays: &BTreeMap<PlayId, String>) -> String {
    match timer {
        Timer::BookingEnds => "the booking's time is over".to_owned(),
        Timer::FiveMinutesLeft => "five minutes are left".to_owned(),
        Timer::OneMinuteLeft => "one minute is left".to_owned(),
        Timer::Grace => "the grace is over".to_owned(),
        Timer::LongestWait(call) => format!("{call} has waited long enough"),
        Timer::AloneWarning(call) => format!("{call} has been alone for long"),
        Timer::AloneEnds(call) => format!("{call} has been alone for too long"),
        Timer::EntryList => "the list of those who came is full".to_owned(),
        Timer::ExitList => "the list of those who left is full".to_owned(),
        Timer::ConsentAnswer(call) => format!("{call} has given no answer"),
        Timer::RecordingAnswer => "the recorder has given no answer".to_owned(),
        Timer::RecordingTone => "the tone of the recording is due".to_owned(),
        Timer::PlayEnd(play) => format!("taken for over: {}", plays[&play]),
    }
}

pub(crate) fn time(at: DateTime<Utc>) -> String {
    let seconds = (at - START).num_seconds();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn books(record: &Record) -> String {
    match &record.fact {
        Fact::Started { key, account } => format!("started, {key} of {account}"),
        Fact::Arrived {
            call,
            role,
            holder,
            waits_for,
            ..
        } => {
            let holder = holder
                .as_deref()
                .map_or(String::new(), |h| format!(" ({h})"));
            let waits = match waits_for {
                None => "",
                Some(WaitFor::Host) => ", waits for a host",
                Some(WaitFor::Consent) => ", waits for consent",
                Some(WaitFor::Notice) => ", hears the notice",
            };
            format!("{call} arrived as {role}{holder}{waits}")
        }
        Fact::Admitted { call } => format!("{call} is in"),
        Fact::Held { call } => format!("{call} is held"),
        Fact::AnotherHost { call } => format!("{call} is another host"),
        Fact::Refused { call, why } => format!("{call} was refused: {why}"),
        Fact::Command {
            by,
            command,
            refused,
        } => {
            let by = match by {
                Actor::Caller(call) => call.to_string(),
                Actor::Operator(_) => "the operator".to_owned(),
            };
            let refused = refused.map_or(String::new(), |why| format!(", refused: {why}"));
            format!("{by} commanded {}{refused}", command.as_str())
        }
        Fact::RecordingStarted { recording } => format!("recording {} began", recording.0),
        Fact::RecordingStopped { recording, why } => {
            format!("recording {} ended ({})", recording.0, why.as_str())
        }
        Fact::Named { call, name, .. } => format!("{call} is {name}"),
        Fact::Departed { call, reason } => format!("{call} left ({})", reason.as_str()),
        Fact::Ended { reason } => format!("ended ({})", reason.as_str()),
        other => format!("{other:?}"),
    }
}

/// How long the clips are: a tone one second, anything else two for each.
pub(crate) fn seconds(clips: &[Clip]) -> i64 {
    match clips {
        [
            Clip::Prompt(
                Prompt::EntryTone | Prompt::ExitTone | Prompt::RefusedTone | Prompt::RecordingTone,
            ),
        ] => 1,
        clips => 2 * i64::try_from(clips.len()).expect("few clips"),
    }
}
