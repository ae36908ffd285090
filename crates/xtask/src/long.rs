//! Campaigns that run for minutes to days, outside continuous integration; what they find is
//! written down in `docs/`.

use crate::run::{Failure, Result, cargo, root};
use std::path::Path;
use std::process::Command;

struct Campaign {
    name: &'static str,
    /// What it takes after its name, for the listing.
    arguments: &'static str,
    about: &'static str,
    takes: &'static str,
    run: fn(&[String]) -> Result,
}

/// To add one: a row here, a function below.
const CAMPAIGNS: &[Campaign] = &[
    Campaign {
        name: "api",
        arguments: "[SCHEMATHESIS]",
        about: "schemathesis asks the built bridge all that its OpenAPI document allows, and what it doesn't, while a conference goes on",
        takes: "2 minutes",
        run: crate::api::api,
    },
    Campaign {
        name: "attack",
        arguments: "",
        about: "1 to 300 lines guess PINs for up to 30 virtual days; doors opened against the computed odds",
        takes: "minutes",
        run: attack,
    },
    Campaign {
        name: "audio",
        arguments: "[PYTHON [CODEC]]",
        about: "speech through the bridge by each codec, with losses and jitter, against the same without it, scored by ViSQOL (needs sipp, flite, sox, and visqol-python in that Python)",
        takes: "10 minutes",
        run: crate::audio::audio,
    },
    Campaign {
        name: "consoles",
        arguments: "[PARTICIPANTS] [CONFERENCES] [CONSOLES] [SECONDS] [PAIRS] [--debug]",
        about: "1,000 participants in 100 conferences, looked at by 20 consoles of the portal and by none in turn: how late the media plane's ticks are",
        takes: "8 minutes",
        run: crate::consoles::consoles,
    },
    Campaign {
        name: "dtmf",
        arguments: "",
        about: "the tone detector against each limit of Q.24, and on hours of synthetic speech (needs Debian's synthesisers)",
        takes: "half an hour",
        run: crate::talk_off::dtmf,
    },
    Campaign {
        name: "fuzz",
        arguments: "[TARGET] [SECONDS]",
        about: "libFuzzer on one target, or on each in turn (needs nightly Rust and cargo-fuzz)",
        takes: "10 minutes a target",
        run: fuzz,
    },
    Campaign {
        name: "kill-store",
        arguments: "[TIMES]",
        about: "a process that writes calls while an operator makes, changes and takes back accounts, bookings and PINs is killed (200 times, at moments drawn from CONCLAVE_SEED); what it acknowledged must be there, the audit log whole",
        takes: "6 minutes",
        run: kill_store,
    },
    Campaign {
        name: "load",
        arguments: "[CALLS ...]",
        about: "200, 400 and 800 calls in one room and in rooms of 4, ours and the floor in turn: CPU, gaps, delay, memory",
        takes: "15 minutes",
        run: crate::load::load,
    },
    Campaign {
        name: "noise",
        arguments: "",
        about: "the noise detector on music of many kinds, steady noises and hours of synthetic speech (needs sox, espeak-ng, flite and Debian's asterisk-moh-opsound-wav)",
        takes: "10 minutes",
        run: crate::noise::noise,
    },
    Campaign {
        name: "outages",
        arguments: "[TIMES]",
        about: "PostgreSQL is stopped or crashes (200 times) under a store that writes, then under calls: nothing acknowledged is lost, calls go on (needs sipp)",
        takes: "15 minutes",
        run: outages,
    },
    Campaign {
        name: "pin-timing",
        arguments: "[TRIES]",
        about: "how long PINs that are unknown, not begun, over or suspended take to be refused, by telephone (needs sipp)",
        takes: "an hour",
        run: pin_timing,
    },
    Campaign {
        name: "store-scale",
        arguments: "",
        about: "the store with 100,000 accounts, a million calls and a year of bookings: look-ups and reports",
        takes: "20 minutes",
        run: store_scale,
    },
    Campaign {
        name: "tick-cost",
        arguments: "[LEGS ...]",
        about: "instructions and cache misses of a tick of the media plane, for each leg of one room and of rooms of four, and their picture (needs valgrind)",
        takes: "10 minutes",
        run: crate::tick_cost::tick_cost,
    },
    Campaign {
        name: "soak",
        arguments: "[MINUTES]",
        about: "calls come and go at the built bridge, 20 a second: what memory and sockets do (needs sipp)",
        takes: "an hour",
        run: crate::soak::soak,
    },
    Campaign {
        name: "flood",
        arguments: "[SECONDS]",
        about: "1,000 INVITEs a second from a stranger while one call goes on (needs sipp)",
        takes: "2 minutes",
        run: crate::soak::flood,
    },
    Campaign {
        name: "sim",
        arguments: "[ARGUMENTS]",
        about: "the whole bridge in a virtual world with seeded faults, thousands of seeds",
        takes: "a night",
        run: sim,
    },
];

pub(crate) fn run(name: &str, arguments: &[String]) -> Result {
    match CAMPAIGNS.iter().find(|c| c.name == name) {
        Some(campaign) => (campaign.run)(arguments),
        None => Err(Failure(format!(
            "there is no campaign `{name}`\n{}",
            listing()
        ))),
    }
}

/// What there is, as a table.
pub(crate) fn listing() -> String {
    let mut text = String::from("Campaigns (`cargo xtask long NAME ...`):");
    for Campaign {
        name,
        arguments,
        about,
        takes,
        ..
    } in CAMPAIGNS
    {
        text += &format!(
            "\n  {:<26} {about}; takes {takes}",
            format!("{name} {arguments}")
        );
    }
    text
}

