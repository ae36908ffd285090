//! What was measured, as a table or as JSON.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program's words

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{histogram::Histogram, listener::Heard, process::Used};

/// A pause in a stream that a listener notices.
const GAP: Duration = Duration::from_millis(60);

pub(crate) struct Report {
    pub(crate) calls: usize,
    pub(crate) rooms: usize,
    pub(crate) span: Duration,
    pub(crate) setups: Histogram,
    pub(crate) failed: BTreeMap<String, u32>,
    /// Calls that the bridge had ended before the end.
    pub(crate) ended: usize,
    pub(crate) heard: Heard,
    /// How late our own packets were.
    pub(crate) late: Histogram,
    /// Before and after.
    pub(crate) bridge: Option<(Used, Used)>,
    /// Processors that the bridge used at a time.
    pub(crate) windows: Vec<f64>,
    pub(crate) own: (Used, Used),
}

pub(crate) fn complain(error: &crate::Error) {
    eprintln!("conclave-load: {error}");
}

pub(crate) fn print(report: &Report, as_json: bool) {
    let value = to_json(report);
    if as_json {
        println!("{value}");
        return;
    }
    let Value::Object(parts) = value else { return };
    for (part, figures) in &parts {
        match figures {
            Value::Object(figures) if !figures.is_empty() => {
                let figures: Vec<_> = figures
                    .iter()
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                println!("{part:<12} {}", figures.join("   "));
            }
            Value::Object(_) => println!("{part:<12} none"),
            other => println!("{part:<12} {other}"),
        }
    }
}

fn to_json(report: &Report) -> Value {
    let streams = &report.heard.streams;
    let seconds = report.span.as_secs_f64();
    let mut rates: Vec<f64> = streams
        .iter()
        .map(|stream| stream.packets as f64 / seconds)
        .collect();
    rates.sort_by(f64::total_cmp);
    let received: u64 = streams.iter().map(|stream| stream.packets).sum();
    let lost: u64 = streams.iter().map(crate::stream::Stream::lost).sum();
    let mut jitter = Histogram::default();
    streams.iter().for_each(|stream| jitter.add(stream.jitter));
    let gapped = streams
        .iter()
        .filter(|stream| stream.longest_gap > GAP)
        .count();
    let call_seconds = seconds * streams.len().max(1) as f64;
    let cpu = |(before, after): (Used, Used)| {
        let each = |time: Duration| rounded(time.as_secs_f64() * 1e3 / call_seconds, 4);
        json!({
            "user_ms_a_call_second": each(after.user.saturating_sub(before.user)),
            "system_ms_a_call_second": each(after.system.saturating_sub(before.system)),
            "ms_a_call_second": each((after.user + after.system).saturating_sub(before.user + before.system)),
            "resident_kib": after.resident,
        })
    };
    let mut bridge = report.bridge.map(cpu);
    if let (Some(bridge), Some(used)) = (&mut bridge, median(&report.windows)) {
        bridge["median_ms_a_call_second"] =
            rounded(used * 1e3 / streams.len().max(1) as f64, 4).into();
    }
    let share = |part: u64, whole: u64| rounded(part as f64 * 100.0 / whole.max(1) as f64, 3);
    json!({
        "calls": report.calls,
        "rooms": report.rooms,
        "seconds": rounded(seconds, 2),
        "setup_ms": times(&report.setups),
        "failed": report.failed,
        "ended_early": report.ended,
        "packets": {
            "a_second_least": rounded(rates.first().copied().unwrap_or(0.0), 2),
            "a_second_mean": rounded(rates.iter().sum::<f64>() / rates.len().max(1) as f64, 2),
            "lost_percent": share(lost, lost + received),
        },
        "gap_ms": times(&report.heard.gaps),
        "calls_with_a_gap_over_60_ms": gapped,
        "jitter_ms": times(&jitter),
        "delay_ms": times(&report.heard.delays),
        "bridge": bridge,
        "load": cpu(report.own),
        "load_sent_late_ms": times(&report.late),
    })
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn times(histogram: &Histogram) -> Value {
    let millis = |time: Duration| rounded(time.as_secs_f64() * 1e3, 1);
    json!({
        "p50": millis(histogram.percentile(50)),
        "p99": millis(histogram.percentile(99)),
        "max": millis(histogram.max()),
        "of": histogram.count(),
    })
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
