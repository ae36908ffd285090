//! The watch on guessing as a log that a store keeps: restarts, and several bridges.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, Alert, BookingId, ConferenceKey, Door, Doorkeeper, DoorkeeperState, Guess,
    Inquiry, Notice, Outcome, Owner, Pin, PinPolicy, Role, Ruling, Source, SourceKey, Ticket,
    Verdict,
};
use proptest::prelude::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

const DAY: i64 = 86_400;

/// Small numbers, so that short logs reach every one of them.
fn policy() -> PinPolicy {
    PinPolicy {
        free_tries: 2,
        known_tries: 2,
        quiet: 1,
        ceiling: 4,
        typing_ceiling: 6,
        sources: 5,
        ..PinPolicy::default()
    }
}

fn source(n: u8) -> Source {
    match n {
        0 => Source::withheld("trunk"),
        number => Source::new("trunk", &format!("+4930{number}")),
    }
}

fn pin(digits: &str) -> Pin {
    Pin::parse(digits).expect("a PIN")
}

/// A door of one of three accounts. The third's PIN has no check digit.
fn door(account: u64, known: bool) -> (Pin, Door) {
    let owner = Owner::new("Ada Byron", "ada@example.org").expect("an owner");
    let door = Account::new(AccountId(account), owner).door(Role::Guest);
    let pin = pin(if account == 2 { "5723" } else { "5724" });
    assert_eq!(pin.has_check_digit(), account != 2);
    (pin, Door { known, ..door })
}

/// What somebody types.
#[derive(Clone, Copy, Debug)]
enum Typed {
    Wrong,
    Mistyped,
    Closed,
    Right { account: u64, known: bool },
}

fn inquiry(who: u8, typed: Typed, now: DateTime<Utc>) -> Inquiry {
    let (pin, door, bound) = arguments(typed);
    Inquiry::new(&source(who), &pin, door, bound, now)
}

fn arguments(typed: Typed) -> (Pin, Option<Door>, Option<AccountId>) {
    match typed {
        Typed::Wrong => (pin("5724"), None, None),
        Typed::Mistyped => (pin("5723"), None, None),
        Typed::Closed => {
            let (pin, door) = door(0, false);
            (pin, Some(door), Some(AccountId(9)))
        }
        Typed::Right { account, known } => {
            let (pin, door) = door(account, known);
            (pin, Some(door), None)
        }
    }
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        4 => Just(Typed::Wrong),
        2 => Just(Typed::Mistyped),
        1 => Just(Typed::Closed),
        4 => (0..3u64, any::<bool>()).prop_map(|(account, known)| Typed::Right { account, known }),
    ]
}

/// Mostly seconds, at times most of a day.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0..20i64, 1 => 0..DAY, 1 => Just(DAY)]
}

fn notice() -> impl Strategy<Value = Notice> {
    let key = (0..3u64, any::<bool>()).prop_map(|(id, booking)| {
        if booking {
            ConferenceKey::Booking(BookingId(id))
        } else {
            ConferenceKey::Account(AccountId(id))
        }
    });
    let kind = prop_oneof![
        4 => Just(Guess::Wrong),
        1 => Just(Guess::Mistyped),
        1 => Just(Guess::Closed),
    ];
    let (role, now) = (Role::Guest, at(0));
    prop_oneof![
        8 => (0..9u8, kind).prop_map(move |(who, kind)| Notice::Guess {
            source: SourceKey::from(&source(who)),
            kind,
            at: now,
        }),
        3 => (key.clone(), proptest::option::of(0..3 * DAY)).prop_map(
            move |(conference, ends)| Notice::Touched {
                conference,
                role,
                account: AccountId(1),
                ends: ends.map(at),
                at: now,
            }
        ),
        2 => key.clone().prop_map(move |conference| Notice::Vouched { conference, role, at: now }),
        1 => key.prop_map(move |conference| Notice::Released { conference, role, at: now }),
        1 => Just(Notice::ConsentEnded { at: now }),
    ]
}

fn moved(mut notice: Notice, to: DateTime<Utc>) -> Notice {
    match &mut notice {
        Notice::Guess { at, .. }
        | Notice::Touched { at, .. }
        | Notice::Vouched { at, .. }
        | Notice::Released { at, .. }
        | Notice::ConsentEnded { at } => *at = to,
    }
    notice
}

