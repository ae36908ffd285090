//! The watch on guessing: one log, any number of porters, restarts.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{Outcome, Pin, PinPolicy, Role, Source, Verdict};
use conclave_store::{NewAccount, Porter, SqlStore, Store};

use crate::common::{Asked, Bed, act, at, caller, databases, random};

databases!(
    the_log_keeps_its_order,
    a_restart_goes_on,
    two_porters_share_a_ceiling,
    an_operator_ends_consent_for_all,
    who_lags_reads_the_snapshot,
    a_human_vouches,
    a_pin_is_rehashed_when_it_is_typed,
);

const WRONG: &str = "572400000000000";

fn policy() -> PinPolicy {
    PinPolicy {
        ceiling: 20,
        quiet: 2,
        ..PinPolicy::default()
    }
}

/// The `n`th PIN that is nobody's and has a right check digit.
fn wrong(n: u32) -> Pin {
    (0..10)
        .map(|digit| Pin::parse(&format!("{}{n:05}{digit}", &WRONG[..6])).unwrap())
        .find(Pin::has_check_digit)
        .unwrap()
}

fn source(n: u32) -> Source {
    Source::new("berlin", &format!("+4930{n:07}"))
}

async fn porter(store: &SqlStore, now: DateTime<Utc>) -> Porter<SqlStore> {
    Porter::open(store.clone(), policy(), Box::new(random()), now)
        .await
        .unwrap()
}

async fn guess(bed: &Bed, porter: &Porter<SqlStore>, n: u32, now: DateTime<Utc>) -> Verdict {
    let verdict = porter
        .judge(&bed.keys, &source(n), &wrong(n), None, now)
        .await
        .unwrap();
    assert_eq!(verdict.outcome, Outcome::NotValid);
    verdict
}

/// Whether a right PIN leads in by consent.
async fn by_consent(bed: &Bed, porter: &Porter<SqlStore>, pin: &str, now: DateTime<Utc>) -> bool {
    let pin = Pin::parse(pin).unwrap();
    match porter
        .judge(&bed.keys, &caller(), &pin, None, now)
        .await
        .unwrap()
        .outcome
    {
        Outcome::Admit(ticket) => ticket.by_consent(),
        other => panic!("{other:?}"),
    }
}

async fn ada(bed: &Bed, store: &SqlStore) -> String {
    let host = bed.fresh();
    let new = NewAccount {
        host: bed.host(&host),
        ..bed.account("Ada")
    };
    store.add_account(new, at(0)).await.unwrap();
    host
}

async fn the_log_keeps_its_order(bed: Bed) {
    let store = bed.serve().await;
    let porter = porter(&store, at(0)).await;
    for n in 0..6 {
        guess(&bed, &porter, n, at(n.into())).await;
    }
    let all = store.notices_after(0, 100).await.unwrap();
    let times: Vec<_> = all.iter().map(|(_, notice)| notice.at()).collect();
    assert_eq!(times, (0..6).map(at).collect::<Vec<_>>());
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let tail = store.notices_after(all[2].0, 2).await.unwrap();
    assert_eq!(tail, all[3..5]);
    // A snapshot drops what is old and known; with the tail it is the whole log.
    porter.save(true, at(3600)).await.unwrap();
    guess(&bed, &porter, 7, at(3601)).await;
    let (place, _) = store.watch_snapshot().await.unwrap();
    assert_eq!(place, all[5].0);
    assert_eq!(store.notices_after(0, 100).await.unwrap().len(), 1);
    let before = porter.with_doorkeeper(|doorkeeper| doorkeeper.export());
    let again = self::porter(&bed.open().await, at(3601)).await;
    assert_eq!(
        again.with_doorkeeper(|doorkeeper| doorkeeper.export()),
        before
    );
    // An older snapshot than the one that is kept is ignored.
    store
        .keep_watch_snapshot(0, &Default::default(), at(3602))
        .await
        .unwrap();
    assert_eq!(store.watch_snapshot().await.unwrap().0, place);
}

async fn a_restart_goes_on(bed: Bed) {
    let store = bed.serve().await;
    let host = ada(&bed, &store).await;
    let porter = porter(&store, at(0)).await;
    for n in 0..19 {
        guess(&bed, &porter, n, at(n.into())).await;
        if n == 9 {
            porter.save(true, at(9)).await.unwrap();
        }
    }
    assert!(!by_consent(&bed, &porter, &host, at(20)).await);
    drop(porter);
    let porter = self::porter(&store, at(21)).await;
    guess(&bed, &porter, 19, at(22)).await;
    assert!(porter.poll_alert().is_some());
    assert!(by_consent(&bed, &porter, &host, at(23)).await);
    let suspects = |porter: &Porter<SqlStore>| {
        porter.with_doorkeeper(|doorkeeper| {
            (
                doorkeeper.consent_since(),
                doorkeeper.suspects().collect::<Vec<_>>(),
            )
        })
    };
    let before = suspects(&porter);
    assert_eq!((before.0, before.1.len()), (Some(at(22)), 1));
    drop(porter);
    let porter = self::porter(&store, at(24)).await;
    assert_eq!(suspects(&porter), before);
    assert_eq!(porter.poll_alert(), None, "the operator knows");
    // Another PIN lifts the suspicion.
    let id = before.1[0].0;
    store
        .reset_pin(id, Role::Host, bed.host(&bed.fresh()), &act(at(25)))
        .await
        .unwrap();
    porter.catch_up(at(26)).await.unwrap();
    assert_eq!(suspects(&porter).1, []);
}

