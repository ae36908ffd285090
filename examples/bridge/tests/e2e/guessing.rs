//! Guessing PINs: what the bridge remembers of it over a crash, who is let in meanwhile, and what an answer gives away.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use conclave_conference::Prompt;

use crate::{
    bridge::Bridge,
    ear::Ear,
    journey::{enter, first_host},
    phone::Phone,
};

/// Three well-formed wrong PINs a day turn on consent.
const WARY: &str = "[pins]\nwrong-a-day = 3\n";

/// A PIN with a right check digit that is nobody's: the account's with two digits changed so that they agree again.
fn unknown_pin(bridge: &Bridge) -> String {
    // One of an account that is closed at once would be known: an account of another bridge is not.
    let other = tempfile::tempdir().unwrap();
    let output = crate::bridge::binary()
        .args([
            "account",
            "add",
            "--name",
            "Eve",
            "--email",
            "eve@example.org",
            "--json",
            "--data",
        ])
        .arg(other.path().join("data"))
        .output()
        .unwrap();
    assert!(output.status.success() && bridge.sip > 0);
    let account: crate::bridge::Account = serde_json::from_slice(&output.stdout).unwrap();
    account.guest_pin
}

pub(crate) fn guess_three_times(bridge: &Bridge, voice: usize) {
    let mut phone = Phone::call(bridge.sip, voice, &[]);
    for last in [false, false, true] {
        phone.hears(Prompt::EnterPin);
        phone.press(&format!("{}#", unknown_pin(bridge)));
        phone.hears(if last {
            Prompt::Goodbye
        } else {
            Prompt::PinNotValid
        });
    }
    phone.is_hung_up();
}

#[test]
fn an_alarm_outlives_a_crash_and_is_ended_by_an_operator() {
    let bridge = Bridge::start_configured(WARY);
    let account = bridge.account(&[]);
    // The Host's number is known from now on.
    let host = first_host(&bridge, &account, 0);
    host.hang_up();
    guess_three_times(&bridge, 5);
    let directory = bridge.kill();

    let bridge = Bridge::start_in(
        directory,
        &["--prompts", "prompts", "--config", "bridge.toml"],
    );
    let mut host = first_host(&bridge, &account, 0);
    let mut guest = enter(&bridge, 1, &account.guest_pin, &[]);
    guest.hears(Prompt::WaitingForConsent);
    host.hears(Prompt::CallerWaitsForConsent);
    host.press("*4");
    std::thread::sleep(Duration::from_millis(800));
    host.press("*4");
    guest.hears(Prompt::PeopleInConference);

    // Until an operator ends it, in a bridge that runs.
    let ended = bridge.run(&["alarm", "end", "--config", "bridge.toml"]);
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    std::thread::sleep(Duration::from_millis(2500));
    let mut second = enter(&bridge, 2, &account.guest_pin, &[]);
    second.hears(Prompt::PeopleInConference);
    drop((host, second));
    std::thread::sleep(Duration::from_millis(1000));
    let verified = bridge.run(&["report", "audit", "--verify"]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    let kinds: Vec<String> = bridge
        .report("audit")
        .iter()
        .map(|row| row["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    for kind in [
        "account.added",
        "pin.wrong",
        "alarm.reached",
        "consent.ended",
        "alarm.ended",
        "call.admitted",
    ] {
        assert!(
            kinds.iter().any(|each| each == kind),
            "no {kind} in {kinds:?}"
        );
    }
}

/// How long after its last digit each of these PINs is refused, p50 over the tries. `CONCLAVE_TIMING_TRIES` sets how
/// many; with 200 the medians are held against 5 ms.
#[test]
fn a_pin_out_of_its_time_takes_as_long_as_an_unknown_one() {
    let tries = std::env::var("CONCLAVE_TIMING_TRIES")
        .ok()
        .and_then(|text| text.parse().ok());
    let tries: usize = tries.unwrap_or(8);
    let bridge = Bridge::start_configured(
        "[pins]\nfirst-delay-seconds = 0\nlongest-delay-seconds = 0\nwrong-a-day = 2000\n",
    );
    let account = bridge.account(&[]);
    let book = |from: TimeDelta| {
        let start = bridge.now() + from;
        let at = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (start, end) = (at(start), at(start + TimeDelta::seconds(2)));
        let id = account.id.to_string();
        let booking = bridge.json(&[
            "booking",
            "add",
            "--account",
            &id,
            "--title",
            "x",
            "--start",
            &start,
            "--end",
            &end,
        ]);
        booking["guest_pin"].as_str().unwrap().to_owned()
    };
    let suspended = bridge.account(&[]);
    bridge.json(&["account", "suspend", &suspended.id.to_string()]);
    let over = book(TimeDelta::seconds(1));
    let early = book(TimeDelta::days(10));
    std::thread::sleep(Duration::from_secs(3));
    let kinds = [
        ("unknown", String::new()),
        ("not begun", early),
        ("over", over),
        ("suspended", suspended.guest_pin),
    ];
    // Several telephones at once, each trying all kinds in turn, so that the machine's mood falls on all alike.
    let unknown: Vec<String> = (0..4).map(|_| unknown_pin(&bridge)).collect();
    let tried = |voice: usize| {
        let mut times = vec![Vec::new(); kinds.len()];
        for n in 0..tries.div_ceil(4) {
            for (kind, (_, pin)) in kinds.iter().enumerate() {
                let pin = if pin.is_empty() {
                    &unknown[(n + voice) % 4]
                } else {
                    pin
                };
                times[kind].extend(refused_after(&bridge, voice, pin));
            }
        }
        times
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let phones: Vec<_> = (0..4)
            .map(|voice| scope.spawn(move || tried(voice)))
            .collect();
        phones
            .into_iter()
            .map(|phone| phone.join().unwrap())
            .collect()
    });
    let mut medians = Vec::new();
    for (kind, (name, _)) in kinds.iter().enumerate() {
        let mut times: Vec<Duration> = all.iter().flat_map(|times| times[kind].clone()).collect();
        assert!(
            times.len() * 20 >= tries * 19,
            "{name}: {} of {tries} tries came to an answer",
            times.len()
        );
        times.sort_unstable();
        let median = times[times.len() / 2];
        eprintln!(
            "{name:<10} p50 {:>7.2} ms over {} tries",
            median.as_secs_f64() * 1000.0,
            times.len()
        );
        medians.push(median);
    }
    let spread = *medians.iter().max().unwrap() - *medians.iter().min().unwrap();
    let allowed = if tries >= 200 { 5 } else { 60 };
    assert!(spread <= Duration::from_millis(allowed), "{medians:?}");
}

/// From the end of the last key, `#`, to the first sound of the refusal; nothing where the telephone itself came to
/// nothing, on a machine that does too much.
fn refused_after(bridge: &Bridge, voice: usize, pin: &str) -> Option<Duration> {
    let mut phone = Phone::call(bridge.sip, voice, &[]);
    phone.hears_within(Prompt::EnterPin, Duration::from_secs(20))?;
    phone.press(&format!("{pin}#"));
    let time = phone.answered_after(Duration::from_secs(20))?;
    phone.hears_within(Prompt::PinNotValid, Duration::from_secs(20))?;
    Some(time)
}