/// A log whose bridges' clocks differ by up to a second.
fn log() -> impl Strategy<Value = Vec<Notice>> {
    let entry = (notice(), gap(), -500..500i64);
    proptest::collection::vec(entry, 0..60).prop_map(|entries| {
        let mut now = at(0);
        entries
            .into_iter()
            .map(|(notice, gap, skew)| {
                now += TimeDelta::seconds(gap);
                moved(notice, now + TimeDelta::milliseconds(skew))
            })
            .collect()
    })
}

fn through_json(state: &DoorkeeperState) -> DoorkeeperState {
    let text = serde_json::to_string(state).expect("a state is JSON");
    serde_json::from_str(&text).expect("the same state")
}

proptest! {
    /// One learns the whole log, the other one is restarted somewhere from a snapshot, late or
    /// with a clock that is a little behind, and looks at the time whenever it likes. That a bridge
    /// is restarted when the log has gone on for long is as if its clock were ahead.
    #[test]
    fn the_same_log_gives_the_same_doorkeeper(
        log in log(),
        cut in any::<prop::sample::Index>(),
        later in gap(),
        looks in proptest::collection::vec(gap(), 60),
    ) {
        let cut = cut.index(log.len() + 1);
        let mut whole = Doorkeeper::new(policy(), at(0));
        let rulings: Vec<_> = log.iter().map(|notice| whole.learn(notice)).collect();

        let mut restarted = Doorkeeper::new(policy(), at(5));
        let mut now = at(0);
        let mut end = now;
        for (n, notice) in log.iter().enumerate() {
            if n == cut {
                let state = through_json(&restarted.export());
                let restart = notice.at() + TimeDelta::seconds(later - 2);
                restarted = Doorkeeper::import(policy(), state, restart);
                end = restart;
            }
            now = now.max(notice.at());
            restarted.handle_timeout(now + TimeDelta::seconds(looks[n] % 3));
            prop_assert_eq!(restarted.learn(notice), rulings[n]);
        }
        prop_assert_eq!(restarted.export(), whole.export());
        let end = end.max(now + TimeDelta::seconds(3));
        restarted.handle_timeout(end);
        whole.handle_timeout(end);
        prop_assert_eq!(restarted.consent_since(), whole.consent_since());
    }

    #[test]
    fn to_judge_is_to_note_to_learn_and_to_answer(
        steps in proptest::collection::vec((0..4u8, typed(), gap(), any::<bool>()), 0..60),
    ) {
        let mut now = at(0);
        let mut alone = Doorkeeper::new(policy(), now);
        let mut logging = Doorkeeper::new(policy(), now);
        for (who, typed, gap, vouch) in steps {
            now += TimeDelta::seconds(gap);
            let (pin, found, bound) = arguments(typed);
            let expected = alone.judge(&source(who), &pin, found, bound, now);

            let inquiry = inquiry(who, typed, now);
            let ruling = inquiry.notice().and_then(|notice| logging.learn(&notice));
            let before = logging.export();
            let (verdict, touched) = logging.answer(inquiry, ruling, now);
            prop_assert_eq!(logging.export(), before, "to answer changes nothing");
            prop_assert_eq!(&verdict, &expected);
            touched.map(|notice| logging.learn(&notice));
            prop_assert_eq!(logging.export(), alone.export());

            if let (Outcome::Admit(ticket), true) = (verdict.outcome, vouch) {
                alone.vouch(&ticket);
                let notice = logging.vouched(&ticket, now);
                notice.map(|notice| logging.learn(&notice));
            }
        }
    }

    /// However the steps of PINs that come at once to several bridges interleave, the answers are
    /// those of one bridge that judges them one after another: each guess when it is in the log,
    /// each right PIN when the log was read for it.
    #[test]
    fn many_bridges_with_one_log_answer_as_one(
        bridges in 1..5usize,
        steps in proptest::collection::vec((any::<u8>(), 0..5u8, typed(), gap()), 0..120),
    ) {
        let mut now = at(0);
        let mut log = Log::default();
        let mut many: Vec<_> = (0..bridges).map(|_| Bridge::new(now)).collect();
        let mut one = Doorkeeper::new(policy(), now);
        let (mut opened, mut expected) = (0, 0);
        for (dice, who, typed, gap) in steps {
            let bridge = &mut many[usize::from(dice) % bridges];
            match dice / 64 {
                // A PIN is looked up, and is in the log if it opens nothing.
                0 | 1 if bridge.asked.len() < 4 => {
                    now += TimeDelta::seconds(gap);
                    let inquiry = inquiry(who, typed, now);
                    let entry = inquiry.notice().map(|notice| log.append(notice));
                    let verdict = entry.map(|_| {
                        let (pin, found, bound) = arguments(typed);
                        one.judge(&source(who), &pin, found, bound, now)
                    });
                    bridge.asked.push(Asked { inquiry, entry, who, typed, verdict });
                }
                // One that was asked before is answered.
                _ if !bridge.asked.is_empty() => {
                    let asked = bridge.asked.remove(usize::from(dice) % bridge.asked.len());
                    bridge.read(&log);
                    let ruling = asked.entry.and_then(|entry| bridge.rulings[entry]);
                    let (verdict, touched) = bridge.keeper.answer(asked.inquiry, ruling, now);
                    touched.map(|notice| log.append(notice));
                    let same = match asked.verdict {
                        Some(verdict) => verdict,
                        None => {
                            let (pin, found, bound) = arguments(asked.typed);
                            one.judge(&source(asked.who), &pin, found, bound, now)
                        }
                    };
                    opened += usize::from(opens(&verdict));
                    expected += usize::from(opens(&same));
                    prop_assert_eq!(
                        told(&verdict),
                        told(&same),
                        "{:?} at {}", asked.typed, now
                    );
                }
                _ => now += TimeDelta::seconds(gap),
            }
        }
        prop_assert_eq!(opened, expected);
        for bridge in &mut many {
            bridge.read(&log);
            prop_assert_eq!(bridge.keeper.export(), one.export());
        }
    }
}

