//! Whether the media plane's ticks are late because people look at the portal: the same calls, by turns with consoles open and with
//! none, in one run of one bridge.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::{Browser, Event};
use crate::load::{Load, Server, programs};
use crate::run::{Failure, Result, free_port, output};

/// What is measured: the numbers that the task takes, with what is usual.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    participants: u32,
    conferences: u32,
    consoles: u32,
    /// Of a window.
    seconds: u32,
    /// Of windows.
    pairs: u32,
}

/// Between windows, so that what the one began is no matter of the other.
const BREATH: Duration = Duration::from_secs(2);

/// `consoles [PARTICIPANTS] [CONFERENCES] [CONSOLES] [SECONDS] [PAIRS] [--debug]`
pub(crate) fn consoles(arguments: &[String]) -> Result {
    let (numbers, words): (Vec<&String>, _) = arguments.iter().partition(|a| *a != "--debug");
    let plan = Plan::read(&numbers)?;
    let profile: &[&str] = if words.is_empty() {
        &["--release"]
    } else {
        &[]
    };
    let programs = programs(profile)?;
    let http = format!("127.0.0.1:{}", free_port()?);
    let server = Server::start(&programs, "conclave-bridge", |command, sip, directory| {
        command.args(["serve", "--sip", sip, "--http", &http, "--data"]);
        command.arg(directory.join("data"));
    })?;
    let rooms = server.rooms(plan.conferences)?;
    let mut people = plan.people(&server, &http)?;

    // They talk until all windows are over; setting up, the prompts of the last who came, and opening pages take time, too.
    let measured = plan.pairs * 2 * (plan.seconds + 4) + 30;
    let mut calls = server.calls(plan.participants, "1");
    calls.args(["--settle", "1", "--seconds", &measured.to_string()]);
    let calls = calls.arg("--rooms").arg(rooms).stdout(Stdio::piped());
    let load = Load::start(calls)?;
    let mut machine = Browser::at(http);
    plan.wait_until_all_are_in(&mut machine)?;

    println!(
        "{} participants in {} conferences, one talks in each; windows of {} s",
        plan.participants, plan.conferences, plan.seconds
    );
    println!(
        "| window | consoles | ticks | p50 late | p99 late | later than 5 ms | left out | news to each console |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut p99s = [Vec::new(), Vec::new()];
    for window in 0..plan.pairs * 2 {
        // Which of the two comes first changes from pair to pair: what drifts is not taken for a difference.
        let open = window % 4 == 1 || window % 4 == 2;
        let seen = plan.window(open, &mut people, &mut machine)?;
        println!(
            "{}",
            seen.row(window + 1, if open { plan.consoles } else { 0 })
        );
        p99s[usize::from(open)].push(seen.late.quantile(0.99));
        sleep(BREATH);
    }
    let [without, with] = p99s.each_ref().map(|of| median(of));
    let later = p99s[1]
        .iter()
        .zip(&p99s[0])
        .filter(|(with, without)| with > without);
    println!(
        "p99, median of the windows: {} without consoles, {} with; later with them in {} of {} pairs",
        ms(without),
        ms(with),
        later.count(),
        plan.pairs
    );
    fared(&load.finish()?);
    Ok(())
}

impl Plan {
    fn read(typed: &[&String]) -> Result<Self> {
        let mut numbers = [1_000, 100, 20, 30, 5];
        if typed.len() > numbers.len() {
            return Err(Failure(format!(
                "consoles takes at most {} numbers",
                numbers.len()
            )));
        }
        for (number, typed) in numbers.iter_mut().zip(typed) {
            *number = typed
                .parse()
                .map_err(|_| Failure(format!("consoles: `{typed}` is no number")))?;
        }
        let [participants, conferences, consoles, seconds, pairs] = numbers;
        let fits = (1..=conferences).contains(&consoles) && conferences * 2 <= participants;
        // A connection to the portal lasts two minutes.
        if !fits || !(1..=100).contains(&seconds) || pairs == 0 {
            return Err(Failure(
                "consoles: two participants or more for a conference, no more consoles than conferences, windows of 1 to 100 s".into(),
            ));
        }
        Ok(Self {
            participants,
            conferences,
            consoles,
            seconds,
            pairs,
        })
    }

    /// The owners of the first accounts, signed in.
    fn people(&self, server: &Server, http: &str) -> Result<Vec<Browser>> {
        (1..=self.consoles)
            .map(|n| {
                let email = format!("p{n}@example.org");
                let add = ["user", "add", &email, "--role", "host", "--json"];
                let added: Value = serde_json::from_slice(&output(&mut server.command(&add))?)
                    .map_err(|e| Failure(e.to_string()))?;
                let mut browser = Browser::at(http.to_owned());
                browser.set_up(added["link"].as_str().unwrap_or_default());
                Ok(browser)
            })
            .collect()
    }

    fn wait_until_all_are_in(&self, machine: &mut Browser) -> Result {
        let until = Instant::now()
            + Duration::from_secs(60)
            + Duration::from_secs(1) * self.participants / 20;
        let all = f64::from(self.participants);
        loop {
            let figures = Figures::of(machine);
            let is_in = figures.get("participants{place=\"room\"}");
            if is_in >= all {
                // The last prompts end.
                sleep(Duration::from_secs(8));
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Failure(format!(
                    "only {is_in} of {all} participants came in"
                )));
            }
            sleep(Duration::from_millis(500));
        }
    }

    /// Looks for so long, or looks away.
    fn window(&self, open: bool, people: &mut [Browser], machine: &mut Browser) -> Result<Seen> {
        let before = Figures::of(machine);
        let until = Instant::now() + Duration::from_secs(self.seconds.into());
        let mut consoles = Vec::new();
        if open {
            for person in &mut *people {
                consoles.push(look(person)?);
            }
        }
        sleep(until.saturating_duration_since(Instant::now()));
        let after = Figures::of(machine);
        let news: Vec<usize> = consoles
            .iter()
            .map(|console| console.try_iter().count())
            .collect();
        if news.contains(&0) {
            return Err(Failure(
                "a console was told nothing: its conference is over, or nobody talks there".into(),
            ));
        }
        Ok(Seen {
            late: Late::between(&before, &after),
            left_out: after.get("ticks_left_out_total") - before.get("ticks_left_out_total"),
            news: news.iter().min().copied().zip(news.iter().max().copied()),
        })
    }
}

