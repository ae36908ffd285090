//! Bookings: before, inside and after their times, on a clock that the test sets.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use conclave_conference::Prompt;
use serde_json::Value;

use crate::{
    bridge::{Account, Bridge},
    ear::Ear,
    journey::{enter, first_host, joining_guest, two},
    phone::Phone,
    sipp::Step,
};

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Books from `start` to `end` for the account.
fn book(
    bridge: &Bridge,
    account: &Account,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    more: &[&str],
) -> Value {
    let id = account.id.to_string();
    let (start, end) = (rfc3339(start), rfc3339(end));
    let base = [
        "booking",
        "add",
        "--account",
        &id,
        "--title",
        "Board meeting",
        "--start",
        &start,
        "--end",
        &end,
    ];
    bridge.json(&[&base, more].concat())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key}: {value}"))
}

/// Calls, enters a PIN, and is told that it is not valid.
#[track_caller]
fn is_refused(bridge: &Bridge, voice: usize, pin: &str) {
    let mut phone = enter(bridge, voice, pin, &[]);
    phone.hears_all(&[Prompt::PinNotValid, Prompt::EnterPin]);
}

#[test]
fn a_booking_opens_in_its_time_only_and_ends_after_its_warnings() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let start = bridge.now() + TimeDelta::hours(1);
    let end = start + TimeDelta::hours(1);
    let booking = book(&bridge, &account, start, end, &[]);
    let (host_pin, guest_pin) = (text(&booking, "host_pin"), text(&booking, "guest_pin"));
    is_refused(&bridge, 0, host_pin);
    is_refused(&bridge, 1, guest_pin);

    bridge.go_to(start);
    let mut guest = enter(&bridge, 1, guest_pin, &[]);
    guest.hears(Prompt::HoldMusic);
    let mut host = enter(&bridge, 0, host_pin, &[]);
    host.hears(Prompt::PeopleInConference);
    // The booking is a conference of its own: the account's own PINs lead elsewhere.
    let mut other = first_host(&bridge, &account, 2);

    bridge.go_to(end - TimeDelta::minutes(5));
    host.hears(Prompt::FiveMinutesLeft);
    guest.hears(Prompt::FiveMinutesLeft);
    bridge.go_to(end - TimeDelta::minutes(1));
    host.hears(Prompt::OneMinuteLeft);
    guest.hears(Prompt::OneMinuteLeft);
    bridge.go_to(end);
    for phone in [&mut host, &mut guest] {
        phone.hears(Prompt::BookingEnded);
        phone.is_hung_up();
    }
    is_refused(&bridge, 0, host_pin);
    is_refused(&bridge, 1, guest_pin);
    assert!(!other.heard_prompts().contains(&Prompt::BookingEnded));
    other.press("##");
    other.is_hung_up();

    let reports = bridge.report("conferences");
    let booked: Vec<&Value> = reports
        .iter()
        .filter(|row| !row["booking"].is_null())
        .collect();
    assert_eq!(booked.len(), 1, "{reports:?}");
    assert_eq!(text(booked[0], "title"), "Board meeting");
    assert_eq!(text(booked[0], "reason"), "booking-ended");
}

#[test]
fn a_withdrawn_invitee_is_out_and_a_personal_pin_works_for_one_call_at_a_time() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let start = bridge.now() - TimeDelta::seconds(5);
    let invited = [
        "--invite",
        "Grace Hopper=grace@example.org",
        "--invite",
        "Alan Turing=alan@example.org",
    ];
    let booking = book(
        &bridge,
        &account,
        start,
        start + TimeDelta::hours(1),
        &invited,
    );
    let id = booking["id"].to_string();
    assert!(
        booking["guest_pin"].is_null(),
        "nobody needs one for all: {booking}"
    );
    let [grace, alan] = [0, 1].map(|n| text(&booking["invitees"][n], "pin").to_owned());

    let mut host = enter(&bridge, 0, text(&booking, "host_pin"), &[]);
    host.hears(Prompt::YouAreTheFirst);
    let mut first = enter(&bridge, 1, &grace, &[]);
    first.hears(Prompt::PeopleInConference);
    is_refused(&bridge, 2, &grace);
    let mut second = enter(&bridge, 3, &alan, &[]);
    second.hears(Prompt::PeopleInConference);

    // Who is in stays; the PIN lets nobody in any more.
    bridge.json(&["booking", "withdraw", &id, "grace@example.org"]);
    first.speak(true);
    crate::ear::check_hears(&host, &[&first]);
    first.hang_up();
    is_refused(&bridge, 2, &grace);
    second.hang_up();
    let mut again = enter(&bridge, 3, &alan, &[]);
    again.hears(Prompt::PeopleInConference);

    let calls = bridge.report("calls");
    assert!(
        calls.iter().any(|call| call["holder"] == "Grace Hopper"),
        "{calls:?}"
    );
}

