//! What every implementation of the trait must do; run for SQLite and for PostgreSQL.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use conclave_accounts::{
    AccountId, AccountState, Announce, CallId, ConferenceKey, Door, HostLeaves, Owner, Pin, PinKey,
    PinLookup, Role, Source, Terms,
};
use conclave_conference::{
    Actor, Command, EndReason, Fact, LeaveReason, OperatorId, Refusal, WaitFor,
};
use conclave_store::{
    Books, CallMedia, Entry, Find, NewAccount, Period, PinCount, ReportFilter, SqlStore, Store,
    StoreError, StoredPin, Totals,
};
use std::time::Duration;

mod common;

use common::{Asked, Bed, Told, act, at, caller, databases, days};

databases!(
    accounts_are_found_as_they_were_made,
    a_pin_leads_to_its_door,
    pins_rest_before_they_come_again,
    a_closed_account_stays_closed,
    a_number_is_known_for_ninety_days,
    a_conference_is_told_from_start_to_end,
    what_was_open_is_closed_as_interrupted,
    entries_about_nobody_are_left_out,
    a_caller_may_visit_two_conferences,
    wrong_pins_are_counted,
);

fn pin(digits: &str) -> StoredPin {
    StoredPin::of(&Pin::parse(digits).unwrap(), &PinKey::new([9; 32]))
}

fn lookup(digits: &str) -> PinLookup {
    pin(digits).lookup
}

fn new(name: &str, host: &str, guest: &str) -> NewAccount {
    NewAccount {
        owner: Owner::new(name, &format!("{}@example.org", name.to_lowercase())).unwrap(),
        terms: Terms::default(),
        department: None,
        cost_code: None,
        bookings: true,
        host: pin(host),
        guest: pin(guest),
    }
}

async fn accounts_are_found_as_they_were_made(bed: Bed) {
    let store = bed.serve().await;
    let terms = Terms {
        lock: false,
        consent: true,
        entry: Announce::Name,
        exit: Announce::None,
        host_leaves: HostLeaves::Hangup {
            grace: Duration::from_secs(45),
        },
        longest_wait: Duration::from_millis(1500),
        ..Terms::default()
    };
    let ada = NewAccount {
        terms,
        bookings: false,
        ..new("Ada", "111111", "222222")
    };
    let ada = store.add_account(ada, at(0)).await.unwrap();
    let bob = store
        .add_account(new("Böb", "333333", "444444"), at(0))
        .await
        .unwrap();
    assert_eq!(ada.owner.name(), "Ada");
    assert_eq!(ada.state, AccountState::Active);
    assert!(!ada.bookings && bob.bookings);

    let find = async |typed: &str| store.list(&Find::parse(typed)).await;
    assert_eq!(find("").await, [ada.clone(), bob.clone()]);
    assert_eq!(find("ADA@Example.org").await, std::slice::from_ref(&ada));
    assert_eq!(find("da").await, std::slice::from_ref(&ada));
    assert_eq!(find("EXAMPLE").await, [ada.clone(), bob.clone()]);
    assert_eq!(find(&bob.id.0.to_string()).await, [bob]);
    assert_eq!(find("%").await, []);
    assert_eq!(find("'; DROP TABLE accounts; --").await, []);
    assert_eq!(store.account(ada.id).await.unwrap(), Some(ada));
    assert_eq!(store.account(AccountId(99)).await.unwrap(), None);
    assert_eq!(store.account(AccountId(u64::MAX)).await.unwrap(), None);
}