/// Opens the console of the one conference that this person has, as a browser does: the page, what belongs to it, what changes.
fn look(person: &mut Browser) -> Result<Receiver<Event>> {
    let list = person.get("/live").body;
    let Some(id) = quoted(&list, "href=\"/live/").next() else {
        return Err(Failure(
            "the portal shows no conference to the one whose it is".into(),
        ));
    };
    let page = person.get(&format!("/live/{id}")).body;
    let styles = quoted(&page, "<link rel=\"stylesheet\" href=\"");
    for path in styles.chain(quoted(&page, "<script src=\"")) {
        person.get(path);
    }
    Ok(person.events(&format!("/live/{id}/events")))
}

/// All that stands between these words and the next quotation mark.
fn quoted<'a>(page: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = page.split(before).skip(1);
    parts.filter_map(|part| part.split('"').next())
}

/// How the calls were meanwhile.
fn fared(report: &Value) {
    println!(
        "the calls, over all windows: {} packets a second at least, {} % lost, gap p99 {} ms, longest {} ms; ended early {}, failed {}; our own packets late p99 {} ms",
        report["packets"]["a_second_least"],
        report["packets"]["lost_percent"],
        report["gap_ms"]["p99"],
        report["gap_ms"]["max"],
        report["ended_early"],
        report["failed"],
        report["load_sent_late_ms"]["p99"],
    );
}

/// What the bridge says of itself, by the names of its metrics.
struct Figures(BTreeMap<String, f64>);

impl Figures {
    fn of(machine: &mut Browser) -> Self {
        Self::read(&machine.get("/metrics").body)
    }

    fn read(text: &str) -> Self {
        let sample = |line: &str| {
            let (name, value) = line.strip_prefix("conclave_")?.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(text.lines().filter_map(sample).collect())
    }

    fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(f64::NAN)
    }
}

