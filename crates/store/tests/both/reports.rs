//! Reports: every filter, every page, sums and hints.

use conclave_accounts::{AccountId, BookingId, CallId, Role, Source};
use conclave_conference::{Fact, LeaveReason};
use conclave_store::{Books, CallRow, NewAccount, Page, Period, ReportFilter, SqlStore, Store};

use crate::common::{Asked, Bed, Told, act, at, caller, databases, everything};

databases!(
    filters_hold_together,
    a_page_keeps_a_call_whole,
    usage_is_summed,
    shared_host_pins_show,
);

struct World {
    store: SqlStore,
    ada: AccountId,
    bob: AccountId,
    booking: BookingId,
}

/// Ten calls. The even ones visit Ada (sales) and then her booking; the odd ones Bob (research). Call 10 visits nobody.
async fn world(bed: &Bed) -> World {
    let store = bed.serve().await;
    let add = async |name: &str, department: &str| {
        let new = NewAccount {
            department: Some(department.to_owned()),
            cost_code: Some(format!("C-{name}")),
            ..bed.account(name)
        };
        store.add_account(new, at(0)).await.unwrap().id
    };
    let (ada, bob) = (add("Ada", "Sales").await, add("Bob", "Research").await);
    let booking = bed.booking(ada, &[(0, 60)]);
    let booking = store.book(booking, &act(at(0))).await.unwrap().id;
    let mut told = Told::new(store).await;
    for n in 1..=10_u64 {
        // Two at a time, so that a moment alone tells nobody apart.
        let when = n.div_ceil(2).cast_signed();
        told.answered(n, when, Source::new("berlin", &format!("+49301234{n}")));
    }
    told.started(1, 10, ada);
    told.started(2, 10, bob);
    told.booked(3, 11, ada, booking);
    for n in 1..=9 {
        if n % 2 == 0 {
            told.admitted(1, n, 12, Role::Guest);
            told.departed(1, n, 20);
            told.admitted(3, n, 21, Role::Host);
            told.departed(3, n, 24);
        } else {
            told.admitted(2, n, 12, Role::Guest);
            told.departed(2, n, 20);
        }
        told.ended(n, 30, LeaveReason::HungUp);
    }
    told.ended(10, 30, LeaveReason::NoValidPin);
    for conference in [1, 2, 3] {
        told.closed(conference, 30);
    }
    told.written(30).await;
    World {
        store: told.store,
        ada,
        bob,
        booking,
    }
}

/// The calls by their numbers, each row's, page by page.
async fn paged(store: &SqlStore, filter: &ReportFilter, limit: u32) -> Vec<u64> {
    let mut filter = ReportFilter {
        page: Page::first(limit),
        ..filter.clone()
    };
    let mut found: Vec<u64> = Vec::new();
    loop {
        let rows = store.calls(&filter).await.unwrap();
        let Some(last) = rows.last() else {
            return found;
        };
        filter.page.after = last.id;
        found.extend(rows.iter().map(|row| row.id));
    }
}

async fn filters_hold_together(bed: Bed) {
    let World {
        store,
        ada,
        bob,
        booking,
    } = world(&bed).await;
    let conferences = store.all_conferences().await;
    let ids: Vec<_> = conferences.iter().map(|conference| conference.id).collect();
    assert_eq!(conferences[2].title.as_deref(), Some("Budget"));
    assert_eq!((conferences[0].calls, conferences[1].admitted), (4, 5));
    assert_eq!(conferences[0].cost_code.as_deref(), Some("C-Ada"));
    let calls: Vec<CallRow> = store.all_calls().await;
    assert_eq!(calls.len(), 4 * 2 + 5 + 1);

    let check = async |filter: ReportFilter, conferences: &[u64], calls: &[u64]| {
        let found = store.conferences(&filter).await.unwrap();
        let found: Vec<_> = found.iter().map(|conference| conference.id).collect();
        if filter.number.is_none() && filter.conference.is_none() {
            assert_eq!(found, conferences, "{filter:?}");
        }
        for limit in [1, 2, 3, 100] {
            assert_eq!(
                paged(&store, &filter, limit).await,
                calls,
                "{filter:?} by {limit}"
            );
        }
    };
    let all = everything;
    let twice = [2, 2, 4, 4, 6, 6, 8, 8];
    let account = |id| ReportFilter {
        account: Some(id),
        ..all()
    };
    check(account(ada), &[ids[0], ids[2]], &twice).await;
    check(account(bob), &[ids[1]], &[1, 3, 5, 7, 9]).await;
    let booked = ReportFilter {
        booking: Some(booking),
        ..all()
    };
    check(booked.clone(), &[ids[2]], &[2, 4, 6, 8]).await;
    let nobodys = ReportFilter {
        account: Some(bob),
        ..booked
    };
    check(nobodys, &[], &[]).await;
    let department = |name: &str| ReportFilter {
        department: Some(name.to_owned()),
        ..all()
    };
    check(department("SALES"), &[ids[0], ids[2]], &twice).await;
    check(
        ReportFilter {
            account: Some(ada),
            ..department("research")
        },
        &[],
        &[],
    )
    .await;
    let number = |n: u64| ReportFilter {
        number: Some(format!("+49301234{n}")),
        ..all()
    };
    check(number(4), &[], &[4, 4]).await;
    check(number(10), &[], &[10]).await;
    check(
        ReportFilter {
            account: Some(bob),
            ..number(4)
        },
        &[],
        &[],
    )
    .await;
    check(
        ReportFilter {
            booking: Some(booking),
            ..number(4)
        },
        &[],
        &[4],
    )
    .await;
    let conference = ReportFilter {
        conference: Some(ids[0]),
        ..all()
    };
    check(conference.clone(), &[], &[2, 4, 6, 8]).await;
    check(
        ReportFilter {
            conference: Some(ids[0]),
            ..number(6)
        },
        &[],
        &[6],
    )
    .await;
    let period = Period {
        from: Some(at(2)),
        to: Some(at(4)),
    };
    check(ReportFilter { period, ..all() }, &[], &[3, 4, 4, 5, 6, 6]).await;
    check(
        ReportFilter {
            period,
            ..conference
        },
        &[],
        &[4, 6],
    )
    .await;
}