async fn a_pin_leads_to_its_door(bed: Bed) {
    let store = bed.serve().await;
    let ada = store
        .add_account(new("Ada", "111111", "222222"), at(0))
        .await
        .unwrap();
    let door = async |digits: &str| {
        store
            .leads(&lookup(digits), &caller(), at(1))
            .await
            .unwrap()
    };
    assert_eq!(door("111111").await, Some(ada.door(Role::Host)));
    assert_eq!(door("222222").await, Some(ada.door(Role::Guest)));
    assert_eq!(door("333333").await, None);

    store
        .set_state(ada.id, AccountState::Suspended, &act(at(2)))
        .await
        .unwrap();
    assert_eq!(door("111111").await.unwrap().state, AccountState::Suspended);
    assert_eq!(
        store.pins().await.unwrap().len(),
        2,
        "who is suspended may come back"
    );
    store
        .set_state(ada.id, AccountState::Active, &act(at(3)))
        .await
        .unwrap();
    assert_eq!(door("111111").await, Some(ada.door(Role::Host)));
    let count = |role| PinCount {
        digits: 6,
        check_digit: pin("111111").check_digit,
        role,
        forced: false,
        count: 1,
    };
    let mut counts = store.pins().await.unwrap();
    counts.sort();
    let mut expected = [
        count(Role::Host),
        PinCount {
            check_digit: pin("222222").check_digit,
            ..count(Role::Guest)
        },
    ];
    expected.sort();
    assert_eq!(counts, expected);

    let forced = StoredPin {
        forced: true,
        ..pin("1234")
    };
    store
        .reset_pin(ada.id, Role::Host, forced, &act(at(4)))
        .await
        .unwrap();
    let counts = store.pins().await.unwrap();
    let host = counts.iter().find(|count| count.role == Role::Host);
    assert!(host.is_some_and(|host| host.forced && host.digits == 4));
}

async fn pins_rest_before_they_come_again(bed: Bed) {
    let store = bed.serve().await;
    let taken = |result: Result<_, StoreError>| matches!(result, Err(StoreError::PinTaken));
    let ada = store
        .add_account(new("Ada", "111111", "222222"), at(0))
        .await
        .unwrap();
    for (host, guest) in [
        ("111111", "555555"),
        ("222222", "555555"),
        ("555555", "111111"),
        ("555555", "555555"),
    ] {
        assert!(
            taken(
                store
                    .add_account(new("Bob", host, guest), at(1))
                    .await
                    .map(drop)
            ),
            "{host} {guest}"
        );
    }
    assert_eq!(
        store.list(&Find::All).await,
        std::slice::from_ref(&ada),
        "half an account was left"
    );

    store
        .reset_pin(ada.id, Role::Host, pin("777777"), &act(at(10)))
        .await
        .unwrap();
    // It is known, so that it is no guess, and opens nothing.
    let gone = Door {
        state: AccountState::Closed,
        ..ada.door(Role::Host)
    };
    let door = async |digits: &str| {
        store
            .leads(&lookup(digits), &caller(), at(11))
            .await
            .unwrap()
    };
    assert_eq!(door("111111").await, Some(gone.clone()));
    assert_eq!(door("777777").await, Some(ada.door(Role::Host)));
    assert_eq!(door("222222").await, Some(ada.door(Role::Guest)));

    let again = async |when| {
        store
            .reset_pin(ada.id, Role::Host, pin("111111"), &act(when))
            .await
    };
    assert!(taken(again(at(9) + days(400)).await));
    assert_eq!(
        door("777777").await,
        Some(ada.door(Role::Host)),
        "a refused PIN took the old one away"
    );
    again(at(10) + days(400)).await.unwrap();
    assert_eq!(door("111111").await, Some(ada.door(Role::Host)));
    assert_eq!(door("777777").await, Some(gone));
    let nobody = store
        .reset_pin(AccountId(99), Role::Host, pin("888888"), &act(at(0)))
        .await;
    assert!(matches!(
        nobody,
        Err(StoreError::NoSuchAccount(AccountId(99)))
    ));
}

async fn a_closed_account_stays_closed(bed: Bed) {
    let store = bed.serve().await;
    let ada = store
        .add_account(new("Ada", "111111", "222222"), at(0))
        .await
        .unwrap();
    store
        .set_state(ada.id, AccountState::Closed, &act(at(1)))
        .await
        .unwrap();
    for digits in ["111111", "222222"] {
        let door = store.leads(&lookup(digits), &caller(), at(2)).await;
        assert_eq!(door.unwrap().unwrap().state, AccountState::Closed);
    }
    assert_eq!(store.pins().await.unwrap(), []);
    assert_eq!(store.totals().await.unwrap(), Totals::default());
    let closed = |result| matches!(result, Err(StoreError::Closed(id)) if id == ada.id);
    assert!(closed(
        store
            .set_state(ada.id, AccountState::Active, &act(at(2)))
            .await
    ));
    assert!(closed(
        store
            .reset_pin(ada.id, Role::Guest, pin("333333"), &act(at(2)))
            .await
    ));
    let nobody = store
        .set_state(AccountId(99), AccountState::Active, &act(at(2)))
        .await;
    assert!(matches!(
        nobody,
        Err(StoreError::NoSuchAccount(AccountId(99)))
    ));
}

