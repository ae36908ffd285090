//! A PostgreSQL server that is stopped, and that crashes, again and again under a bridge that writes to it.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]
// The campaign's figures.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conclave_accounts::{AccountId, CallId, Role};
use conclave_conference::LeaveReason;
use conclave_store::{
    Books, Entry, NewAccount, NewBooking, Postgres, Recorder, SqlStore, Store, StoreError,
};
use conclave_testbed::Postgres as Server;
use tokio::task::block_in_place;
use tokio::time::sleep;

mod common;

use common::{Asked, Bed, act, at, caller};

/// How often the server goes away: a campaign asks for more.
fn outages() -> u64 {
    std::env::var("CONCLAVE_OUTAGES").map_or(3, |outages| outages.parse().unwrap())
}

/// What an operator was told is done.
#[derive(Default)]
struct Acknowledged {
    accounts: Vec<(AccountId, String)>,
    bookings: Vec<String>,
    /// Guest PINs of the first account, one after the other, and whether each was acknowledged.
    resets: Vec<(String, bool)>,
    refused: u64,
}

/// Makes accounts and bookings and resets PINs until told to end; what fails is not asked for again.
async fn operate(
    bed: Arc<Bed>,
    store: SqlStore,
    first: AccountId,
    end: Arc<AtomicBool>,
) -> Acknowledged {
    let mut done = Acknowledged::default();
    while !end.load(Ordering::Relaxed) {
        let pin = bed.fresh();
        let new = NewAccount {
            guest: bed.guest(&pin),
            ..bed.account("Ada")
        };
        match store.add_account(new, at(0)).await {
            Ok(account) => done.accounts.push((account.id, pin)),
            Err(error) => done.refused += passing(&error),
        }
        let pin = bed.fresh();
        let new = NewBooking {
            guest: Some(bed.guest(&pin)),
            ..bed.booking(first, &[(0, 60)])
        };
        match store.book(new, &act(at(0))).await {
            Ok(_) => done.bookings.push(pin),
            Err(error) => done.refused += passing(&error),
        }
        let pin = bed.fresh();
        let reset = store
            .reset_pin(first, Role::Guest, bed.guest(&pin), &act(at(0)))
            .await;
        if let Err(error) = &reset {
            done.refused += passing(error);
        }
        done.resets.push((pin, reset.is_ok()));
        sleep(Duration::from_millis(3)).await;
    }
    done
}

fn passing(error: &StoreError) -> u64 {
    assert!(
        !error.is_lasting(),
        "an outage is no lasting error: {error}"
    );
    1
}

/// Calls come and go until told to end; says how many.
async fn answer(recorder: Recorder, end: Arc<AtomicBool>) -> u64 {
    let mut calls = 0;
    while !end.load(Ordering::Relaxed) {
        calls += 1;
        let call = CallId(calls);
        recorder.record(Entry::CallAnswered {
            call,
            at: at(1),
            source: caller(),
        });
        recorder.record(Entry::CallEnded {
            call,
            at: at(2),
            reason: LeaveReason::HungUp,
        });
        sleep(Duration::from_millis(5)).await;
    }
    calls
}

/// Entries of the audit log, once the server answers again.
async fn verified(store: &SqlStore) -> u64 {
    let since = Instant::now();
    loop {
        match store.verify_audit().await {
            Ok(verified) => return verified.entries,
            Err(error) if error.is_lasting() || since.elapsed() > Duration::from_secs(30) => {
                panic!("{error}")
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_outages_and_records_catch_up() {
    let mut server = Server::start();
    let bed = Arc::new(Bed::sqlite());
    let main = Postgres {
        url: server.new_database(),
        bridge: "main".to_owned(),
    };
    let store = SqlStore::serve_postgres(&main, bed.auditor())
        .await
        .unwrap();
    let first = store
        .add_account(bed.account("Grace"), at(0))
        .await
        .unwrap()
        .id;
    let run = store.begin_run(at(0)).await.unwrap();
    let recorder = Recorder::start(store.clone(), run);
    let end = Arc::new(AtomicBool::new(false));
    let operator = tokio::spawn(operate(bed.clone(), store.clone(), first, end.clone()));
    let calls = tokio::spawn(answer(recorder.clone(), end.clone()));

    let mut entries = 0;
    for outage in 0..outages() {
        sleep(Duration::from_millis(300 + outage * 137 % 400)).await;
        block_in_place(|| {
            if outage % 2 == 0 {
                server.crash()
            } else {
                server.stop()
            }
        });
        sleep(Duration::from_millis(outage * 89 % 600)).await;
        block_in_place(|| server.start_again());
        let now = verified(&store).await;
        assert!(
            now >= entries,
            "outage {outage}: {now} entries after {entries}"
        );
        entries = now;
    }
    // The last outage is over for everybody before they end.
    sleep(Duration::from_secs(2)).await;
    end.store(true, Ordering::Relaxed);
    let (done, calls) = (operator.await.unwrap(), calls.await.unwrap());
    recorder.finish().await.unwrap();

    assert_eq!(recorder.dropped(), 0);
    let rows = store.all_calls().await;
    assert_eq!(rows.len() as u64, calls, "each call once");
    assert!(
        rows.iter()
            .all(|row| row.reason.as_deref() == Some("hung-up"))
    );
    for (account, pin) in &done.accounts {
        let door = bed.door(&store, pin, at(3)).await;
        assert_eq!(door.map(|door| door.account), Some(*account));
    }
    for pin in &done.bookings {
        assert!(bed.opens(&store, pin, at(3)).await, "a booking is lost");
    }
    // After the last acknowledged one another may have been written whose answer was lost.
    let latest = done
        .resets
        .iter()
        .rposition(|(_, acknowledged)| *acknowledged)
        .unwrap();
    let mut open = 0;
    for (n, (pin, _)) in done.resets.iter().enumerate() {
        let opens = bed.opens(&store, pin, at(3)).await;
        assert!(!opens || n >= latest, "a Guest PIN opens that was replaced");
        open += u32::from(opens);
    }
    assert_eq!(open, 1, "one Guest PIN opens");
    let whole = verified(&store).await;
    println!(
        "{} outages: {} accounts, {} bookings, {} PINs, {calls} calls, {whole} entries; {} refusals meanwhile",
        outages(),
        done.accounts.len(),
        done.bookings.len(),
        done.resets.len(),
        done.refused,
    );
}