fn attack(arguments: &[String]) -> Result {
    run_released(
        cargo(&[
            "run",
            "--release",
            "-p",
            "conclave-accounts",
            "--example",
            "attack",
            "--",
        ]),
        arguments,
    )
}

fn sim(arguments: &[String]) -> Result {
    run_released(
        cargo(&["run", "--release", "-p", "conclave-sim", "--"]),
        arguments,
    )
}

fn kill_store(arguments: &[String]) -> Result {
    repeated(
        arguments,
        "CONCLAVE_KILLS",
        "what_a_killed_process_had_acknowledged_is_there",
    )
}

fn outages(arguments: &[String]) -> Result {
    repeated(
        arguments,
        "CONCLAVE_OUTAGES",
        "what_was_acknowledged_outlives_outages_and_records_catch_up",
    )?;
    repeated(
        arguments,
        "CONCLAVE_OUTAGES",
        "postgres::calls_go_on_while_the_database_is_down_and_their_records_catch_up",
    )
}

fn pin_timing(arguments: &[String]) -> Result {
    repeated(
        arguments,
        "CONCLAVE_TIMING_TRIES",
        "guessing::a_pin_out_of_its_time_takes_as_long_as_an_unknown_one",
    )
}

/// A test that continuous integration runs, so many times as long.
fn repeated(arguments: &[String], variable: &str, test: &str) -> Result {
    let times = arguments.first().map_or("200", String::as_str);
    if times.parse::<u32>().is_err() {
        return Err(Failure(format!("how often? A number, not `{times}`")));
    }
    crate::run::run(crate::run::test(test).env(variable, times))
}

fn store_scale(arguments: &[String]) -> Result {
    let bench = ["bench", "-p", "conclave-benches", "--bench", "store_scale"];
    run_released(cargo(&bench), arguments)
}

fn run_released(mut command: Command, arguments: &[String]) -> Result {
    crate::run::run(command.args(arguments))
}

fn fuzz(arguments: &[String]) -> Result {
    let known = fuzz_targets(&root().join("fuzz/fuzz_targets"))?;
    let (targets, seconds) = fuzz_plan(arguments, known)?;
    for target in targets {
        // Not through `cargo()`: its toolchain is pinned to ours, and libFuzzer's sanitizers need nightly.
        let mut command = Command::new("cargo");
        command.env_remove("RUSTUP_TOOLCHAIN").current_dir(root());
        command.args([
            "+nightly",
            "fuzz",
            "run",
            &target,
            "--",
            &format!("-max_total_time={seconds}"),
        ]);
        crate::run::run(&mut command)?;
    }
    Ok(())
}

/// Which targets to run and for how long each, from what was typed.
fn fuzz_plan(arguments: &[String], known: Vec<String>) -> Result<(Vec<String>, u32)> {
    let (target, seconds) = match arguments {
        [] => (None, None),
        [one] if one.parse::<u32>().is_ok() => (None, Some(one)),
        [target] => (Some(target), None),
        [target, seconds] => (Some(target), Some(seconds)),
        [_, _, more, ..] => {
            return Err(Failure(format!(
                "fuzz takes a target and seconds, not `{more}`"
            )));
        }
    };
    let seconds = seconds
        .map_or(Ok(600), |s| s.parse())
        .map_err(|_| Failure("fuzz: SECONDS is a number".into()))?;
    match target {
        None => Ok((known, seconds)),
        Some(target) if known.contains(target) => Ok((vec![target.clone()], seconds)),
        Some(target) => Err(Failure(format!(
            "there is no fuzz target `{target}`; there are: {}",
            known.join(", ")
        ))),
    }
}

fn fuzz_targets(dir: &Path) -> Result<Vec<String>> {
    let unreadable = |e| Failure(format!("cannot list {}: {e}", dir.display()));
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if let (Some("rs"), Some(stem)) =
            (path.extension().and_then(|e| e.to_str()), path.file_stem())
        {
            targets.push(stem.display().to_string());
        }
    }
    targets.sort();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_listed() {
        for (i, campaign) in CAMPAIGNS.iter().enumerate() {
            assert!(
                CAMPAIGNS
                    .iter()
                    .skip(i + 1)
                    .all(|other| other.name != campaign.name)
            );
            assert!(listing().contains(campaign.about));
        }
        assert!(run("no-such-campaign", &[]).unwrap_err().0.contains("fuzz"));
    }

    #[test]
    fn fuzz_takes_a_target_and_seconds_in_any_measure() {
        let plan = |typed: &[&str]| {
            let typed: Vec<String> = typed.iter().map(|s| (*s).to_owned()).collect();
            fuzz_plan(&typed, vec!["pin".into(), "sdp".into()]).map_err(|f| f.0)
        };
        assert_eq!(plan(&[]), Ok((vec!["pin".into(), "sdp".into()], 600)));
        assert_eq!(plan(&["30"]), Ok((vec!["pin".into(), "sdp".into()], 30)));
        assert_eq!(plan(&["sdp", "5"]), Ok((vec!["sdp".into()], 5)));
        assert!(plan(&["xyz"]).unwrap_err().contains("pin, sdp"));
        assert!(plan(&["pin", "soon"]).is_err() && plan(&["pin", "5", "6"]).is_err());
    }
}
