//! Guessing, as the rules have it: delays, the ceiling, consent, and what ends it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{Alert, Attempt, Ceiling, PinPolicy, Source, Throttle, ThrottleState};

const STRANGER: Attempt = Attempt::Opens {
    known: false,
    check_digit: true,
};
const FRIEND: Attempt = Attempt::Opens {
    known: true,
    check_digit: true,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

const DAY: i64 = 86_400;

fn number(n: u32) -> Source {
    Source::new("trunk", &format!("+49{n}"))
}

fn throttle() -> Throttle {
    Throttle::new(PinPolicy::default(), at(0))
}

/// A wrong PIN from each of so many numbers.
fn flood(throttle: &mut Throttle, numbers: std::ops::Range<u32>, now: DateTime<Utc>) {
    for n in numbers {
        throttle.attempt(&number(n), Attempt::Wrong, now);
    }
}

#[test]
fn five_wrong_pins_are_free_then_delays_grow_to_thirty_seconds() {
    for wrong in [Attempt::Wrong, Attempt::Closed] {
        let mut throttle = throttle();
        let mut delays = || throttle.attempt(&number(1), wrong, at(0)).delay.as_secs();
        let seen: Vec<u64> = std::iter::repeat_with(&mut delays).take(14).collect();
        assert_eq!(
            seen,
            [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30],
            "{wrong:?}"
        );
        // The right PIN waits as long: or else a caller would hang up and try the next.
        assert_eq!(
            throttle.attempt(&number(1), FRIEND, at(1)).delay.as_secs(),
            30
        );
        assert!(
            throttle.attempt(&number(2), FRIEND, at(1)).delay.is_zero(),
            "another source"
        );
    }
}

#[test]
fn a_day_is_the_last_24_hours() {
    let mut throttle = throttle();
    for n in 0..6 {
        throttle.attempt(&number(1), Attempt::Wrong, at(n * 3600));
    }
    let delay =
        |throttle: &mut Throttle, now| throttle.attempt(&number(1), FRIEND, now).delay.as_secs();
    assert_eq!(
        delay(&mut throttle, at(DAY) - TimeDelta::milliseconds(1)),
        2
    );
    assert_eq!(delay(&mut throttle, at(DAY)), 1);
    assert_eq!(delay(&mut throttle, at(DAY + 3600)), 0);
}

#[test]
fn withheld_numbers_of_a_trunk_are_one_source() {
    let mut throttle = throttle();
    for _ in 0..5 {
        throttle.attempt(&Source::withheld("a"), Attempt::Wrong, at(0));
    }
    assert_eq!(
        throttle
            .attempt(&Source::withheld("a"), STRANGER, at(0))
            .delay
            .as_secs(),
        1
    );
    assert_eq!(
        throttle
            .attempt(&Source::withheld("b"), STRANGER, at(0))
            .delay
            .as_secs(),
        0
    );
}

#[test]
fn typing_errors_are_no_guesses() {
    let mut throttle = throttle();
    for _ in 0..500 {
        let ruling = throttle.attempt(&number(1), Attempt::Mistyped, at(0));
        assert!(ruling.delay.is_zero() && !ruling.by_consent);
    }
    assert!(
        throttle
            .attempt(&number(1), STRANGER, at(0))
            .delay
            .is_zero()
    );
    assert_eq!(throttle.consent(Ceiling::WrongPins), None);
    assert_eq!(throttle.count_today(Ceiling::WrongPins), 0);
}

#[test]
fn the_hundredth_wrong_pin_raises_the_alarm_and_known_numbers_pass() {
    let mut throttle = throttle();
    flood(&mut throttle, 0..99, at(0));
    assert_eq!(throttle.count_today(Ceiling::WrongPins), 99);
    assert!(!throttle.attempt(&number(500), STRANGER, at(1)).by_consent);
    assert_eq!(throttle.poll_alert(), None);
    flood(&mut throttle, 99..100, at(2));
    let alarm = Alert::CeilingReached {
        ceiling: Ceiling::WrongPins,
        at: at(2),
    };
    assert_eq!(
        (throttle.poll_alert(), throttle.poll_alert()),
        (Some(alarm), None)
    );
    assert!(throttle.attempt(&number(500), STRANGER, at(3)).by_consent);
    assert!(!throttle.attempt(&number(500), FRIEND, at(3)).by_consent);
    assert!(
        throttle
            .attempt(&Source::withheld("trunk"), FRIEND, at(3))
            .by_consent,
        "nobody's number"
    );
}

#[test]
fn those_who_know_a_pin_that_opens_nothing_now_raise_no_alarm() {
    let mut throttle = throttle();
    for n in 0..1000 {
        throttle.attempt(&number(n), Attempt::Closed, at(0));
    }
    assert_eq!(throttle.consent(Ceiling::WrongPins), None);
}

#[test]
fn a_known_number_has_five_wrong_pins_a_day_while_consent_is_on() {
    let mut throttle = throttle();
    flood(&mut throttle, 1000..1100, at(0));
    for n in 1..=5 {
        assert!(
            !throttle.attempt(&number(1), FRIEND, at(n)).by_consent,
            "after {} wrong",
            n - 1
        );
        throttle.attempt(&number(1), Attempt::Wrong, at(n));
    }
    assert!(throttle.attempt(&number(1), FRIEND, at(10)).by_consent);
    assert!(!throttle.attempt(&number(2), FRIEND, at(10)).by_consent);
    // The attack goes on; the number's own day passes.
    flood(&mut throttle, 1000..1100, at(DAY));
    assert!(
        !throttle
            .attempt(&number(1), FRIEND, at(DAY + 10))
            .by_consent
    );
}

#[test]
fn consent_ends_after_a_quiet_day() {
    let mut throttle = throttle();
    flood(&mut throttle, 0..100, at(0));
    flood(&mut throttle, 100..150, at(3600));
    throttle.poll_alert();
    assert_eq!(throttle.poll_timeout(), Some(at(DAY + 3600)));
    throttle.handle_timeout(at(DAY + 3599));
    assert_eq!(throttle.consent(Ceiling::WrongPins), Some(at(0)));
    throttle.handle_timeout(at(DAY + 3600));
    assert_eq!(throttle.consent(Ceiling::WrongPins), None);
    let quiet = Alert::Quiet {
        ceiling: Ceiling::WrongPins,
        at: at(DAY + 3600),
    };
    assert_eq!(throttle.poll_alert(), Some(quiet));
    assert_eq!(throttle.poll_timeout(), None);
    assert!(
        !throttle
            .attempt(&number(1), STRANGER, at(DAY + 3600))
            .by_consent
    );
}

#[test]
fn ten_honest_slips_a_day_are_quiet_and_eleven_are_not() {
    for (slips, ends) in [(10, true), (11, false)] {
        let mut throttle = throttle();
        flood(&mut throttle, 0..100, at(0));
        flood(&mut throttle, 0..slips, at(DAY / 2));
        throttle.handle_timeout(at(DAY));
        assert_eq!(
            throttle.consent(Ceiling::WrongPins).is_none(),
            ends,
            "{slips} slips"
        );
    }
}

#[test]
fn an_operator_ends_consent_and_the_count_starts_afresh() {
    let mut throttle = throttle();
    flood(&mut throttle, 0..100, at(0));
    throttle.poll_alert();
    throttle.end_consent(Ceiling::WrongPins, at(5));
    let ended = Alert::Ended {
        ceiling: Ceiling::WrongPins,
        at: at(5),
    };
    assert_eq!(throttle.poll_alert(), Some(ended));
    flood(&mut throttle, 200..299, at(6));
    assert!(!throttle.attempt(&number(1), STRANGER, at(7)).by_consent);
    flood(&mut throttle, 299..300, at(8));
    assert!(throttle.attempt(&number(1), STRANGER, at(9)).by_consent);
}

#[test]
fn typing_errors_are_guesses_at_pins_without_a_check_digit() {
    let migrated = |known| Attempt::Opens {
        known,
        check_digit: false,
    };
    let mut throttle = throttle();
    for n in 0..1000 {
        assert!(
            !throttle
                .attempt(&number(9), migrated(false), at(0))
                .by_consent,
            "after {n}"
        );
        throttle.attempt(&number(n), Attempt::Mistyped, at(0));
    }
    assert!(
        throttle
            .attempt(&number(9), migrated(false), at(1))
            .by_consent
    );
    assert!(
        !throttle
            .attempt(&number(9), migrated(true), at(1))
            .by_consent
    );
    assert!(
        !throttle.attempt(&number(9), STRANGER, at(1)).by_consent,
        "others are not touched"
    );
    assert_eq!(throttle.consent(Ceiling::WrongPins), None);
}

#[test]
fn delays_can_be_switched_off_and_a_ceiling_of_zero_is_always_consent() {
    let policy = PinPolicy {
        longest_delay: Duration::ZERO,
        ceiling: 0,
        ..PinPolicy::default()
    };
    let mut throttle = Throttle::new(policy, at(0));
    for n in 0..50 {
        assert!(
            throttle
                .attempt(&number(1), Attempt::Wrong, at(n))
                .delay
                .is_zero()
        );
    }
    assert!(throttle.attempt(&number(2), STRANGER, at(50)).by_consent);
    throttle.end_consent(Ceiling::WrongPins, at(51));
    assert!(
        throttle
            .attempt(&number(2), STRANGER, at(9 * DAY))
            .by_consent
    );
    assert_eq!(throttle.poll_timeout(), None);
}

#[test]
fn absurd_policies_and_times_are_survived() {
    let policy = PinPolicy {
        free_tries: u32::MAX,
        first_delay: Duration::MAX,
        longest_delay: Duration::MAX,
        ceiling: u32::MAX,
        quiet: u32::MAX,
        known_tries: u32::MAX,
        sources: 0,
        ..PinPolicy::default()
    };
    let mut throttle = Throttle::new(policy, DateTime::<Utc>::MAX_UTC);
    for n in 0..200 {
        throttle.attempt(&number(n % 3), Attempt::Wrong, DateTime::<Utc>::MIN_UTC);
        throttle.attempt(&number(n % 3), FRIEND, DateTime::<Utc>::MAX_UTC);
    }
    let text = serde_json::to_string(&throttle.export()).unwrap();
    assert!(text.len() < 20_000, "{}", text.len());
}

#[test]
fn a_restart_forgets_nothing() {
    let mut throttle = throttle();
    flood(&mut throttle, 0..100, at(0));
    for _ in 0..7 {
        throttle.attempt(&number(1), Attempt::Wrong, at(1));
    }
    let text = serde_json::to_string(&throttle.export()).unwrap();
    assert!(!text.contains("+49"), "numbers in the clear: {text}");
    let state: ThrottleState = serde_json::from_str(&text).unwrap();
    let mut again = Throttle::import(PinPolicy::default(), state, at(2));
    assert_eq!(serde_json::to_string(&again.export()).unwrap(), text);
    assert_eq!(again.consent(Ceiling::WrongPins), Some(at(0)));
    assert_eq!(
        again.attempt(&number(1), STRANGER, at(3)),
        throttle.attempt(&number(1), STRANGER, at(3))
    );

    // Under a policy that remembers less, and with a clock that was put right meanwhile.
    let policy = PinPolicy {
        sources: 3,
        ceiling: 50,
        ..PinPolicy::default()
    };
    let early = at(-10 * DAY);
    let mut put_right = Throttle::import(policy, throttle.export(), early);
    assert!(put_right.attempt(&number(777), STRANGER, early).by_consent);
    put_right.handle_timeout(early + TimeDelta::days(1));
    assert!(
        !put_right
            .attempt(&number(777), STRANGER, early + TimeDelta::days(1))
            .by_consent
    );
}
