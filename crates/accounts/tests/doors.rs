//! What opens which door, and what a caller can tell of those that stay shut.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, Announce, BookingId, ConferenceKey, Directory,
    DirectoryError, Doorkeeper, HostLeaves, Outcome, Owner, OwnerError, Pin, PinKey, PinPolicy,
    Role, Source, Terms, TermsError, Ticket, Verdict, Window, WindowError,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn caller() -> Source {
    Source::new("trunk", "+4930123456")
}

/// Three accounts (the second suspended, the third with consent), a booking of the first.
struct House {
    directory: Directory,
    keeper: Doorkeeper,
    rng: StdRng,
}

const ADA: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);
const EVE: AccountId = AccountId(3);

impl House {
    fn new() -> Self {
        Self {
            directory: Directory::new(PinKey::new([1; 32])),
            keeper: Doorkeeper::new(PinPolicy::default(), at(0)),
            rng: StdRng::seed_from_u64(5),
        }
    }

    fn draw(&mut self, digits: u8) -> Pin {
        Pin::draw(digits, &mut self.rng).expect("a good length")
    }

    fn account(&mut self, id: AccountId) -> (Pin, Pin) {
        let owner = Owner::new("Ada Byron", "ada@example.org").expect("an owner");
        let (host, guest) = (self.draw(12), self.draw(10));
        self.directory
            .add(Account::new(id, owner), &host, &guest)
            .expect("fresh PINs");
        (host, guest)
    }

    fn judge(
        &mut self,
        source: &Source,
        pin: &Pin,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let found = self.directory.find_for(source, pin, now);
        self.keeper.judge(source, pin, found, bound, now)
    }

