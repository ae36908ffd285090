//! The bridge's figures, in the text format of Prometheus. The shell counts, alone; whoever asks gets a text.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use conclave_accounts::Ceiling;
use conclave_attendant::{Attendant, Report};
use conclave_conference::{Fact, Place};
use conclave_engine::{EngineStats, Lateness, LegStats};
use conclave_sip::Gauges;
use conclave_store::{Porter, SqlStore};

/// What the shell counts.
#[derive(Default)]
pub(crate) struct Counts {
    answered: u64,
    without_port: u64,
    ended: BTreeMap<&'static str, u64>,
    conferences: u64,
    refused: u64,
    wrong_pins: u64,
    mistyped_pins: u64,
    received: u64,
    lost: u64,
    late: u64,
    jitter: Jitter,
}

/// Of calls that ended: a histogram of their jitter.
#[derive(Default)]
struct Jitter {
    counts: [u64; Jitter::BOUNDS_MS.len() + 1],
    sum: Duration,
}

impl Jitter {
    const BOUNDS_MS: [u64; 8] = [1, 2, 5, 10, 20, 40, 80, 160];
}

/// All that goes into the text.
pub(crate) struct Figures<'a> {
    pub(crate) counts: &'a Counts,
    pub(crate) attendant: &'a Attendant,
    pub(crate) engine: EngineStats,
    pub(crate) sip: Gauges,
    pub(crate) porter: &'a Porter<SqlStore>,
    /// Entries that the books could not take.
    pub(crate) dropped_entries: u64,
    /// New calls are refused.
    pub(crate) overloaded: bool,
}

impl Counts {
    /// A call for which there was no port.
    pub(crate) fn no_port(&mut self) {
        self.without_port += 1;
    }

    /// What goes into the books.
    pub(crate) fn report(&mut self, report: &Report) {
        match report {
            Report::CallAnswered { .. } => self.answered += 1,
            Report::CallEnded { reason, .. } => {
                *self.ended.entry(reason.as_str()).or_default() += 1;
            }
            Report::WrongPin { mistyped: true, .. } => self.mistyped_pins += 1,
            Report::WrongPin {
                mistyped: false, ..
            } => self.wrong_pins += 1,
            Report::Conference(record) => match record.fact {
                Fact::Started { .. } => self.conferences += 1,
                Fact::Refused { .. } => self.refused += 1,
                _ => {}
            },
            _ => {}
        }
    }

    /// A call's media is over.
    pub(crate) fn media(&mut self, stats: &LegStats) {
        self.received += stats.packets_in;
        self.lost += stats.lost;
        self.late += stats.late;
        if stats.packets_in > 0 {
            let over = |bound: &u64| Duration::from_millis(*bound) < stats.jitter;
            let bucket = Jitter::BOUNDS_MS.partition_point(over);
            self.jitter.counts[bucket] += 1;
            self.jitter.sum += stats.jitter;
        }
    }
}

/// The text.
pub(crate) fn text(figures: &Figures<'_>) -> String {
    let mut text = Text::default();
    calls(figures, &mut text);
    media(figures, &mut text);
    pins(figures, &mut text);
    text.0
}

fn calls(figures: &Figures<'_>, text: &mut Text) {
    let Figures {
        counts,
        attendant,
        sip,
        ..
    } = figures;
    text.gauge(
        "calls",
        "Calls that were answered and go on.",
        attendant.calls().len(),
    );
    text.counter("calls_total", "Calls answered.", counts.answered);
    text.family(
        "calls_ended_total",
        "counter",
        "Calls that ended, by reason.",
    );
    for (reason, count) in &counts.ended {
        text.sample("calls_ended_total", &[("reason", reason)], count);
    }
    text.family(
        "setup_failures_total",
        "counter",
        "SIP messages refused before they became a call, by reason.",
    );
    for (reason, count) in &sip.refused {
        let reason = snake(&format!("{reason:?}"));
        text.sample("setup_failures_total", &[("reason", &reason)], count);
    }
    let port = [("reason", "no_media_port")];
    text.sample("setup_failures_total", &port, counts.without_port);
    text.gauge(
        "sip_pending",
        "Calls that wait for an answer or its ACK.",
        sip.pending,
    );
    text.gauge(
        "sip_transactions",
        "SIP transactions under way.",
        sip.transactions,
    );
    text.gauge(
        "conferences",
        "Conferences that go on.",
        attendant.conferences().len(),
    );
    text.counter(
        "conferences_total",
        "Conferences that began.",
        counts.conferences,
    );
    text.counter(
        "door_refusals_total",
        "Callers with a right PIN who were turned away: locked, full, ending.",
        counts.refused,
    );
    let (mut room, mut waiting) = (0u64, 0u64);
    for (_, conference) in attendant.conferences() {
        for (_, row) in conference.roster() {
            match row.place() {
                Place::Room => room += 1,
                Place::Waiting { .. } | Place::Held { .. } => waiting += 1,
            }
        }
    }
    text.family("participants", "gauge", "Callers in conferences, by place.");
    text.sample("participants", &[("place", "room")], room);
    text.sample("participants", &[("place", "waiting")], waiting);
    text.counter(
        "book_entries_dropped_total",
        "Entries that the books could not take.",
        figures.dropped_entries,
    );
}

