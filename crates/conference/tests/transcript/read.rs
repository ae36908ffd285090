//! Reads the settings and the inputs of a transcript.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{Announce, CallId, HostLeaves, Role, Terms};
use conclave_conference::{Command, Floor, LeaveReason};

use crate::support::START;

/// What the lines that begin with `=` say.
pub(crate) struct Settings {
    pub(crate) terms: Terms,
    pub(crate) ends: Option<DateTime<Utc>>,
    /// Whether the entries in the books are shown.
    pub(crate) books: bool,
}

/// One line of input, without its time.
pub(crate) enum Input {
    Arrive {
        calls: Vec<CallId>,
        role: Role,
        named: bool,
        by_consent: bool,
        number: Option<String>,
    },
    Knock {
        call: CallId,
        role: Role,
    },
    Leave {
        call: CallId,
        reason: LeaveReason,
    },
    Press {
        call: CallId,
        command: Command,
    },
    Operator(Command),
    Rename {
        call: CallId,
        name: String,
    },
    PeerHold {
        call: CallId,
        held: bool,
    },
    Level {
        call: CallId,
        dbfs: i8,
    },
    Noisy {
        call: CallId,
        noisy: bool,
    },
    TimePasses,
    /// The recorder answers, or gives up.
    Recorder(bool),
    /// The media plane goes on playing and tells nothing any more.
    Silence,
    /// The doors know it already; the conference is told, or hears of it by the next ticket.
    Moved {
        ends: Option<DateTime<Utc>>,
        told: bool,
    },
    ShutDown,
}

pub(crate) fn settings(transcript: &str) -> Result<Settings, String> {
    let mut settings = Settings {
        terms: Terms::default(),
        ends: None,
        books: false,
    };
    for line in transcript.lines().filter_map(|line| line.strip_prefix('=')) {
        let (key, value) = line
            .split_once(':')
            .ok_or_else(|| format!("no setting: {line}"))?;
        let value = value.trim();
        let terms = &mut settings.terms;
        match key.trim() {
            "entry" => terms.entry = announce(value)?,
            "exit" => terms.exit = announce(value)?,
            "when the last host leaves" => terms.host_leaves = host_leaves(value)?,
            "guests are let in one by one" => terms.consent = yes(value)?,
            "lock" => terms.lock = yes(value)?,
            "recording" => terms.recording = yes(value)?,
            "recording tone" => terms.recording_tone = span(value)?,
            "noisy lines are quieted" => terms.quieting = yes(value)?,
            "places" => terms.max_participants = number(value)?,
            "longest wait" => terms.longest_wait = span(value)?,
            "longest time alone" => terms.alone = span(value)?,
            "the booking ends at" => settings.ends = Some(time(value)?),
            "books" => settings.books = yes(value)?,
            other => return Err(format!("no setting: {other}")),
        }
    }
    settings
        .terms
        .validate()
        .map_err(|error| error.to_string())?;
    Ok(settings)
}

/// A line such as `0:05 call 2 arrives as guest`.
pub(crate) fn input(line: &str) -> Result<(DateTime<Utc>, Input), String> {
    let (at, words) = line.split_once(' ').ok_or("a time and what happens")?;
    Ok((time(at)?, what(words)?))
}

fn what(line: &str) -> Result<Input, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["time", "passes"] => Input::TimePasses,
        ["the", "media", "plane", "falls", "silent"] => Input::Silence,
        ["the", "recorder", "begins"] => Input::Recorder(true),
        ["the", "recorder", "fails"] => Input::Recorder(false),
        ["the", "bridge", "shuts", "down"] => Input::ShutDown,
        ["the", "booking", "is", "moved", "to", "end", "at", ends] => Input::Moved {
            ends: Some(time(ends)?),
            told: true,
        },
        ["the", "booking", "loses", "its", "end"] => Input::Moved {
            ends: None,
            told: true,
        },
        ["new", "tickets", "say", "that", "it", "ends", "at", ends] => Input::Moved {
            ends: Some(time(ends)?),
            told: false,
        },
        ["calls", first, "to", last, "arrive", "as", role, rest @ ..] => {
            let calls = number::<u64>(first)?..=number(last)?;
            arrive(calls.map(CallId).collect(), role, rest)?
        }
        ["call", call, "arrives", "as", role, rest @ ..] => {
            arrive(vec![CallId(number(call)?)], role, rest)?
        }
        ["operator", "names", "call", call, name @ ..] => Input::Rename {
            call: CallId(number(call)?),
            name: name.join(" "),
        },
        ["operator", words @ ..] => Input::Operator(operator(words)?),
        ["call", call, words @ ..] => of_call(CallId(number(call)?), words)?,
        _ => return Err(format!("not understood: {line}")),
    })
}

fn arrive(calls: Vec<CallId>, as_what: &str, rest: &[&str]) -> Result<Input, String> {
    let (named, by_consent, number) = match rest {
        [] => (false, false, None),
        ["with", "a", "name"] => (true, false, None),
        ["by", "consent"] => (false, true, None),
        ["by", "consent", "with", "a", "name"] => (true, true, None),
        ["from", number] => (false, false, Some((*number).to_owned())),
        other => return Err(format!("not understood: {other:?}")),
    };
    Ok(Input::Arrive {
        calls,
        role: role(as_what)?,
        named,
        by_consent,
        number,
    })
}