/// What a window came to.
struct Seen {
    late: Late,
    left_out: f64,
    /// To the console that was told the least, and to the one that was told the most.
    news: Option<(usize, usize)>,
}

impl Seen {
    fn row(&self, window: u32, consoles: u32) -> String {
        let news = self.news.map_or("–".to_owned(), |(least, most)| {
            format!("{least} to {most}")
        });
        format!(
            "| {window} | {consoles} | {} | {} | {} | {:.3} % | {} | {news} |",
            self.late.all(),
            ms(self.late.quantile(0.5)),
            ms(self.late.quantile(0.99)),
            self.late.share_over(0.005) * 100.0,
            self.left_out,
        )
    }
}

/// Ticks by how late they began: bounds in seconds, each with the count of all that were no later.
struct Late(Vec<(f64, f64)>);

impl Late {
    fn between(before: &Figures, after: &Figures) -> Self {
        let bound = |name: &str| {
            let (_, rest) = name.split_once("tick_lateness_seconds_bucket{le=\"")?;
            rest.strip_suffix("\"}")?.parse().ok()
        };
        let counts = after.0.iter();
        let mut counts: Vec<(f64, f64)> = counts
            .filter_map(|(name, count)| Some((bound(name)?, count - before.get(name))))
            .collect();
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(counts)
    }

    fn all(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// In seconds; within a bucket as if its ticks were spread evenly, as Prometheus does.
    fn quantile(&self, of: f64) -> f64 {
        let wanted = self.all() * of;
        let mut below = (0.0, 0.0);
        for &(bound, count) in &self.0 {
            if count >= wanted && count > below.1 {
                if bound.is_infinite() {
                    return below.0;
                }
                return below.0 + (bound - below.0) * (wanted - below.1) / (count - below.1);
            }
            below = (bound, count);
        }
        f64::NAN
    }

    fn share_over(&self, bound: f64) -> f64 {
        let under = self.0.iter().rfind(|(at, _)| *at <= bound);
        1.0 - under.map_or(0.0, |(_, count)| *count) / self.all()
    }
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (
        sorted.get(sorted.len().saturating_sub(1) / 2),
        sorted.get(sorted.len() / 2),
    );
    low.zip(high)
        .map_or(f64::NAN, |(low, high)| (low + high) / 2.0)
}

fn ms(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn figures(counts: [u32; 4]) -> Figures {
        let mut text = String::from("# TYPE conclave_tick_lateness_seconds histogram\n");
        for (bound, count) in ["0.001", "0.002", "0.005", "+Inf"].iter().zip(counts) {
            text += &format!("conclave_tick_lateness_seconds_bucket{{le=\"{bound}\"}} {count}\n");
        }
        Figures::read(&text)
    }

    #[test]
    fn how_late_lies_within_a_bucket() {
        let late = Late::between(
            &figures([500, 500, 500, 500]),
            &figures([1_300, 1_480, 1_496, 1_500]),
        );
        assert_eq!(late.all(), 1_000.0);
        let check = |of: f64, expected: f64| {
            let found = late.quantile(of);
            assert!((found - expected).abs() < 1e-9, "{of}: {found}");
        };
        check(0.4, 0.0005);
        check(0.98, 0.002);
        check(0.99, 0.002 + 0.003 * 10.0 / 16.0);
        // Of the last bucket nobody knows more than where it begins.
        check(1.0, 0.005);
        assert!((late.share_over(0.005) - 0.004).abs() < 1e-9);
    }

    #[test]
    fn numbers_stand_in_for_the_usual_ones_from_the_front() {
        let read = |typed: &[&str]| {
            let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
            Plan::read(&typed.iter().collect::<Vec<_>>())
        };
        let small = read(&["40", "4", "4", "5"]).unwrap();
        assert_eq!((small.participants, small.seconds, small.pairs), (40, 5, 5));
        assert!(read(&["40", "4", "5"]).is_err() && read(&["many"]).is_err());
        assert_eq!(median(&[3.0, 1.0, 2.0, 10.0]), 2.5);
    }
}