/// A run, and Ada's account.
async fn told(bed: &Bed) -> (Told<SqlStore>, AccountId) {
    let store = bed.serve().await;
    let ada = store
        .add_account(new("Ada", "111111", "222222"), at(0))
        .await;
    (Told::new(store).await, ada.unwrap().id)
}

async fn a_number_is_known_for_ninety_days(bed: Bed) {
    let (mut told, ada) = told(&bed).await;
    told.store
        .add_account(new("Bob", "333333", "444444"), at(0))
        .await
        .unwrap();
    told.started(1, 0, ada);
    told.answered(1, 0, caller());
    told.answered(2, 0, Source::withheld("berlin"));
    told.answered(3, 0, Source::new("berlin", "+49301111"));
    told.admitted(1, 1, 10, Role::Guest);
    told.admitted(1, 2, 10, Role::Guest);
    let arrived = Fact::Arrived {
        call: CallId(3),
        role: Role::Guest,
        holder: None,
        invitee: None,
        waits_for: Some(WaitFor::Host),
    };
    told.fact(1, 10, arrived);
    told.written(10).await;

    let known = async |digits, source: Source, when| {
        told.store
            .leads(&lookup(digits), &source, when)
            .await
            .unwrap()
            .unwrap()
            .known
    };
    assert!(known("222222", caller(), at(11)).await);
    assert!(
        known("111111", caller(), at(11)).await,
        "the number opened the account, whatever the role"
    );
    assert!(
        known(
            "222222",
            Source {
                trunk: "paris".into(),
                ..caller()
            },
            at(11)
        )
        .await
    );
    assert!(known("222222", caller(), at(10) + days(90)).await);
    assert!(!known("222222", caller(), at(11) + days(90)).await);
    assert!(
        !known("444444", caller(), at(11)).await,
        "known on one account, not on all"
    );
    assert!(!known("222222", Source::withheld("berlin"), at(11)).await);
    assert!(
        !known("222222", Source::new("berlin", "+49301111"), at(11)).await,
        "waiting opens nothing"
    );

    // An earlier entry that comes late takes nothing back, and a run that begins forgets only what is old.
    told.admitted(1, 1, 5, Role::Guest);
    told.written(12).await;
    told.store.begin_run(at(10) + days(90)).await.unwrap();
    assert!(
        told.store
            .leads(&lookup("222222"), &caller(), at(10) + days(90))
            .await
            .unwrap()
            .unwrap()
            .known
    );
    told.store.begin_run(at(11) + days(90)).await.unwrap();
    assert!(
        !told
            .store
            .leads(&lookup("222222"), &caller(), at(11))
            .await
            .unwrap()
            .unwrap()
            .known
    );
}