fn media(figures: &Figures<'_>, text: &mut Text) {
    let Figures { counts, engine, .. } = figures;
    text.gauge("rooms", "Rooms that are mixed.", engine.rooms);
    text.counter(
        "packets_received_total",
        "RTP and RTCP packets received.",
        engine.packets_in,
    );
    text.counter(
        "packets_sent_total",
        "RTP and RTCP packets sent.",
        engine.packets_out,
    );
    text.counter(
        "packets_ignored_total",
        "Packets received that were nobody's.",
        engine.ignored,
    );
    text.counter(
        "packets_dropped_total",
        "Packets that the system did not take for sending, or that a thread had no room for.",
        engine.dropped,
    );
    text.counter(
        "ticks_left_out_total",
        "Ticks of 20 ms left out because the machine stood still.",
        engine.ticks_left_out,
    );
    let Lateness { counts: late, sum } = engine.lateness;
    let bounds = Lateness::BOUNDS.map(|bound| bound.as_secs_f64());
    let help = "How late ticks of the media plane began.";
    text.histogram("tick_lateness_seconds", help, &bounds, &late, sum);
    text.gauge(
        "media_busy_ratio",
        "For how much of a second the busiest media thread worked, in the worse of the last two.",
        f64::from(engine.busy_percent) / 100.0,
    );
    text.gauge(
        "media_behind_ratio",
        "How many of a media thread's ticks in a second began 10 ms late or later, in the worse of the last two.",
        f64::from(engine.behind_percent) / 100.0,
    );
    text.gauge(
        "overloaded",
        "1 while new calls are refused because there is too much to do.",
        u8::from(figures.overloaded),
    );
    text.counter(
        "ended_calls_packets_received_total",
        "RTP packets received in calls that ended.",
        counts.received,
    );
    text.counter(
        "ended_calls_packets_lost_total",
        "RTP packets that never came in calls that ended.",
        counts.lost,
    );
    text.counter(
        "ended_calls_packets_late_total",
        "RTP packets that came too late to be heard in calls that ended.",
        counts.late,
    );
    let bounds = Jitter::BOUNDS_MS.map(|bound| bound as f64 / 1000.0);
    let help = "Interarrival jitter of calls that ended (RFC 3550).";
    let Jitter { counts, sum } = counts.jitter;
    text.histogram("ended_calls_jitter_seconds", help, &bounds, &counts, sum);
}

fn pins(figures: &Figures<'_>, text: &mut Text) {
    let counts = figures.counts;
    text.family(
        "pin_failures_total",
        "counter",
        "PINs that opened no door, by kind.",
    );
    text.sample(
        "pin_failures_total",
        &[("kind", "wrong")],
        counts.wrong_pins,
    );
    text.sample(
        "pin_failures_total",
        &[("kind", "mistyped")],
        counts.mistyped_pins,
    );
    let (today, consent) = figures.porter.with_doorkeeper(|keeper| {
        let throttle = keeper.throttle();
        let ceilings = [Ceiling::WrongPins, Ceiling::TypingErrors];
        (
            ceilings.map(|ceiling| throttle.count_today(ceiling)),
            ceilings.map(|ceiling| u8::from(throttle.consent(ceiling).is_some())),
        )
    });
    let kinds = ["wrong", "mistyped"];
    let help = "Failed PINs of the last 24 hours, on all bridges of the database.";
    text.family("pin_failures_day", "gauge", help);
    for (kind, count) in kinds.iter().zip(today) {
        text.sample("pin_failures_day", &[("kind", kind)], count);
    }
    let help = "Whether strangers need consent because too many PINs failed (1), by kind.";
    text.family("pin_consent", "gauge", help);
    for (kind, on) in kinds.iter().zip(consent) {
        text.sample("pin_consent", &[("kind", kind)], on);
    }
}

/// Writes the text format, version 0.0.4. All names begin with `conclave_`.
#[derive(Default)]
struct Text(String);

impl Text {
    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// `counts` has one more than there are bounds: what lies above the last.
    fn histogram(&mut self, name: &str, help: &str, bounds: &[f64], counts: &[u64], sum: Duration) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        let ends = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(counts) {
            total += count;
            self.sample(&bucket, &[("le", &end)], total);
        }
        self.sample(&format!("{name}_sum"), &[], sum.as_secs_f64());
        self.sample(&format!("{name}_count"), &[], total);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP conclave_{name} {help}");
        let _ = writeln!(self.0, "# TYPE conclave_{name} {kind}");
    }

    /// Labels' values are words of ours: none needs to be escaped.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{value}\""))
            .collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "conclave_{name}{labels} {value}");
    }
}

/// `TooFast` as labels are written: `too_fast`.
fn snake(camel: &str) -> String {
    let mut snake = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_upwards() {
        let mut text = Text::default();
        let sum = Duration::from_millis(2500);
        text.histogram("wait_seconds", "Time.", &[0.5, 1.0], &[3, 0, 1], sum);
        let expected = "# HELP conclave_wait_seconds Time.\n\
            # TYPE conclave_wait_seconds histogram\n\
            conclave_wait_seconds_bucket{le=\"0.5\"} 3\n\
            conclave_wait_seconds_bucket{le=\"1\"} 3\n\
            conclave_wait_seconds_bucket{le=\"+Inf\"} 4\n\
            conclave_wait_seconds_sum 2.5\n\
            conclave_wait_seconds_count 4\n";
        assert_eq!(text.0, expected);
    }

    #[test]
    fn a_call_counts_where_its_jitter_lies() {
        let mut counts = Counts::default();
        for ms in [0, 1, 3, 500] {
            counts.media(&LegStats {
                packets_in: 100,
                lost: 2,
                jitter: Duration::from_millis(ms),
                ..LegStats::default()
            });
        }
        counts.media(&LegStats::default());
        assert_eq!(counts.jitter.counts, [2, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!((counts.received, counts.lost), (400, 8));
        assert_eq!(snake("IntervalTooSmall"), "interval_too_small");
    }
}