    fn ticket(&mut self, source: &Source, pin: &Pin, now: DateTime<Utc>) -> Ticket {
        match self.judge(source, pin, None, now).outcome {
            Outcome::Admit(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// A hundred wrong PINs from as many numbers.
    fn attack(&mut self, now: DateTime<Utc>) {
        for n in 0..100 {
            let pin = self.draw(10);
            self.judge(&Source::new("trunk", &format!("+1{n}")), &pin, None, now);
        }
        assert_eq!(self.keeper.consent_since(), Some(now));
    }
}

#[test]
fn each_pin_gives_its_role() {
    let mut house = House::new();
    let (host, guest) = house.account(ADA);
    for (pin, role) in [(host, Role::Host), (guest, Role::Guest)] {
        let ticket = house.ticket(&caller(), &pin, at(0));
        assert_eq!((ticket.account(), ticket.role()), (ADA, role));
        assert_eq!(ticket.conference(), ConferenceKey::Account(ADA));
        assert_eq!(
            (ticket.terms(), ticket.by_consent()),
            (&Terms::default(), false)
        );
        assert_eq!((ticket.ends_at(), ticket.holder()), (None, None));
    }
}

/// All answers but the typing error are equal, to the delay and over many tries.
#[test]
fn what_opens_nothing_now_cannot_be_told_apart() {
    let mut house = House::new();
    house.account(ADA);
    let (_, suspended) = house.account(BOB);
    house
        .directory
        .set_state(BOB, AccountState::Suspended)
        .unwrap();
    let (_, closed) = house.account(EVE);
    house
        .directory
        .set_state(EVE, AccountState::Closed)
        .unwrap();
    let mut booked = |id: u64, starts: i64| {
        let window = Window::new(at(starts), at(starts + 3600), Duration::ZERO).unwrap();
        let (host, guest) = (house.draw(12), house.draw(10));
        house
            .directory
            .book(BookingId(id), ADA, window, &host, &guest)
            .unwrap();
        guest
    };
    let (not_begun, over) = (booked(1, 7200), booked(2, -7200));
    let (_, other_account) = house.account(AccountId(4));
    let unknown = house.draw(10);
    let cases = [unknown, suspended, closed, not_begun, over, other_account];
    let verdicts: Vec<Vec<Verdict>> = cases
        .iter()
        .zip(0..)
        .map(|(pin, n)| {
            let source = Source::new("trunk", &format!("+49{n}"));
            (0..12)
                .map(|n| house.judge(&source, pin, Some(ADA), at(n)))
                .collect()
        })
        .collect();
    assert_eq!(verdicts[0][0].outcome, Outcome::NotValid);
    assert!(verdicts[0][11].ready_at > at(30));
    for (case, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict, &verdicts[0], "case {case}");
    }
}

#[test]
fn looked_up_first_then_the_check_digit() {
    let mut house = House::new();
    let owner = Owner::new("Ada Byron", "ada@example.org").unwrap();
    let migrated = Pin::parse("8302916475").unwrap();
    assert!(!migrated.has_check_digit());
    let host = house.draw(12);
    house
        .directory
        .add(Account::new(ADA, owner), &host, &migrated)
        .unwrap();
    assert_eq!(
        house.ticket(&caller(), &migrated, at(0)).role(),
        Role::Guest
    );
    let unknown = Pin::parse("8302916476").unwrap();
    assert!(!unknown.has_check_digit());
    for n in 0..20 {
        let verdict = house.judge(&caller(), &unknown, None, at(n));
        assert_eq!(
            verdict,
            Verdict {
                outcome: Outcome::Mistyped,
                ready_at: at(n)
            }
        );
    }
    house
        .directory
        .set_state(ADA, AccountState::Suspended)
        .unwrap();
    assert_eq!(
        house.judge(&caller(), &migrated, None, at(0)).outcome,
        Outcome::NotValid
    );
}

#[test]
fn a_booking_opens_in_its_window_alone() {
    let mut house = House::new();
    house.account(ADA);
    let (host, guest, invitee) = (house.draw(12), house.draw(10), house.draw(10));
    let window = Window::new(at(600), at(1200), Duration::from_secs(60)).unwrap();
    let id = BookingId(7);
    house
        .directory
        .book(id, ADA, window, &host, &guest)
        .unwrap();
    house
        .directory
        .invite(id, " Grace Hopper ", &invitee)
        .unwrap();
    for (now, opens) in [
        (539, false),
        (540, true),
        (600, true),
        (1199, true),
        (1200, false),
    ] {
        for pin in [&host, &guest, &invitee] {
            let source = Source::new("trunk", &format!("+{now}"));
            let verdict = house.judge(&source, pin, None, at(now));
            assert_eq!(
                matches!(verdict.outcome, Outcome::Admit(_)),
                opens,
                "at {now}"
            );
        }
    }
    let ticket = house.ticket(&caller(), &invitee, at(600));
    assert_eq!(
        (ticket.conference(), ticket.ends_at()),
        (ConferenceKey::Booking(id), Some(at(1200)))
    );
    assert_eq!(
        (ticket.holder(), ticket.role()),
        (Some("Grace Hopper"), Role::Guest)
    );
    assert!(house.directory.withdraw(&invitee));
    assert_eq!(
        house.judge(&caller(), &invitee, None, at(600)).outcome,
        Outcome::NotValid
    );
    assert_eq!(house.ticket(&caller(), &guest, at(600)).holder(), None);
}

#[test]
fn a_booking_that_is_moved_opens_in_its_new_window() {
    let mut house = House::new();
    house.account(ADA);
    let (host, guest, id) = (house.draw(12), house.draw(10), BookingId(7));
    let window = |starts, ends| Window::new(at(starts), at(ends), Duration::ZERO).unwrap();
    let directory = &mut house.directory;
    assert_eq!(
        directory.reschedule(id, window(0, 60)),
        Err(DirectoryError::NoBooking(id))
    );
    directory
        .book(id, ADA, window(0, 60), &host, &guest)
        .unwrap();
    directory.reschedule(id, window(30, 120)).unwrap();
    assert_eq!(
        house.judge(&caller(), &guest, None, at(10)).outcome,
        Outcome::NotValid
    );
    let ticket = house.ticket(&caller(), &guest, at(90));
    assert_eq!(ticket.ends_at(), Some(at(120)));
}

#[test]
fn an_account_that_admits_by_consent_asks_it_of_guests() {
    let mut house = House::new();
    let owner = Owner::new("Eve Adams", "eve@example.org").unwrap();
    let mut account = Account::new(EVE, owner);
    account.terms.consent = true;
    let (host, guest) = (house.draw(12), house.draw(10));
    house.directory.add(account, &host, &guest).unwrap();
    assert!(house.ticket(&caller(), &guest, at(0)).by_consent());
    assert!(!house.ticket(&caller(), &host, at(0)).by_consent());
}

#[test]
fn under_attack_strangers_ask_and_known_numbers_pass_with_either_pin() {
    let mut house = House::new();
    let (host, guest) = house.account(ADA);
    let ticket = house.ticket(&caller(), &guest, at(0));
    house.directory.opened(&caller(), &ticket, at(0));
    house.attack(at(10));
    let stranger = Source::new("trunk", "+33100000000");
    for pin in [&host, &guest] {
        assert!(house.ticket(&stranger, pin, at(20)).by_consent());
        assert!(!house.ticket(&caller(), pin, at(20)).by_consent());
    }
    // Known to one account is known to no other.
    let (_, other) = house.account(BOB);
    assert!(house.ticket(&caller(), &other, at(20)).by_consent());
    // Nor for longer than 90 days.
    let later = at(0) + TimeDelta::days(90);
    house.attack(later);
    assert!(house.ticket(&caller(), &guest, later).by_consent());
}

/// A PIN found out while nobody was let in by it is of no use afterwards, and an honest first
/// caller whom somebody let in leaves no trace.
#[test]
fn a_pin_recognised_under_attack_stays_by_consent_until_vouched_for() {
    let mut house = House::new();
    let (host, guest) = house.account(ADA);
    let (guesser, honest) = (Source::new("trunk", "+1666"), Source::new("trunk", "+1777"));
    house.attack(at(0));
    house.ticket(&guesser, &guest, at(10));
    let ticket = house.ticket(&honest, &guest, at(20));
    house.keeper.vouch(&ticket);
    let ticket = house.ticket(&honest, &host, at(20));
    house.keeper.vouch(&ticket);

    let calm = at(2 * 86_400);
    house.keeper.handle_timeout(calm);
    assert_eq!(house.keeper.consent_since(), None);
    let guest_door = (ADA, ConferenceKey::Account(ADA), Role::Guest);
    assert_eq!(house.keeper.suspects().collect::<Vec<_>>(), [guest_door]);
    assert!(
        !house
            .ticket(&Source::new("trunk", "+1888"), &host, calm)
            .by_consent()
    );
    let again = house.ticket(&Source::new("trunk", "+1888"), &guest, calm);
    assert!(again.by_consent(), "found out by +1666");
    // To vouch for a caller who came after the alarm says nothing about the one in it.
    house.keeper.vouch(&again);
    assert!(house.ticket(&guesser, &guest, calm).by_consent());

    // It outlives a restart, and ends with the PIN.
    let state = serde_json::to_string(&house.keeper.export()).unwrap();
    let state = serde_json::from_str(&state).unwrap();
    house.keeper = Doorkeeper::import(PinPolicy::default(), state, calm);
    assert!(house.ticket(&guesser, &guest, calm).by_consent());
    house
        .keeper
        .release(ConferenceKey::Account(ADA), Role::Guest);
    assert!(!house.ticket(&guesser, &guest, calm).by_consent());
}

#[test]
fn an_operator_ends_consent_and_suspicion_stays() {
    let mut house = House::new();
    let (host, guest) = house.account(ADA);
    house.attack(at(0));
    house.ticket(&caller(), &guest, at(1));
    house.keeper.end_consent(at(2));
    assert!(house.ticket(&caller(), &guest, at(3)).by_consent());
    assert!(!house.ticket(&caller(), &host, at(3)).by_consent());
}

#[test]
fn a_directory_takes_no_pin_twice() {
    let mut house = House::new();
    let (host, guest) = house.account(ADA);
    let fresh = house.draw(10);
    let account = |id| Account::new(id, Owner::new("Bob Kahn", "bob@example.org").unwrap());
    let directory = &mut house.directory;
    assert_eq!(
        directory.add(account(ADA), &fresh, &fresh),
        Err(DirectoryError::AccountExists(ADA))
    );
    for (a, b) in [(&host, &fresh), (&fresh, &guest), (&fresh, &fresh)] {
        assert_eq!(
            directory.add(account(BOB), a, b),
            Err(DirectoryError::PinInUse)
        );
    }
    assert!(
        directory.find(&fresh).is_none() && directory.account(BOB).is_none(),
        "half an account"
    );
    let window = Window::new(at(0), at(1), Duration::ZERO).unwrap();
    let id = BookingId(1);
    assert_eq!(
        directory.book(id, BOB, window, &fresh, &host),
        Err(DirectoryError::NoAccount(BOB))
    );
    assert_eq!(
        directory.book(id, ADA, window, &fresh, &host),
        Err(DirectoryError::PinInUse)
    );
    assert_eq!(
        directory.invite(id, "Grace", &fresh),
        Err(DirectoryError::NoBooking(id))
    );
    assert_eq!(directory.doors().total(), 2);
    assert!(PinPolicy::default().check(&directory.doors()).is_ok());
}

#[test]
fn owners_are_named_persons_who_can_be_written_to() {
    let check = |name: &str, email: &str, expected: Result<(), OwnerError>| {
        assert_eq!(
            Owner::new(name, email).map(|_| ()),
            expected,
            "{name:?} {email:?}"
        );
    };
    check("Ada Byron", "ada@example.org", Ok(()));
    check("  José Núñez-Ō ", " j.n+conf@sub.example-mail.org ", Ok(()));
    check("王小明", "ming@例子.测试", Ok(()));
    let too_long = "a".repeat(101);
    for name in ["", "   ", "4711", "Ada\nByron", "Ada\u{7}", &too_long] {
        check(name, "ada@example.org", Err(OwnerError::Name));
    }
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long_domain = format!("a@{}org", "abcdefghi.".repeat(30));
    for email in [
        "",
        "ada",
        "ada@",
        "@example.org",
        "ada@example",
        "ada@@example.org",
        "a b@example.org",
        "ada@exam ple.org",
        "ada@example..org",
        ".ada@example.org",
        "ada@-example.org",
        "<ada@example.org>",
        "ada@example.org\r\nBcc: x@example.org",
        &long_local,
        &long_domain,
    ] {
        check("Ada", email, Err(OwnerError::Email));
    }
    let owner: Owner =
        serde_json::from_str(r#"{"name":" Ada ","email":"ada@example.org"}"#).unwrap();
    assert_eq!((owner.name(), owner.email()), ("Ada", "ada@example.org"));
    assert!(serde_json::from_str::<Owner>(r#"{"name":"Ada","email":"ada"}"#).is_err());
}

#[test]
fn terms_have_bounds() {
    let terms = Terms::default();
    assert_eq!(terms.validate(), Ok(()));
    assert!(!terms.names());
    assert!(
        Terms {
            exit: Announce::Name,
            ..terms.clone()
        }
        .names()
    );
    let grace = |seconds| HostLeaves::Hangup {
        grace: Duration::from_secs(seconds),
    };
    assert_eq!(
        Terms {
            host_leaves: grace(120),
            ..terms.clone()
        }
        .validate(),
        Ok(())
    );
    for (bad, expected) in [
        (
            Terms {
                host_leaves: grace(121),
                ..terms.clone()
            },
            TermsError::Grace,
        ),
        (
            Terms {
                max_participants: 1,
                ..terms.clone()
            },
            TermsError::MaxParticipants,
        ),
        (
            Terms {
                most_talkers: Some(7),
                ..terms.clone()
            },
            TermsError::MostTalkers,
        ),
        (
            Terms {
                most_talkers: Some(10_001),
                ..terms.clone()
            },
            TermsError::MostTalkers,
        ),
        (
            Terms {
                longest_wait: Duration::ZERO,
                ..terms.clone()
            },
            TermsError::Wait,
        ),
        (
            Terms {
                alone: Duration::MAX,
                ..terms.clone()
            },
            TermsError::Wait,
        ),
    ] {
        assert_eq!(bad.validate(), Err(expected));
    }
    let kept = serde_json::to_string(&Terms {
        host_leaves: grace(30),
        ..terms.clone()
    })
    .unwrap();
    assert!(
        kept.contains(r#""host_leaves":{"hangup":{"grace":30}}"#),
        "{kept}"
    );
    assert_eq!(
        serde_json::from_str::<Terms>(&kept).unwrap().host_leaves,
        grace(30)
    );
    assert!(serde_json::from_str::<Terms>(&kept.replace("30}", "121}")).is_err());
    assert!(serde_json::from_str::<Terms>(r#"{"lok":true}"#).is_err());
    assert_eq!(serde_json::from_str::<Terms>("{}").unwrap(), terms);
}

#[test]
fn windows_end_after_they_start() {
    let none = Duration::ZERO;
    assert_eq!(
        Window::new(at(5), at(5), none),
        Err(WindowError::EndsBeforeStart)
    );
    let early = Duration::from_secs(86_401);
    assert_eq!(
        Window::new(at(0), at(5), early),
        Err(WindowError::EarlyEntry)
    );
    assert_eq!(
        Window::new(at(0), at(5), Duration::MAX),
        Err(WindowError::EarlyEntry)
    );
    let window = |from, to| Window::new(at(from), at(to), Duration::from_secs(900)).unwrap();
    assert!(window(0, 10).clashes(&window(9, 20)));
    assert!(
        !window(0, 10).clashes(&window(10, 20)),
        "one after the other, early entry or not"
    );
}