async fn a_conference_is_told_from_start_to_end(bed: Bed) {
    let (mut told, ada) = told(&bed).await;
    told.answered(1, 1, caller());
    told.answered(2, 2, Source::withheld("berlin"));
    told.answered(3, 3, caller());
    told.started(7, 4, ada);
    let guest = Fact::Arrived {
        call: CallId(2),
        role: Role::Guest,
        holder: Some("Grace".into()),
        invitee: None,
        waits_for: Some(WaitFor::Host),
    };
    told.fact(7, 4, guest);
    told.admitted(7, 1, 5, Role::Host);
    told.fact(7, 5, Fact::Admitted { call: CallId(2) });
    let by = Actor::Caller(CallId(1));
    told.fact(
        7,
        6,
        Fact::Command {
            by,
            command: Command::Lock,
            refused: None,
        },
    );
    told.fact(
        7,
        7,
        Fact::Refused {
            call: CallId(3),
            why: Refusal::Locked,
        },
    );
    told.ended(3, 7, LeaveReason::Locked);
    let remove = Command::Remove { call: CallId(2) };
    let from_guest = Actor::Caller(CallId(2));
    told.fact(
        7,
        8,
        Fact::Command {
            by: from_guest,
            command: Command::Lock,
            refused: Some(Refusal::NotAHost),
        },
    );
    told.fact(
        7,
        9,
        Fact::Command {
            by: Actor::Operator(OperatorId::BRIDGE),
            command: remove,
            refused: None,
        },
    );
    told.fact(
        7,
        9,
        Fact::Departed {
            call: CallId(2),
            reason: LeaveReason::Removed,
        },
    );
    told.ended(2, 9, LeaveReason::Removed);
    let media = CallMedia {
        codec: Some("PCMU".into()),
        encryption: Some("none".into()),
        packets_lost: Some(3),
        jitter_ms: Some(1.5),
        mos: Some(4.375),
    };
    told.entries.push(Entry::Media {
        call: CallId(2),
        media: media.clone(),
    });
    told.written(10).await;

    let now = told.store.all_conferences().await;
    assert_eq!((now[0].ended, &now[0].reason), (None, &None), "it runs yet");
    told.fact(
        7,
        11,
        Fact::Departed {
            call: CallId(1),
            reason: LeaveReason::HungUp,
        },
    );
    told.fact(
        7,
        11,
        Fact::Ended {
            reason: EndReason::LastLeft,
        },
    );
    told.ended(1, 11, LeaveReason::HungUp);
    told.written(12).await;

    let [conference] = &told.store.all_conferences().await[..] else {
        panic!("not one")
    };
    assert_eq!(
        (conference.account, conference.owner.as_str()),
        (ada, "Ada")
    );
    assert_eq!(
        (conference.started, conference.ended),
        (at(4), Some(at(11)))
    );
    assert_eq!((conference.calls, conference.admitted), (2, 2));
    assert_eq!(conference.reason.as_deref(), Some("last-left"));

    let calls = told.store.all_calls().await;
    let [host, guest, refused] = &calls[..] else {
        panic!("{calls:#?}")
    };
    let visit = guest.visit.as_ref().unwrap();
    assert_eq!(
        (
            guest.number.as_deref(),
            guest.trunk.as_str(),
            guest.answered
        ),
        (None, "berlin", at(2))
    );
    assert_eq!(
        (visit.role, visit.holder.as_deref(), visit.conference),
        (Role::Guest, Some("Grace"), conference.id)
    );
    assert_eq!(
        (visit.arrived, visit.admitted, visit.departed),
        (at(4), Some(at(5)), Some(at(9)))
    );
    assert_eq!(
        (guest.reason.as_deref(), visit.reason.as_deref()),
        (Some("removed"), Some("removed"))
    );
    assert_eq!(guest.media, media);
    assert_eq!(host.number.as_deref(), Some("+4930123456"));
    assert_eq!(host.visit.as_ref().unwrap().role, Role::Host);
    assert_eq!(
        (&refused.visit, refused.reason.as_deref()),
        (&None, Some("locked"))
    );

    let events = told.store.events(conference.id).await.unwrap();
    let told_of: Vec<_> = events
        .iter()
        .map(|e| {
            (
                e.at,
                e.what.as_str(),
                e.call,
                e.command.as_deref(),
                e.about,
                e.refusal.as_deref(),
            )
        })
        .collect();
    let expected = [
        (at(6), "command", Some(host.id), Some("lock"), None, None),
        (
            at(7),
            "refused",
            Some(refused.id),
            None,
            None,
            Some("locked"),
        ),
        (
            at(8),
            "command",
            Some(guest.id),
            Some("lock"),
            None,
            Some("not-a-host"),
        ),
        (at(9), "command", None, Some("remove"), Some(guest.id), None),
    ];
    assert_eq!(told_of, expected);

    let in_period = async |from, to| {
        let period = Period {
            from: Some(from),
            to: Some(to),
        };
        let calls = told.store.calls(&ReportFilter::all(period)).await;
        calls.unwrap().len()
    };
    assert_eq!(in_period(at(1), at(3)).await, 2, "from is in, to is not");
    assert_eq!(in_period(at(4), at(100)).await, 0);
}

