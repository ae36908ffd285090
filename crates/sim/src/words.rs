//! Says in words what a bridge orders, as the transcripts do.

use std::collections::BTreeMap;

use conclave_attendant::{Action, Audience, Report, Route, Timer};
use conclave_conference::{Actor, Clip, Fact, PlayId, Record, WaitFor};

/// What was played under which name, to be told when it is stopped.
pub(crate) type Plays = BTreeMap<PlayId, String>;

/// An order in words; entries in the books begin with "in the books: ".
pub(crate) fn action(action: &Action, plays: &mut Plays) -> String {
    match action {
        Action::CheckPin {
            call, pin, bound, ..
        } => {
            let bound = bound.map_or(String::new(), |account| format!(", bound to {account}"));
            format!("{call}: a PIN of {} digits is looked up{bound}", pin.len())
        }
        Action::Route { call, route } => match route {
            Route::Silence => format!("{call}: silence"),
            Route::HoldMusic => format!("{call}: hold music"),
            Route::Room { conference, heard } => {
                let heard = if *heard { "" } else { ", not heard" };
                format!("{call}: in room {}{heard}", conference.0)
            }
        },
        Action::Tune { conference, sound } => {
            let suppressed = if sound.noise_suppression {
                ", noise turned down"
            } else {
                ""
            };
            let levelled = if sound.levelling {
                ", voices levelled"
            } else {
                ""
            };
            let most = sound.most_talkers;
            let most = most.map_or(String::new(), |most| format!(", {most} talkers at most"));
            format!("room {}{suppressed}{levelled}{most}", conference.0)
        }
        Action::Play { play, to, clips } => {
            let to = match to {
                Audience::Call(call) => format!("{call} hears"),
                Audience::Room { conference, except } => {
                    let but = except.map_or(String::new(), |call| format!(" but {call}"));
                    format!("room {}{but} hears", conference.0)
                }
            };
            let sound = sound(clips);
            let words = format!("{to} {sound}");
            plays.insert(*play, sound);
            words
        }
        Action::Stop { play } => {
            let sound = plays.get(play).map_or("what has ended", String::as_str);
            format!("stopped: {sound}")
        }
        Action::RecordName { call, name } => format!("{call}: name {} is recorded", name.0),
        Action::FinishName { call } => format!("{call}: the recording is ended"),
        Action::ForgetName { name } => format!("wiped: name {}", name.0),
        Action::StartRecording {
            conference,
            recording,
        } => format!(
            "room {}: recording {} is to begin",
            conference.0, recording.0
        ),
        Action::StopRecording {
            conference,
            recording,
        } => format!("room {}: recording {} is to end", conference.0, recording.0),
        Action::Probe { call } => format!("{call}: is asked whether it is there"),
        Action::HangUp { call, reason } => format!("{call}: is hung up ({})", reason.as_str()),
        Action::Report(report) => format!("in the books: {}", books(report)),
    }
}

/// A timer in words.
pub(crate) fn timer(timer: Timer) -> String {
    match timer {
        Timer::Prompt => "the end of a prompt was lost".to_owned(),
        Timer::FirstDigit => "no digit has come".to_owned(),
        Timer::NextDigit => "no further digit has come".to_owned(),
        Timer::Verdict => "the verdict was lost".to_owned(),
        Timer::Answer => "the answer is due".to_owned(),
        Timer::Recording => "the recording was lost".to_owned(),
        Timer::Keys => "no second key has come".to_owned(),
        Timer::Probe => "there is no answer".to_owned(),
        Timer::Conference(timer) => conference_timer(timer),
        other => format!("{other:?}"),
    }
}

fn conference_timer(timer: conclave_conference::Timer) -> String {
    use conclave_conference::Timer;
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
        Timer::PlayEnd(_) => "the end of a prompt was lost".to_owned(),
    }
}

/// Clips as one reads them: `2 people-in-conference`, `"name 1" has-joined`.
fn sound(clips: &[Clip]) -> String {
    let clips: Vec<String> = clips
        .iter()
        .map(|clip| match clip {
            Clip::Prompt(prompt) => prompt.to_string(),
            Clip::Name(name) => format!("\"name {}\"", name.0),
        })
        .collect();
    clips.join(" ")
}

fn books(report: &Report) -> String {
    match report {
        Report::CallAnswered { call, source, .. } => {
            let number = source.number.as_deref().unwrap_or("a withheld number");
            format!("{call} was answered, from {number}")
        }
        Report::WrongPin {
            call,
            mistyped: true,
            ..
        } => format!("{call} mistyped a PIN"),
        Report::WrongPin { call, .. } => format!("{call} tried a PIN that is not valid"),
        Report::Conference(record) => {
            format!("conference {} {}", record.conference.0, fact(record))
        }
        Report::CallEnded { call, reason, .. } => format!("{call} ended ({})", reason.as_str()),
        other => format!("{other:?}"),
    }
}

fn fact(record: &Record) -> String {
    match &record.fact {
        Fact::Started { key, .. } => format!("started, of {key}"),
        Fact::Arrived {
            call,
            role,
            waits_for,
            ..
        } => {
            let waits = match waits_for {
                None => "",
                Some(WaitFor::Host) => ", waits for a host",
                Some(WaitFor::Consent) => ", waits for consent",
                Some(WaitFor::Notice) => ", hears the notice",
            };
            format!("has {call} as {role}{waits}")
        }
        Fact::Admitted { call } => format!("lets {call} in"),
        Fact::Held { call } => format!("holds {call}"),
        Fact::AnotherHost { call } => format!("has another host, {call}"),
        Fact::Refused { call, why } => format!("refuses {call}: {why}"),
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
            format!("is told by {by}: {}{refused}", command.as_str())
        }
        Fact::RecordingStarted { recording } => format!("is recorded ({})", recording.0),
        Fact::RecordingStopped { recording, why } => {
            format!("is no longer recorded ({}, {})", recording.0, why.as_str())
        }
        Fact::Named { call, name, .. } => format!("is told that {call} is {name}"),
        Fact::Departed { call, reason } => format!("is left by {call} ({})", reason.as_str()),
        Fact::Ended { reason } => format!("ended ({})", reason.as_str()),
        other => format!("{other:?}"),
    }
}