fn of_call(call: CallId, words: &[&str]) -> Result<Input, String> {
    let command = |command| Input::Press { call, command };
    Ok(match words {
        ["knocks", "as", as_what] => Input::Knock {
            call,
            role: role(as_what)?,
        },
        ["hangs", "up"] => Input::Leave {
            call,
            reason: LeaveReason::HungUp,
        },
        ["is", "lost"] => Input::Leave {
            call,
            reason: LeaveReason::Lost,
        },
        ["enters", "another", "PIN"] => Input::Leave {
            call,
            reason: LeaveReason::AnotherPin,
        },
        ["presses", keys] => command(match *keys {
            "*6" => Command::Mute,
            "*7" => Command::Lock,
            "*8" => Command::RollCall,
            "##" => Command::EndForAll,
            "*5" => Command::Lecture,
            "*4" => Command::Consent,
            "*3" => Command::Quiet,
            "*2" => Command::Recording,
            "*9" => Command::Hand,
            "**" => Command::Help,
            "*" => Command::Star,
            other => return Err(format!("no keys: {other}")),
        }),
        ["puts", "its", "line", "on", "hold"] => Input::PeerHold { call, held: true },
        ["takes", "its", "line", "back"] => Input::PeerHold { call, held: false },
        ["talks", "at", level, "dB"] => Input::Level {
            call,
            dbfs: number(level)?,
        },
        ["plays", "music"] => Input::Noisy { call, noisy: true },
        ["plays", "no", "music"] => Input::Noisy { call, noisy: false },
        _ => return Err(format!("not understood: {words:?}")),
    })
}

fn operator(words: &[&str]) -> Result<Command, String> {
    let call = |call: &str| number(call).map(CallId);
    let floor = |floor| Command::SetFloor { floor };
    Ok(match words {
        ["mutes", "call", n] => Command::MuteCall {
            call: call(n)?,
            muted: true,
        },
        ["unmutes", "call", n] => Command::MuteCall {
            call: call(n)?,
            muted: false,
        },
        ["removes", "call", n] => Command::Remove { call: call(n)? },
        ["lets", "in", "call", n] => Command::Admit {
            call: call(n)?,
            welcome: true,
        },
        ["sends", "away", "call", n] => Command::Admit {
            call: call(n)?,
            welcome: false,
        },
        ["locks"] => Command::SetLock { locked: true },
        ["unlocks"] => Command::SetLock { locked: false },
        ["turns", "the", "key"] => Command::Lock,
        ["quiets", "call", n] => Command::QuietCall {
            call: call(n)?,
            quieted: true,
        },
        ["restores", "call", n] => Command::QuietCall {
            call: call(n)?,
            quieted: false,
        },
        ["lets", "call", n, "speak"] => Command::LetSpeak { call: call(n)? },
        ["begins", "a", "lecture"] => floor(Floor::Lecture),
        ["begins", "a", "strict", "lecture"] => floor(Floor::StrictLecture),
        ["ends", "the", "lecture"] => floor(Floor::Open),
        ["calls", "the", "roll"] => Command::RollCall,
        ["records"] | ["stops", "recording"] => Command::Recording,
        ["ends", "it"] => Command::EndForAll,
        ["takes", "that", "back"] => Command::Star,
        _ => return Err(format!("not understood: {words:?}")),
    })
}

fn role(word: &str) -> Result<Role, String> {
    match word {
        "host" => Ok(Role::Host),
        "guest" => Ok(Role::Guest),
        other => Err(format!("no role: {other}")),
    }
}

fn announce(word: &str) -> Result<Announce, String> {
    match word {
        "none" => Ok(Announce::None),
        "tone" => Ok(Announce::Tone),
        "name" => Ok(Announce::Name),
        other => Err(format!("no announcement: {other}")),
    }
}

fn host_leaves(words: &str) -> Result<HostLeaves, String> {
    match words {
        "the guests go on" => Ok(HostLeaves::Continue),
        "the guests are held" => Ok(HostLeaves::Hold),
        "all are disconnected" => HostLeaves::hangup(Duration::ZERO).map_err(|e| e.to_string()),
        other => {
            let grace = other
                .strip_prefix("all are disconnected after ")
                .ok_or_else(|| format!("no such rule: {other}"))?;
            HostLeaves::hangup(span(grace)?).map_err(|e| e.to_string())
        }
    }
}

fn yes(word: &str) -> Result<bool, String> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(format!("neither yes nor no: {other}")),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("no number: {word}"))
}

/// Minutes and seconds since the start, as in `1:05`.
fn time(word: &str) -> Result<DateTime<Utc>, String> {
    Ok(START + span(word)?)
}

fn span(word: &str) -> Result<Duration, String> {
    let (minutes, seconds) = word
        .split_once(':')
        .ok_or_else(|| format!("no time: {word}"))?;
    Ok(Duration::from_secs(
        number::<u64>(minutes)? * 60 + number::<u64>(seconds)?,
    ))
}