async fn two_porters_share_a_ceiling(bed: Bed) {
    let stores = [bed.serve().await, bed.open().await];
    let host = ada(&bed, &stores[0]).await;
    let porters = [
        porter(&stores[0], at(0)).await,
        porter(&stores[1], at(0)).await,
    ];
    // Nineteen guesses, all at once, at both: one fewer than the ceiling.
    let bed = &bed;
    let guesses = (0..19).map(|n| guess(bed, &porters[n as usize % 2], n, at(1)));
    let all: Vec<_> = guesses.map(Box::pin).collect();
    together(all).await;
    for porter in &porters {
        assert!(!by_consent(bed, porter, &host, at(2)).await);
        assert_eq!(porter.poll_alert(), None);
    }
    guess(bed, &porters[0], 19, at(3)).await;
    for porter in &porters {
        assert!(
            by_consent(bed, porter, &host, at(4)).await,
            "not a guess more at either"
        );
        assert!(porter.poll_alert().is_some());
    }
    // The same number at both: its tries are one account.
    for n in 0..6_u32 {
        let verdict = async |when| {
            let porter = &porters[n as usize % 2];
            porter
                .judge(&bed.keys, &source(500), &wrong(100 + n), None, when)
                .await
                .unwrap()
        };
        let delay = verdict(at(5)).await.ready_at - at(5);
        assert_eq!(delay, TimeDelta::seconds(i64::from(n == 5)), "guess {n}");
    }
    // What both know is the same, to the last count.
    for porter in &porters {
        porter.catch_up(at(6)).await.unwrap();
    }
    let [one, other] = [0, 1].map(|n: usize| porters[n].with_doorkeeper(|d| d.export()));
    assert_eq!(one, other);
    assert_eq!(
        stores[1].notices_after(0, 1000).await.unwrap().len(),
        20 + 6 + 2
    );
}

/// Polls all of them in turn until each is done.
async fn together<F: Future + Unpin>(mut all: Vec<F>) {
    std::future::poll_fn(|context| {
        all.retain_mut(|one| std::pin::Pin::new(one).poll(context).is_pending());
        match all.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

async fn an_operator_ends_consent_for_all(bed: Bed) {
    let stores = [bed.serve().await, bed.open().await];
    let porters = [
        porter(&stores[0], at(0)).await,
        porter(&stores[1], at(0)).await,
    ];
    for n in 0..20 {
        guess(&bed, &porters[0], n, at(1)).await;
    }
    let on = async |porter: &Porter<SqlStore>| {
        porter.catch_up(at(2)).await.unwrap();
        porter.with_doorkeeper(|doorkeeper| doorkeeper.consent_since().is_some())
    };
    assert!(on(&porters[0]).await && on(&porters[1]).await);
    stores[1].end_consent(&act(at(3))).await.unwrap();
    assert!(!on(&porters[0]).await && !on(&porters[1]).await);
}

async fn who_lags_reads_the_snapshot(bed: Bed) {
    let stores = [bed.serve().await, bed.open().await];
    let porters = [
        porter(&stores[0], at(0)).await,
        porter(&stores[1], at(0)).await,
    ];
    for n in 0..20 {
        guess(&bed, &porters[0], n, at(1)).await;
    }
    porters[0].save(true, at(2000)).await.unwrap();
    assert_eq!(
        stores[0].notices_after(0, 100).await.unwrap(),
        [],
        "the log has no tail"
    );
    porters[1].catch_up(at(2001)).await.unwrap();
    let since = porters[1].with_doorkeeper(|doorkeeper| doorkeeper.consent_since());
    assert_eq!(since, Some(at(1)));
    guess(&bed, &porters[0], 50, at(2002)).await;
    porters[1].catch_up(at(2003)).await.unwrap();
    let [one, other] = [0, 1].map(|n: usize| porters[n].with_doorkeeper(|d| d.export()));
    assert_eq!(one, other);
    // Who doesn't lag finds what a snapshot replaced in the log still.
    guess(&bed, &porters[0], 51, at(2100)).await;
    porters[0].save(true, at(2101)).await.unwrap();
    assert_eq!(stores[0].notices_after(0, 100).await.unwrap().len(), 2);
}

async fn a_human_vouches(bed: Bed) {
    let store = bed.serve().await;
    let host = ada(&bed, &store).await;
    let porter = porter(&store, at(0)).await;
    for n in 0..20 {
        guess(&bed, &porter, n, at(1)).await;
    }
    let pin = Pin::parse(&host).unwrap();
    let verdict = porter
        .judge(&bed.keys, &caller(), &pin, None, at(2))
        .await
        .unwrap();
    let Outcome::Admit(ticket) = verdict.outcome else {
        panic!("{verdict:?}");
    };
    store.end_consent(&act(at(3))).await.unwrap();
    assert!(
        by_consent(&bed, &porter, &host, at(4)).await,
        "it may have been guessed"
    );
    porter.vouch(&ticket, at(5)).await.unwrap();
    assert!(!by_consent(&bed, &porter, &host, at(6)).await);
    let again = self::porter(&store, at(7)).await;
    assert!(!by_consent(&bed, &again, &host, at(8)).await);
}

async fn a_pin_is_rehashed_when_it_is_typed(mut bed: Bed) {
    let store = bed.serve().await;
    let host = ada(&bed, &store).await;
    store.close().await;
    drop(store);
    bed.keys = conclave_store::Keys::rotate_pin_key(bed.dir.path(), [1; 32]).unwrap();
    let store = bed.serve().await;
    let porter = porter(&store, at(1)).await;
    assert_eq!(store.pins_by_key().await.unwrap(), [(1, 2)]);
    assert!(!by_consent(&bed, &porter, &host, at(2)).await);
    assert_eq!(store.pins_by_key().await.unwrap(), [(1, 1), (2, 1)]);
    assert!(!by_consent(&bed, &porter, &host, at(3)).await);
}