#[derive(Default)]
struct Log(Vec<Notice>);

impl Log {
    fn append(&mut self, notice: Notice) -> usize {
        self.0.push(notice);
        self.0.len() - 1
    }
}

struct Bridge {
    keeper: Doorkeeper,
    /// Of each entry of the log that it has read.
    rulings: Vec<Option<Ruling>>,
    asked: Vec<Asked>,
}

struct Asked {
    inquiry: Inquiry,
    entry: Option<usize>,
    who: u8,
    typed: Typed,
    /// What the one bridge said when a guess came into the log.
    verdict: Option<Verdict>,
}

impl Bridge {
    fn new(now: DateTime<Utc>) -> Self {
        Self {
            keeper: Doorkeeper::new(policy(), now),
            rulings: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn read(&mut self, log: &Log) {
        for notice in &log.0[self.rulings.len()..] {
            self.rulings.push(self.keeper.learn(notice));
        }
    }
}

fn opens(verdict: &Verdict) -> bool {
    matches!(&verdict.outcome, Outcome::Admit(ticket) if !ticket.by_consent())
}

/// A right PIN's delay is counted from when it was typed, so its end differs where it was answered
/// later than the one bridge was asked.
fn told(verdict: &Verdict) -> (&Outcome, Option<DateTime<Utc>>) {
    let admitted = matches!(verdict.outcome, Outcome::Admit(_));
    (&verdict.outcome, (!admitted).then_some(verdict.ready_at))
}

/// What is stored is read by later versions.
#[test]
fn the_json_of_notices_is_pinned() {
    let check = |notice: Notice, expected: &str| {
        assert_eq!(serde_json::to_string(&notice).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Notice>(expected).unwrap(), notice);
    };
    let (now, role) = (at(0) + TimeDelta::microseconds(1500), Role::Host);
    for (kind, word) in [
        (Guess::Wrong, "wrong"),
        (Guess::Mistyped, "mistyped"),
        (Guess::Closed, "closed"),
    ] {
        let source = SourceKey::from(&source(1));
        let expected = format!(
            r#"{{"guess":{{"source":"e186f21617f173e58d9278b3976776c1","kind":"{word}","at":"2024-10-04T00:00:00.001500Z"}}}}"#
        );
        check(
            Notice::Guess {
                source,
                kind,
                at: now,
            },
            &expected,
        );
    }
    let conference = ConferenceKey::Booking(BookingId(7));
    check(
        Notice::Touched {
            conference,
            role,
            account: AccountId(3),
            ends: Some(at(60)),
            at: now,
        },
        r#"{"touched":{"conference":{"booking":7},"role":"host","account":3,"ends":"2024-10-04T00:01:00Z","at":"2024-10-04T00:00:00.001500Z"}}"#,
    );
    let conference = ConferenceKey::Account(AccountId(3));
    check(
        Notice::Touched {
            conference,
            role: Role::Guest,
            account: AccountId(3),
            ends: None,
            at: at(0),
        },
        r#"{"touched":{"conference":{"account":3},"role":"guest","account":3,"ends":null,"at":"2024-10-04T00:00:00Z"}}"#,
    );
    check(
        Notice::Vouched {
            conference,
            role,
            at: at(0),
        },
        r#"{"vouched":{"conference":{"account":3},"role":"host","at":"2024-10-04T00:00:00Z"}}"#,
    );
    check(
        Notice::Released {
            conference,
            role,
            at: at(0),
        },
        r#"{"released":{"conference":{"account":3},"role":"host","at":"2024-10-04T00:00:00Z"}}"#,
    );
    check(
        Notice::ConsentEnded { at: at(0) },
        r#"{"consent_ended":{"at":"2024-10-04T00:00:00Z"}}"#,
    );
    for broken in [
        "e186f216",
        "+186f21617f173e58d9278b3976776c1",
        "z186f21617f173e58d9278b3976776c1",
    ] {
        assert!(serde_json::from_str::<SourceKey>(&format!("{broken:?}")).is_err());
    }
}

fn stranger(keeper: &mut Doorkeeper, now: DateTime<Utc>) -> (Ticket, Option<Notice>) {
    let typed = Typed::Right {
        account: 0,
        known: false,
    };
    let (verdict, touched) = keeper.answer(inquiry(8, typed, now), None, now);
    match verdict.outcome {
        Outcome::Admit(ticket) => (ticket, touched),
        other => panic!("{other:?}"),
    }
}

/// Killed in the middle of an attack: what is in the log counts, whichever snapshot there was.
#[test]
fn a_bridge_that_was_killed_goes_on_where_the_log_is() {
    for snapshot_after in [None, Some(0), Some(2), Some(4), Some(5)] {
        let mut keeper = Doorkeeper::new(policy(), at(0));
        let mut log = Vec::new();
        let mut snapshot = (DoorkeeperState::default(), 0);
        for n in 0..4 {
            let notice = inquiry(n, Typed::Wrong, at(n.into())).notice().unwrap();
            log.push(notice);
        }
        for (n, notice) in log.clone().iter().enumerate() {
            if snapshot_after == Some(n) {
                snapshot = (keeper.export(), n);
            }
            keeper.learn(notice);
        }
        assert_eq!(keeper.consent_since(), Some(at(3)));
        let (ticket, touched) = stranger(&mut keeper, at(4));
        assert!(ticket.by_consent());
        log.push(touched.unwrap());
        // Killed here: the bridge never learned the last entry.

        let mut again = Doorkeeper::import(policy(), through_json(&snapshot.0), at(60));
        for notice in &log[snapshot.1..] {
            again.learn(notice);
        }
        let mut replayed = Vec::new();
        while let Some(alert) = again.poll_alert() {
            replayed.push(alert);
        }
        assert!(
            matches!(replayed[..], [] | [Alert::CeilingReached { .. }]),
            "{replayed:?}"
        );
        assert_eq!(again.consent_since(), Some(at(3)));
        assert!(stranger(&mut again, at(61)).0.by_consent());
        assert_eq!(again.poll_timeout(), Some(at(DAY + 3)));
        again.handle_timeout(at(DAY + 3));
        assert!(matches!(again.poll_alert(), Some(Alert::Quiet { .. })));
        let (later, touched) = stranger(&mut again, at(DAY + 4));
        assert!(later.by_consent(), "found out during the alarm");
        assert_eq!(touched, None);
        // The human who let the first one in did so on the bridge that was killed.
        let vouched = again.vouched(&ticket, at(DAY + 5)).unwrap();
        again.learn(&vouched);
        assert!(!stranger(&mut again, at(DAY + 6)).0.by_consent());
        assert_eq!(again.vouched(&later, at(DAY + 7)), None);
    }
}

/// Every bridge's operator hears of the ceiling, though no bridge saw more than two guesses.
#[test]
fn each_bridge_raises_the_alarm() {
    let mut bridges: Vec<_> = (0..2).map(|_| Bridge::new(at(0))).collect();
    let mut log = Log::default();
    for n in 0..4 {
        log.append(inquiry(n, Typed::Wrong, at(n.into())).notice().unwrap());
    }
    for bridge in &mut bridges {
        bridge.read(&log);
        assert!(matches!(
            bridge.keeper.poll_alert(),
            Some(Alert::CeilingReached { at: when, .. }) if when == at(3)
        ));
        assert_eq!(bridge.keeper.poll_alert(), None);
    }
    log.append(Notice::ConsentEnded { at: at(9) });
    for bridge in &mut bridges {
        bridge.read(&log);
        assert_eq!(bridge.keeper.consent_since(), None);
        assert!(matches!(
            bridge.keeper.poll_alert(),
            Some(Alert::Ended { .. })
        ));
    }
}