async fn a_page_keeps_a_call_whole(bed: Bed) {
    let World { store, .. } = world(&bed).await;
    let filter = ReportFilter {
        page: Page::first(2),
        ..everything()
    };
    let rows = store.calls(&filter).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [1, 2, 2], "two calls, and all of their visits");
    let visits: Vec<_> = rows[1..]
        .iter()
        .map(|row| row.visit.as_ref().unwrap().role)
        .collect();
    assert_eq!(visits, [Role::Guest, Role::Host]);
    for limit in [1, 3, 4, 9] {
        let found = paged(&store, &everything(), limit).await;
        let expected = [1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10];
        assert_eq!(found, expected, "by {limit}");
    }
    let mut filter = ReportFilter {
        page: Page::first(1),
        ..everything()
    };
    let mut found = Vec::new();
    while let Some(row) = store.conferences(&filter).await.unwrap().pop() {
        filter.page.after = row.id;
        found.push(row);
    }
    assert_eq!(found, store.all_conferences().await);
}

async fn usage_is_summed(bed: Bed) {
    let World {
        store, ada, bob, ..
    } = world(&bed).await;
    let usage = store.usage(Period::default()).await.unwrap();
    let sums: Vec<_> = usage
        .iter()
        .map(|row| (row.account, row.conferences, row.calls, row.seconds))
        .collect();
    let expected = [(ada, 2, 8, 4 * 8 + 4 * 3), (bob, 1, 5, 5 * 8)];
    assert_eq!(sums, expected);
    assert_eq!(usage[0].department.as_deref(), Some("Sales"));
    let later = Period {
        from: Some(at(11)),
        to: None,
    };
    let usage = store.usage(later).await.unwrap();
    assert_eq!((usage.len(), usage[0].seconds), (1, 12));
}

async fn shared_host_pins_show(bed: Bed) {
    let store = bed.serve().await;
    let mut ids = Vec::new();
    for name in ["Ada", "Bob", "Carl", "Dora"] {
        ids.push(
            store
                .add_account(bed.account(name), at(0))
                .await
                .unwrap()
                .id,
        );
    }
    let booking = store
        .book(bed.booking(ids[3], &[(0, 60)]), &act(at(0)))
        .await
        .unwrap()
        .id;
    let mut told = Told::new(store).await;
    for (conference, id) in (1..).zip(&ids[..3]) {
        told.started(conference, 1, *id);
    }
    told.booked(4, 1, ids[3], booking);
    let mut call = 0;
    // Ada calls from three numbers, Bob from one, one after the other; Carl has a second Host; Dora's was booked.
    for (conference, numbers) in [(1, 3), (2, 1), (3, 1), (4, 3)] {
        for n in 0..3 {
            call += 1;
            let number = format!("+4930{}", n % numbers);
            told.answered(call, 2, Source::new("berlin", &number));
            told.admitted(conference, call, 3, Role::Host);
        }
    }
    told.answered(90, 2, Source::withheld("berlin"));
    told.admitted(2, 90, 3, Role::Host);
    told.answered(91, 2, caller());
    told.admitted(2, 91, 3, Role::Guest);
    let call = CallId(7);
    told.fact(3, 4, Fact::AnotherHost { call });
    told.written(5).await;
    let hints = told.store.hints(Period::default(), 3).await.unwrap();
    let hints: Vec<_> = hints
        .iter()
        .map(|h| (h.account, h.numbers, h.another_host))
        .collect();
    assert_eq!(hints, [(ids[0], 3, 0), (ids[2], 1, 1)]);
    assert_eq!(
        told.store.hints(Period::default(), 4).await.unwrap().len(),
        1
    );
    told.store.end_run(told.run, at(9)).await.unwrap();
}