async fn what_was_open_is_closed_as_interrupted(bed: Bed) {
    let (mut told, ada) = told(&bed).await;
    told.started(1, 1, ada);
    told.answered(1, 1, caller());
    told.answered(2, 2, caller());
    told.admitted(1, 1, 3, Role::Host);
    told.ended(2, 4, LeaveReason::HungUp);
    told.written(5).await;
    told.store.still_running(told.run, at(20)).await.unwrap();

    let next = told.store.begin_run(at(5000)).await.unwrap();
    assert_ne!(next, told.run);
    let calls = told.store.all_calls().await;
    let visit = calls[0].visit.as_ref().unwrap();
    assert_eq!(
        (calls[0].ended, calls[0].reason.as_deref()),
        (Some(at(20)), Some("interrupted"))
    );
    assert_eq!(
        (visit.departed, visit.reason.as_deref()),
        (Some(at(20)), Some("interrupted"))
    );
    assert_eq!(
        (calls[1].ended, calls[1].reason.as_deref()),
        (Some(at(4)), Some("hung-up"))
    );
    let conferences = told.store.all_conferences().await;
    assert_eq!(
        (conferences[0].ended, conferences[0].reason.as_deref()),
        (Some(at(20)), Some("interrupted"))
    );

    // The next run numbers its calls and conferences anew; the old ones keep their rows.
    told.run = next;
    told.started(1, 5001, ada);
    told.answered(1, 5001, caller());
    told.admitted(1, 1, 5002, Role::Host);
    told.written(5003).await;
    told.store.end_run(next, at(5004)).await.unwrap();
    let calls = told.store.all_calls().await;
    assert_eq!(calls.len(), 3);
    assert_eq!(
        (calls[2].ended, calls[2].reason.as_deref()),
        (Some(at(5004)), Some("interrupted"))
    );
    assert_eq!(calls[0].ended, Some(at(20)));
}

async fn entries_about_nobody_are_left_out(bed: Bed) {
    let (mut told, _) = told(&bed).await;
    told.ended(5, 1, LeaveReason::HungUp);
    told.entries.push(Entry::WrongPin {
        call: CallId(5),
        at: at(1),
        mistyped: false,
    });
    told.entries.push(Entry::Media {
        call: CallId(5),
        media: CallMedia::default(),
    });
    let strange = Fact::Started {
        key: ConferenceKey::Account(AccountId(99)),
        account: AccountId(99),
    };
    told.fact(1, 1, strange);
    told.admitted(1, 5, 1, Role::Host);
    told.fact(
        1,
        1,
        Fact::Ended {
            reason: EndReason::LastLeft,
        },
    );
    told.answered(6, 2, caller());
    told.written(3).await;
    let calls = told.store.all_calls().await;
    assert_eq!((calls.len(), calls[0].answered), (1, at(2)));
    assert_eq!(told.store.all_conferences().await, []);
}

async fn a_caller_may_visit_two_conferences(bed: Bed) {
    let (mut told, ada) = told(&bed).await;
    told.answered(1, 1, caller());
    told.started(1, 2, ada);
    told.admitted(1, 1, 2, Role::Guest);
    told.fact(
        1,
        3,
        Fact::Departed {
            call: CallId(1),
            reason: LeaveReason::AnotherPin,
        },
    );
    told.fact(
        1,
        3,
        Fact::Ended {
            reason: EndReason::LastLeft,
        },
    );
    told.started(2, 4, ada);
    told.admitted(2, 1, 4, Role::Host);
    told.fact(
        2,
        5,
        Fact::Departed {
            call: CallId(1),
            reason: LeaveReason::HungUp,
        },
    );
    told.ended(1, 5, LeaveReason::HungUp);
    told.written(5).await;
    let calls = told.store.all_calls().await;
    let visits: Vec<_> = calls
        .iter()
        .map(|c| c.visit.as_ref().unwrap())
        .map(|v| (v.role, v.reason.as_deref()))
        .collect();
    assert_eq!(
        visits,
        [
            (Role::Guest, Some("another-pin")),
            (Role::Host, Some("hung-up"))
        ]
    );
    assert_eq!(calls[0].id, calls[1].id);
}

async fn wrong_pins_are_counted(bed: Bed) {
    let (mut told, _) = told(&bed).await;
    told.answered(1, 1, caller());
    for mistyped in [true, false, false] {
        told.entries.push(Entry::WrongPin {
            call: CallId(1),
            at: at(2),
            mistyped,
        });
    }
    told.ended(1, 3, LeaveReason::NoValidPin);
    told.written(3).await;
    let calls = told.store.all_calls().await;
    assert_eq!(
        (calls[0].wrong_pins, calls[0].reason.as_deref()),
        (3, Some("no-valid-pin"))
    );
}
