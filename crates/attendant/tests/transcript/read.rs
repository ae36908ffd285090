//! The words of a transcript, as its README tells them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, Announce, CallId, HostLeaves, PinPolicy, Source, Terms};
use conclave_attendant::Event;
use conclave_conference::{Command, LeaveReason};
use conclave_dtmf::{Digit, KeyMap, Way, Who};
use conclave_sim::{Faults, START, Speech};

/// What the lines that begin with `=` say.
pub(crate) struct Settings {
    pub(crate) terms: Terms,
    pub(crate) policy: PinPolicy,
    /// The end of account 1's booking, where it has one.
    pub(crate) booked_until: Option<DateTime<Utc>>,
    /// Whether the entries in the books are shown.
    pub(crate) books: bool,
}

/// One line of input, without its time.
pub(crate) enum Input {
    TimePasses,
    Dials {
        call: CallId,
        source: Source,
        bound: Option<AccountId>,
        keys: Box<KeyMap>,
    },
    Presses {
        call: CallId,
        keys: String,
    },
    HangsUp {
        call: CallId,
    },
    Says {
        call: CallId,
        speech: Speech,
    },
    Told(Box<Event>),
    LastVerdictAgain {
        call: CallId,
        inquiry: u32,
    },
    Operator {
        command: Command,
    },
    Rename {
        call: CallId,
        name: String,
    },
    Faults(fn(&mut Faults)),
    /// The booking of that account has another end.
    Moved {
        account: u64,
        ends: DateTime<Utc>,
    },
    Drains,
    EndsAll(LeaveReason),
}

pub(crate) fn settings(transcript: &str) -> Result<Settings, String> {
    let mut terms = Terms::default();
    let mut policy = PinPolicy::default();
    let mut books = false;
    let mut booked_until = None;
    for line in transcript.lines().filter_map(|line| line.strip_prefix('=')) {
        let (key, value) = line
            .split_once(':')
            .ok_or_else(|| format!("no setting: {line}"))?;
        match (key.trim(), value.trim()) {
            ("names", "yes") => terms.entry = Announce::Name,
            ("guests are let in one by one", "yes") => terms.consent = true,
            ("noise is turned down", "yes") => terms.noise_suppression = true,
            ("voices are levelled", "yes") => terms.levelling = true,
            ("noisy lines are quieted", "yes") => terms.quieting = true,
            ("talkers at most", most) => terms.most_talkers = Some(number(most)?),
            ("places", places) => terms.max_participants = number(places)?,
            ("longest wait", wait) => terms.longest_wait = span(wait)?,
            ("wrong PINs a day that raise the alarm", ceiling) => policy.ceiling = number(ceiling)?,
            ("account 1 has a booking until", ends) => booked_until = Some(START + span(ends)?),
            ("books", "yes") => books = true,
            ("when the last host leaves", "the guests are held") => {
                terms.host_leaves = HostLeaves::Hold;
            }
            ("when the last host leaves", "all are disconnected") => {
                terms.host_leaves = HostLeaves::Hangup {
                    grace: Duration::ZERO,
                };
            }
            ("when the last host leaves", grace) => {
                let grace = grace
                    .strip_prefix("all are disconnected after ")
                    .ok_or_else(|| format!("no such rule: {grace}"))?;
                terms.host_leaves = HostLeaves::Hangup {
                    grace: span(grace)?,
                };
            }
            (key, value) => return Err(format!("no setting: {key}: {value}")),
        }
    }
    terms.validate().map_err(|error| error.to_string())?;
    Ok(Settings {
        terms,
        policy,
        booked_until,
        books,
    })
}

/// A line such as `0:05 call 2 dials`.
pub(crate) fn input(line: &str) -> Result<(DateTime<Utc>, Input), String> {
    let (at, words) = line.split_once(' ').ok_or("a time and what happens")?;
    let words: Vec<&str> = words.split_whitespace().collect();
    Ok((START + span(at)?, what(&words)?))
}

fn what(words: &[&str]) -> Result<Input, String> {
    Ok(match words {
        ["time", "passes"] => Input::TimePasses,
        ["storage", "falls", "silent"] => Input::Faults(|faults| faults.lost_verdict = 100),
        ["storage", "answers", "again"] => Input::Faults(|faults| faults.lost_verdict = 0),
        ["the", "media", "plane", "falls", "silent"] => Input::Faults(|faults| {
            faults.lost_play_end = 100;
            faults.lost_name = 100;
        }),
        ["the", "media", "plane", "answers", "again"] => Input::Faults(|faults| {
            faults.lost_play_end = 0;
            faults.lost_name = 0;
        }),
        ["no", "peer", "answers"] => Input::Faults(|faults| faults.lost_probe = 100),
        ["no", "conference", "starts", "any", "more"] => Input::Drains,
        [
            "the",
            "booking",
            "of",
            "account",
            account,
            "ends",
            "at",
            ends,
        ] => Input::Moved {
            account: number(account)?,
            ends: START + span(ends)?,
        },
        ["the", "bridge", "shuts", "down"] => Input::EndsAll(LeaveReason::Shutdown),
        ["the", "operator", "ends", "all"] => Input::EndsAll(LeaveReason::OperatorEnded),
        ["the", "operator", "names", "call", call, name @ ..] => Input::Rename {
            call: CallId(number(call)?),
            name: name.join(" "),
        },
        ["the", "operator", words @ ..] => Input::Operator {
            command: operator(words)?,
        },
        ["call", call, words @ ..] => of_call(CallId(number(call)?), words)?,
        _ => return Err(format!("not understood: {words:?}")),
    })
}

