//! A conference as a picture: a line for each caller, with when they waited, were in, and were muted; when a Host was in, and when the
//! door was locked. From what the books hold: who spoke is not in them.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::Role;
use conclave_store::{CallRow, ConferenceRow, EventRow, Visit};

use crate::look::{When, span};

/// So many callers have a line; the table has them all.
const MOST: usize = 60;
/// The whole width, in the units of the picture.
const WIDTH: i64 = 1000;

/// The picture of a conference.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) from: When,
    pub(crate) to: When,
    pub(crate) lines: Vec<Line>,
    /// Callers who have no line.
    pub(crate) more: usize,
}

/// What one line shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: String,
    /// The same in words.
    pub(crate) words: String,
    pub(crate) bars: Vec<Bar>,
}

/// A stretch of time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// A class of the style sheet.
    pub(crate) kind: &'static str,
    pub(crate) x: i64,
    pub(crate) width: i64,
}

type Moment = DateTime<Utc>;

/// From when to when, and of what kind.
type Stretch = (&'static str, Moment, Moment);

impl Timeline {
    /// None where nothing lasted. `label` says who a caller is.
    pub(crate) fn new(
        conference: &ConferenceRow,
        calls: &[CallRow],
        events: &[EventRow],
        now: Moment,
        label: impl Fn(&CallRow, &Visit) -> String,
    ) -> Option<Self> {
        let (from, to) = (conference.started, conference.ended.unwrap_or(now));
        let scale = Scale::new(from, to)?;
        let callers: Vec<_> = calls
            .iter()
            .filter_map(|call| Some((call, call.visit.as_ref()?)))
            .collect();
        let hosts: Vec<_> = callers
            .iter()
            .filter(|(_, visit)| visit.role == Role::Host)
            .filter_map(|(_, visit)| Some((visit.admitted?, visit.departed.unwrap_or(to))))
            .collect();
        let host_in = joined(hosts.clone()).into_iter().map(|(a, b)| ("in", a, b));
        let mut lines = vec![scale.line("Host in".to_owned(), host_in.collect())];
        let locked = switched(events, to, |event| match event.command.as_deref()? {
            "lock" => Some(Switch::Turn),
            "set-locked" => Some(Switch::On),
            "set-unlocked" => Some(Switch::Off),
            _ => None,
        });
        if !locked.is_empty() {
            let locked = locked.into_iter().map(|(a, b)| ("locked", a, b)).collect();
            lines.push(scale.line("Locked".to_owned(), locked));
        }
        let shown = callers.iter().take(MOST);
        lines.extend(shown.map(|(call, visit)| {
            let stretches = of_caller(call, visit, events, &hosts, to);
            scale.line(label(call, visit), stretches)
        }));
        Some(Self {
            from: When(from),
            to: When(to),
            lines,
            more: callers.len().saturating_sub(MOST),
        })
    }
}

/// When a caller waited, was in, and was muted while in.
fn of_caller(
    call: &CallRow,
    visit: &Visit,
    events: &[EventRow],
    hosts: &[(Moment, Moment)],
    to: Moment,
) -> Vec<Stretch> {
    let left = visit.departed.unwrap_or(to);
    let Some(admitted) = visit.admitted else {
        return vec![("waits", visit.arrived, left)];
    };
    let mut stretches = vec![("waits", visit.arrived, admitted)];
    // Back to the music when the last Host left, until the next one came.
    let mut since = admitted;
    let held = events
        .iter()
        .filter(|event| event.what == "held" && event.call == Some(call.id));
    for at in held.map(|event| event.at) {
        let back = hosts
            .iter()
            .map(|(came, _)| *came)
            .filter(|came| *came >= at);
        let back = back.min().unwrap_or(left).min(left);
        stretches.extend([("in", since, at), ("waits", at, back)]);
        since = back;
    }
    stretches.push(("in", since, left));
    let muted = switched(events, left, |event| {
        let own = event.call == Some(call.id);
        let about = event.about == Some(call.id);
        match event.command.as_deref()? {
            "mute" if own => Some(Switch::Turn),
            "mute-call" | "quiet-call" if about => Some(Switch::On),
            "unmute-call" | "restore-call" if about => Some(Switch::Off),
            _ => None,
        }
    });
    stretches.extend(muted.into_iter().map(|(a, b)| ("muted", a, b)));
    stretches
}

enum Switch {
    On,
    Off,
    Turn,
}

/// From when to when something was on, by the commands that were carried out.
fn switched(
    events: &[EventRow],
    to: Moment,
    switch: impl Fn(&EventRow) -> Option<Switch>,
) -> Vec<(Moment, Moment)> {
    let (mut since, mut stretches) = (None, Vec::new());
    for event in events.iter().filter(|event| event.refusal.is_none()) {
        since = match (switch(event), since) {
            (Some(Switch::On | Switch::Turn), None) => Some(event.at),
            (Some(Switch::Off | Switch::Turn), Some(on)) => {
                stretches.push((on, event.at));
                None
            }
            (_, as_it_was) => as_it_was,
        };
    }
    stretches.extend(since.map(|on| (on, to)));
    stretches
}

/// Stretches that overlap or touch are one.
fn joined(mut stretches: Vec<(Moment, Moment)>) -> Vec<(Moment, Moment)> {
    stretches.sort();
    let mut joined: Vec<(Moment, Moment)> = Vec::new();
    for (from, to) in stretches {
        match joined.last_mut() {
            Some((_, last)) if from <= *last => *last = to.max(*last),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Where a moment lies in the picture.
struct Scale {
    from: Moment,
    length: i64,
}

impl Scale {
    fn new(from: Moment, to: Moment) -> Option<Self> {
        let length = (to - from).num_milliseconds();
        (length > 0).then_some(Self { from, length })
    }

    fn x(&self, at: Moment) -> i64 {
        let after = (at - self.from).num_milliseconds().clamp(0, self.length);
        i64::try_from(i128::from(after) * i128::from(WIDTH) / i128::from(self.length))
            .unwrap_or(WIDTH)
    }

    fn line(&self, label: String, mut stretches: Vec<Stretch>) -> Line {
        stretches.retain(|(_, from, to)| from < to);
        let bars = stretches.iter().map(|(kind, from, to)| {
            let (x, end) = (self.x(*from), self.x(*to));
            // However short, it can be seen.
            let width = (end - x).max(2);
            Bar {
                kind,
                x: x.min(WIDTH - width),
                width,
            }
        });
        Line {
            label,
            bars: bars.collect(),
            words: in_words(&stretches),
        }
    }
}

/// Such as `waited 40 s, in 12 min, muted 3 min`.
fn in_words(stretches: &[Stretch]) -> String {
    let said = |kind: &str, word: &str| {
        let of_kind = stretches.iter().filter(|(found, ..)| *found == kind);
        let together: TimeDelta = of_kind.map(|(_, from, to)| *to - *from).sum();
        (together > TimeDelta::zero()).then(|| format!("{word} {}", span(together)))
    };
    let words = [
        ("waits", "waited"),
        ("in", "in for"),
        ("muted", "muted for"),
        ("locked", "for"),
    ];
    let said: Vec<_> = words
        .iter()
        .filter_map(|(kind, word)| said(kind, word))
        .collect();
    if said.is_empty() {
        "never".to_owned()
    } else {
        said.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use conclave_accounts::AccountId;
    use conclave_store::CallMedia;

    use super::*;

    fn at(seconds: i64) -> Moment {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn conference(ended: Option<i64>) -> ConferenceRow {
        ConferenceRow {
            id: 1,
            account: AccountId(1),
            owner: "Ada".to_owned(),
            department: None,
            cost_code: None,
            booking: None,
            title: None,
            started: at(0),
            ended: ended.map(at),
            reason: None,
            calls: 0,
            admitted: 0,
        }
    }

    fn call(
        id: u64,
        role: Role,
        arrived: i64,
        admitted: Option<i64>,
        left: Option<i64>,
    ) -> CallRow {
        CallRow {
            id,
            trunk: "t".to_owned(),
            number: None,
            answered: at(arrived),
            ended: None,
            reason: None,
            wrong_pins: 0,
            visit: Some(Visit {
                conference: 1,
                account: AccountId(1),
                owner: "Ada".to_owned(),
                booking: None,
                title: None,
                role,
                holder: None,
                arrived: at(arrived),
                admitted: admitted.map(at),
                departed: left.map(at),
                reason: None,
            }),
            media: CallMedia::default(),
        }
    }

    fn event(
        seconds: i64,
        what: &str,
        call: Option<u64>,
        command: &str,
        about: Option<u64>,
    ) -> EventRow {
        EventRow {
            conference: 1,
            at: at(seconds),
            what: what.to_owned(),
            call,
            operator: None,
            command: Some(command.to_owned()).filter(|command| !command.is_empty()),
            about,
            refusal: None,
        }
    }

    /// Each line as `label: kind x+width ...`.
    fn drawn(ended: Option<i64>, calls: &[CallRow], events: &[EventRow]) -> Vec<String> {
        let label = |call: &CallRow, _: &Visit| call.id.to_string();
        let shown = Timeline::new(&conference(ended), calls, events, at(1000), label).unwrap();
        let bar = |bar: &Bar| format!(" {} {}+{}", bar.kind, bar.x, bar.width);
        let line = |line: &Line| {
            format!(
                "{}:{}",
                line.label,
                line.bars.iter().map(bar).collect::<String>()
            )
        };
        shown.lines.iter().map(line).collect()
    }

    #[test]
    fn who_waited_was_in_was_muted_and_left() {
        let calls = [
            call(1, Role::Guest, 0, Some(100), Some(900)),
            call(2, Role::Host, 100, Some(100), None),
            call(3, Role::Guest, 500, None, Some(510)),
        ];
        let mut refused = event(650, "command", Some(1), "mute", None);
        refused.refusal = Some("not-allowed".to_owned());
        let events = [
            event(200, "command", Some(1), "mute", None),
            event(300, "command", Some(1), "mute", None),
            event(400, "command", Some(2), "lock", None),
            event(600, "command", None, "set-unlocked", None),
            event(600, "command", None, "mute-call", Some(1)),
            refused,
            event(700, "command", None, "unmute-call", Some(1)),
        ];
        let expected = [
            "Host in: in 100+900",
            "Locked: locked 400+200",
            "1: waits 0+100 in 100+800 muted 200+100 muted 600+100",
            "2: in 100+900",
            "3: waits 500+10",
        ];
        assert_eq!(drawn(Some(1000), &calls, &events), expected);
        assert_eq!(drawn(None, &calls, &events), expected, "it goes on");
    }

    #[test]
    fn who_is_held_waits_for_the_next_host() {
        let calls = [
            call(1, Role::Host, 0, Some(0), Some(300)),
            call(2, Role::Guest, 0, Some(0), None),
            call(3, Role::Host, 500, Some(500), Some(700)),
        ];
        let events = [
            event(300, "held", Some(2), "", None),
            event(700, "held", Some(2), "", None),
        ];
        let expected = [
            "Host in: in 0+300 in 500+200",
            "1: in 0+300",
            "2: in 0+300 waits 300+200 in 500+200 waits 700+300",
            "3: in 500+200",
        ];
        assert_eq!(drawn(Some(1000), &calls, &events), expected);
    }

    #[test]
    fn the_same_is_said_in_words() {
        let stretches = [
            ("waits", at(0), at(40)),
            ("in", at(40), at(760)),
            ("muted", at(50), at(230)),
        ];
        assert_eq!(
            in_words(&stretches),
            "waited 40 s, in for 12 min, muted for 3 min"
        );
        assert_eq!(in_words(&[]), "never");
    }

    #[test]
    fn nothing_is_drawn_of_what_did_not_last_and_not_everybody_has_a_line() {
        let label = |_: &CallRow, _: &Visit| String::new();
        let none = Timeline::new(&conference(Some(0)), &[], &[], at(0), label);
        assert!(none.is_none());
        let many: Vec<_> = (0..70)
            .map(|n| call(n, Role::Guest, 0, Some(0), None))
            .collect();
        let shown = Timeline::new(&conference(Some(9)), &many, &[], at(9), label).unwrap();
        assert_eq!((shown.lines.len(), shown.more), (61, 10));
    }
}