#[test]
fn suspending_an_account_in_mid_conference_lets_nobody_else_in() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (host, guest) = two(&bridge, &account);
    bridge.json(&["account", "suspend", &account.id.to_string()]);
    is_refused(&bridge, 2, &account.guest_pin);
    is_refused(&bridge, 3, &account.host_pin);
    guest.speak(true);
    host.speak(true);
    crate::ear::check_hears(&host, &[&guest]);
    crate::ear::check_hears(&guest, &[&host]);
    bridge.json(&["account", "resume", &account.id.to_string()]);
    let _third = joining_guest(&bridge, &account, 2, &[]);
}

#[test]
fn a_clash_is_made_and_told() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let start = bridge.now() + TimeDelta::hours(1);
    let hour = TimeDelta::hours(1);
    let first = book(&bridge, &account, start, start + hour, &[]);
    let after = book(&bridge, &account, start + hour, start + hour * 2, &[]);
    assert_eq!(
        after["clashes"],
        serde_json::json!([]),
        "touching is no clash"
    );
    let id = account.id.to_string();
    let (from, to) = (rfc3339(start + hour / 2), rfc3339(start + hour * 3 / 2));
    let output = bridge.run(&[
        "booking",
        "add",
        "--account",
        &id,
        "--title",
        "Both",
        "--start",
        &from,
        "--end",
        &to,
        "--json",
    ]);
    assert!(output.status.success());
    let both: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        both["clashes"],
        serde_json::json!([first["id"], after["id"]])
    );
    let said = String::from_utf8(output.stderr).unwrap();
    for id in [&first["id"], &after["id"]] {
        assert!(
            said.contains(&format!("clashes with booking {id}")),
            "{said}"
        );
    }
}

#[test]
fn a_booking_that_is_prolonged_while_it_runs_ends_later() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let start = bridge.now() - TimeDelta::seconds(5);
    let end = start + TimeDelta::minutes(30);
    let later = end + TimeDelta::minutes(30);
    let booking = book(&bridge, &account, start, end, &[]);
    let id = booking["id"].to_string();
    let mut host = enter(&bridge, 0, text(&booking, "host_pin"), &[]);
    host.hears(Prompt::YouAreTheFirst);
    let mut guest = enter(&bridge, 1, text(&booking, "guest_pin"), &[]);
    guest.hears(Prompt::PeopleInConference);

    let (from, to) = (rfc3339(start), rfc3339(later));
    bridge.json(&["booking", "change", &id, "--start", &from, "--end", &to]);
    // The bridge asks for such news once a second.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    bridge.go_to(end + TimeDelta::seconds(2));
    host.skip();
    host.press("*6");
    host.hears(Prompt::Muted);
    bridge.go_to(later - TimeDelta::minutes(1));
    guest.hears(Prompt::OneMinuteLeft);
    bridge.go_to(later);
    for phone in [&mut host, &mut guest] {
        phone.hears(Prompt::BookingEnded);
        phone.is_hung_up();
    }
}

#[test]
fn a_series_opens_each_time_and_a_cancelled_one_never_again() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let start = bridge.now() + TimeDelta::hours(1);
    let series = ["--tz", "Europe/Berlin", "--rule", "FREQ=WEEKLY;COUNT=3"];
    let booking = book(
        &bridge,
        &account,
        start,
        start + TimeDelta::hours(1),
        &series,
    );
    assert_eq!(booking["occurrences"], 3, "{booking}");
    let pin = text(&booking, "host_pin").to_owned();
    // The clock may be put back or forward between: the same hour on the wall is an hour off then.
    let second = start + TimeDelta::days(7);
    bridge.go_to(start + TimeDelta::minutes(1));
    let mut host: Phone = enter(&bridge, 0, &pin, &[] as &[Step]);
    host.hears(Prompt::YouAreTheFirst);
    host.hang_up();
    bridge.go_to(second - TimeDelta::days(2));
    is_refused(&bridge, 0, &pin);
    bridge.json(&["booking", "cancel", &booking["id"].to_string()]);
    bridge.go_to(second + TimeDelta::minutes(1));
    is_refused(&bridge, 0, &pin);
}
