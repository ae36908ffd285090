//! What is dropped, masked and retired when its time has come, and what stays.

use conclave_accounts::{CallId, Role, Source};
use conclave_conference::{Actor, Command, Fact, LeaveReason};
use conclave_store::{Books, Entry, Keep, NewBooking, Store, Swept};

use crate::common::{Asked, Bed, Told, act, at, caller, databases, days, minute};

databases!(
    old_calls_go_with_their_conferences,
    numbers_are_masked,
    ended_bookings_lose_their_pins,
    old_bookings_go_once_their_pins_have_rested,
    a_step_is_short,
);

async fn old_calls_go_with_their_conferences(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let mut told = Told::new(store).await;
    let day = 86_400;
    for (n, when) in [(1, 0), (2, 10 * day)] {
        let call = CallId(n.into());
        told.answered(n.into(), when, caller());
        let mistyped = false;
        let wrong = Entry::WrongPin {
            call,
            at: at(when),
            mistyped,
        };
        told.entries.push(wrong);
        told.started(n, when, ada.id);
        told.admitted(n, n.into(), when, Role::Host);
        let (by, command, refused) = (Actor::Caller(call), Command::Remove { call }, None);
        told.fact(
            n,
            when,
            Fact::Command {
                by,
                command,
                refused,
            },
        );
        told.departed(n, n.into(), when + 5);
        told.closed(n, when + 5);
        told.ended(n.into(), when + 5, LeaveReason::HungUp);
    }
    // One that never ended: it is not swept from under its callers.
    told.answered(3, 0, caller());
    told.written(10 * day + 5).await;
    let keep = Keep {
        calls: days(20),
        ..Keep::default()
    };
    let swept = told.store.sweep(&keep, at(19 * day)).await.unwrap();
    assert_eq!(swept, Swept::default());
    let swept = told.store.sweep(&keep, at(25 * day)).await.unwrap();
    assert_eq!((swept.calls, swept.more), (1, false));
    let calls = told.store.all_calls().await;
    let left: Vec<_> = calls
        .iter()
        .map(|call| (call.id, call.wrong_pins))
        .collect();
    assert_eq!(left, [(3, 0), (2, 1)]);
    assert_eq!(told.store.all_conferences().await.len(), 1);
    for (table, rows) in [("events", 1), ("attendances", 1), ("wrong_pins", 1)] {
        let left = bed.count(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(left, rows, "{table}");
    }
}

async fn numbers_are_masked(bed: Bed) {
    let mut told = Told::new(bed.serve().await).await;
    for (n, number) in [(1, "+4930123456"), (2, "4711"), (3, "+33142685300")] {
        told.answered(n, 0, Source::new("berlin", number));
    }
    told.answered(4, 0, Source::withheld("berlin"));
    told.answered(5, 86_400, Source::new("berlin", "+4930123456"));
    told.written(1).await;
    let sweep = async |when| told.store.sweep(&Keep::default(), when).await.unwrap();
    assert_eq!(sweep(at(0) + days(90)).await.masked, 0);
    assert_eq!(sweep(at(1) + days(90)).await.masked, 3);
    assert_eq!(sweep(at(1) + days(90)).await.masked, 0);
    let calls = told.store.all_calls().await;
    let numbers: Vec<_> = calls.iter().map(|call| call.number.as_deref()).collect();
    let masked = [Some("+4930***56"), Some("***"), Some("+3314***00"), None];
    assert_eq!(numbers[..4], masked);
    assert_eq!(numbers[4], Some("+4930123456"));
}

async fn ended_bookings_lose_their_pins(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    for to in [20, 30] {
        store
            .book(bed.booking(ada.id, &[(10, to)]), &act(at(0)))
            .await
            .unwrap();
    }
    let counted = async || {
        let pins = store
            .pins()
            .await
            .unwrap()
            .iter()
            .map(|count| count.count)
            .sum::<u64>();
        (store.totals().await.unwrap().bookings, pins)
    };
    assert_eq!(counted().await, (2, 6));
    let sweep = async |when| store.sweep(&Keep::default(), when).await.unwrap().pins;
    assert_eq!(sweep(minute(19)).await, 0);
    assert_eq!(sweep(minute(20)).await, 2);
    assert_eq!(sweep(minute(20)).await, 0);
    assert_eq!(counted().await, (1, 4));
    assert_eq!(sweep(minute(30)).await, 2);
    assert_eq!(counted().await, (0, 2));
}

async fn old_bookings_go_once_their_pins_have_rested(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let pin = bed.fresh();
    let new = NewBooking {
        guest: None,
        invitees: vec![bed.invitee("Grace", &pin)],
        ..bed.booking(ada.id, &[(10, 20)])
    };
    let booking = store.book(new, &act(at(0))).await.unwrap();
    let mut told = Told::new(store).await;
    told.answered(1, 700, caller());
    told.booked(1, 700, ada.id, booking.id);
    let grace = (booking.invitees[0].id, "Grace");
    told.invited(1, 1, 700, Role::Guest, Some(grace));
    told.closed(1, 800);
    told.ended(1, 800, LeaveReason::HungUp);
    told.written(800).await;
    let store = told.store;
    let sweep = async |when| store.sweep(&Keep::default(), when).await.unwrap();
    assert_eq!(sweep(minute(25)).await.pins, 2);
    sweep(minute(25) + days(399)).await;
    assert!(
        store.booking(booking.id).await.unwrap().is_some(),
        "its PINs rest"
    );
    assert!(
        bed.door(&store, &pin, minute(25) + days(399))
            .await
            .is_some()
    );
    sweep(minute(26) + days(400)).await;
    assert_eq!(store.booking(booking.id).await.unwrap(), None);
    assert_eq!(bed.door(&store, &pin, minute(25) + days(400)).await, None);
    for table in ["invitees", "occurrences", "outbox", "attendances"] {
        assert_eq!(
            bed.count(&format!("SELECT COUNT(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
    // The subjects of the log are forgotten when its entries are.
    sweep(minute(26) + days(402)).await;
    let named = "SELECT COUNT(*) FROM audit_subjects WHERE value LIKE '%Grace%'";
    assert_eq!(bed.count(named).await, 0);
    store.verify_audit().await.unwrap();
}

async fn a_step_is_short(bed: Bed) {
    let mut told = Told::new(bed.serve().await).await;
    for n in 0..1_100 {
        told.answered(n, 0, Source::new("berlin", &format!("+493055500{n:04}")));
        told.ended(n, 5, LeaveReason::HungUp);
    }
    told.written(5).await;
    told.store.end_run(told.run, at(6)).await.unwrap();
    let sweep = async || {
        told.store
            .sweep(&Keep::default(), at(0) + days(397))
            .await
            .unwrap()
    };
    let mut left = 1_100;
    loop {
        let swept = sweep().await;
        assert!(swept.calls <= 500 && swept.masked <= 500);
        left -= swept.calls;
        if !swept.more {
            break;
        }
    }
    assert_eq!(left, 0);
    assert_eq!(sweep().await, Swept::default());
}