fn of_call(call: CallId, words: &[&str]) -> Result<Input, String> {
    let dials = |source, bound| Input::Dials {
        call,
        source,
        bound,
        keys: Box::default(),
    };
    let unknown = Source::withheld("trunk");
    Ok(match words {
        ["dials"] => dials(Source::new("trunk", "+4930123456"), None),
        ["dials", "from", "a", "withheld", "number"] => dials(unknown, None),
        ["dials", "a", "number", "with", "keys", "of", "its", "own"] => Input::Dials {
            call,
            source: Source::new("trunk", "+4930123456"),
            bound: None,
            keys: Box::new(keys_of_its_own()?),
        },
        ["dials", "from", number] => dials(Source::new("trunk", number), None),
        ["dials", "the", "number", "of", "account", account] => {
            let bound = Some(AccountId(number(account)?));
            dials(Source::new("trunk", "+4930123456"), bound)
        }
        ["presses", keys] => Input::Presses {
            call,
            keys: (*keys).to_owned(),
        },
        ["presses", key, "by", way] => Input::Told(Box::new(Event::Digit {
            call,
            way: match *way {
                "INFO" => Way::Info,
                "tone" => Way::Tone,
                "event" => Way::Event,
                other => return Err(format!("no way: {other}")),
            },
            digit: key
                .parse()
                .ok()
                .and_then(Digit::new)
                .ok_or_else(|| format!("no key: {key}"))?,
        })),
        ["hangs", "up"] => Input::HangsUp { call },
        ["will", "say", "its", "name", "for", seconds, "s"] => Input::Says {
            call,
            speech: Speech::For(Duration::from_secs(number(seconds)?)),
        },
        ["will", "say", "nothing"] => Input::Says {
            call,
            speech: Speech::Silence,
        },
        ["gets", "a", "late", "verdict", "on", "its", "PIN", inquiry] => Input::LastVerdictAgain {
            call,
            inquiry: number(inquiry)?,
        },
        ["puts", "its", "line", "on", "hold"] => {
            Input::Told(Box::new(Event::PeerHold { call, held: true }))
        }
        ["takes", "its", "line", "back"] => {
            Input::Told(Box::new(Event::PeerHold { call, held: false }))
        }
        ["plays", "music"] => Input::Told(Box::new(Event::Noisy { call, noisy: true })),
        ["sends", "no", "sound"] => Input::Told(Box::new(Event::MediaQuiet { call })),
        ["is", "known", "to", "nobody"] => {
            Input::Told(Box::new(Event::Probed { call, alive: false }))
        }
        _ => return Err(format!("not understood: {words:?}")),
    })
}

/// As behind a PBX that keeps `#` for itself, and for people who shall not mute themselves by accident.
fn keys_of_its_own() -> Result<KeyMap, String> {
    let keys = [
        ("99", Who::Host, "end-for-all"),
        ("*6", Who::Host, "mute"),
        ("*8", Who::Everyone, "roll-call"),
        ("*9", Who::Everyone, "hand"),
    ];
    KeyMap::parse(keys).map_err(|error| error.to_string())
}

fn operator(words: &[&str]) -> Result<Command, String> {
    Ok(match words {
        ["locks"] => Command::SetLock { locked: true },
        ["unlocks"] => Command::SetLock { locked: false },
        ["calls", "the", "roll"] => Command::RollCall,
        ["mutes", "call", call] => Command::MuteCall {
            call: CallId(number(call)?),
            muted: true,
        },
        ["unmutes", "call", call] => Command::MuteCall {
            call: CallId(number(call)?),
            muted: false,
        },
        ["ends", "the", "conference"] => Command::EndForAll,
        ["removes", "call", call] => Command::Remove {
            call: CallId(number(call)?),
        },
        ["lets", "in", "call", call] => Command::Admit {
            call: CallId(number(call)?),
            welcome: true,
        },
        _ => return Err(format!("not understood: {words:?}")),
    })
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("no number: {word}"))
}

/// Minutes and seconds, as in `1:05`, with a tenth where it matters.
fn span(word: &str) -> Result<Duration, String> {
    let (minutes, seconds) = word
        .split_once(':')
        .ok_or_else(|| format!("no time: {word}"))?;
    let (seconds, tenths) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let seconds = number::<u64>(minutes)? * 60 + number::<u64>(seconds)?;
    Ok(Duration::from_millis(
        seconds * 1000 + number::<u64>(tenths)? * 100,
    ))
}

pub(crate) fn written(at: DateTime<Utc>) -> String {
    let ms = (at - START).num_milliseconds();
    let (minutes, seconds, tenths) = (ms / 60_000, ms / 1000 % 60, ms / 100 % 10);
    match tenths {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{minutes}:{seconds:02}.{tenths}"),
    }
}
