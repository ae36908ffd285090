//! A PostgreSQL database that several bridges share, and that goes away and comes back.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use conclave_accounts::{CallId, Owner, Pin, PinKey, Source, Terms};
use conclave_conference::LeaveReason;
use conclave_store::{
    Auditor, Books, CallRow, Entry, Find, FreshKeys, Keys, NewAccount, Postgres, Recorder, RunId,
    SqlStore, StoreError, StoredPin,
};
use conclave_testbed::Postgres as Server;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::sleep;

mod common;

use common::{Asked, at};

/// Each process has a data directory of its own here, which is gone afterwards: no test of this file asks for the head.
fn auditor() -> Auditor {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::load_or_create(dir.path(), FreshKeys::draw(&mut StdRng::seed_from_u64(9)));
    Auditor::new(&dir.keep(), &keys.unwrap(), Box::new(common::random()))
}

fn bridge(url: &str, name: &str) -> Postgres {
    Postgres {
        url: url.to_owned(),
        bridge: name.to_owned(),
    }
}

fn answered(call: u64, trunk: &str) -> Entry {
    Entry::CallAnswered {
        call: CallId(call),
        at: at(10),
        source: Source::new(trunk, "+4930123456"),
    }
}

fn pin(n: u32) -> StoredPin {
    let pin = Pin::parse(&format!("73{n:06}")).unwrap();
    StoredPin::of(&pin, &PinKey::new([9; 32]))
}

fn account(n: u32) -> NewAccount {
    NewAccount {
        owner: Owner::new("Ada", "ada@example.org").unwrap(),
        terms: Terms::default(),
        department: None,
        cost_code: None,
        bookings: true,
        host: pin(2 * n),
        guest: pin(2 * n + 1),
    }
}

async fn calls(store: &SqlStore) -> Vec<CallRow> {
    store.all_calls().await
}

/// Tries until it works: somebody else has to notice something first.
async fn in_time<T>(mut work: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let since = Instant::now();
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) if since.elapsed() > Duration::from_secs(30) => panic!("{error}"),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

#[tokio::test]
async fn bridges_of_two_names_share_a_database() {
    let server = Server::shared();
    let url = server.new_database();
    let berlin = SqlStore::serve_postgres(&bridge(&url, "berlin"), auditor()).await;
    let berlin = berlin.unwrap();
    let paris = SqlStore::serve_postgres(&bridge(&url, "paris"), auditor()).await;
    let paris = paris.unwrap();
    let runs = [
        berlin.begin_run(at(0)).await.unwrap(),
        paris.begin_run(at(1)).await.unwrap(),
    ];
    assert_ne!(runs[0], runs[1]);
    // Calls are numbered anew in each run: both have a first.
    berlin
        .write(runs[0], &[answered(1, "b")], at(20))
        .await
        .unwrap();
    paris
        .write(runs[1], &[answered(1, "p")], at(30))
        .await
        .unwrap();

    // Paris was killed and starts again; Berlin's call goes on.
    paris.close().await;
    let paris = SqlStore::serve_postgres(&bridge(&url, "paris"), auditor()).await;
    let paris = paris.unwrap();
    let run = paris.begin_run(at(100)).await.unwrap();
    let ends = |calls: &[CallRow]| -> Vec<_> {
        calls
            .iter()
            .map(|call| (call.trunk.clone(), call.ended))
            .collect()
    };
    let expected = [("b".to_owned(), None), ("p".to_owned(), Some(at(30)))];
    assert_eq!(ends(&calls(&berlin).await), expected);
    paris.end_run(run, at(101)).await.unwrap();
    assert_eq!(ends(&calls(&berlin).await), expected);
    berlin.end_run(runs[0], at(102)).await.unwrap();
    assert_eq!(calls(&paris).await[0].ended, Some(at(102)));
}

#[tokio::test]
async fn one_serves_under_a_name() {
    let server = Server::shared();
    let main = bridge(&server.new_database(), "main");
    let first = SqlStore::serve_postgres(&main, auditor()).await.unwrap();
    let clone = first.clone();
    drop(first);
    let refused = SqlStore::serve_postgres(&main, auditor())
        .await
        .unwrap_err();
    assert!(refused.is_lasting());
    let words = refused.to_string();
    assert!(
        words.contains("already served")
            && words.contains("\"main\"")
            && words.contains("127.0.0.1, since"),
        "{words}"
    );
    SqlStore::connect(&main, auditor())
        .await
        .expect("commands work beside it");
    drop(clone);
    let second = SqlStore::serve_postgres(&main, auditor()).await;
    let second = second.expect("the lock went with the store");
    second.close().await;
    SqlStore::serve_postgres(&main, auditor())
        .await
        .expect("the lock was given back");
}

#[tokio::test]
async fn a_server_that_was_stopped_is_found_again() {
    let mut server = Server::start();
    let main = bridge(&server.new_database(), "main");
    let store = SqlStore::serve_postgres(&main, auditor()).await.unwrap();
    store.add_account(account(1), at(0)).await.unwrap();
    let run = store.begin_run(at(0)).await.unwrap();
    let recorder = Recorder::start(store.clone(), run);
    recorder.record(answered(1, "before"));
    recorder.flush().await.unwrap();

    server.stop();
    let since = Instant::now();
    let lost = store
        .leads(&pin(2).lookup, &Source::withheld("berlin"), at(11))
        .await
        .unwrap_err();
    assert!(!lost.is_lasting(), "{lost}");
    let took = since.elapsed();
    assert!(took < Duration::from_secs(5), "a caller waits: {took:?}");
    recorder.record(answered(2, "meanwhile"));
    sleep(Duration::from_millis(500)).await;

    server.start_again();
    let door = async || {
        store
            .leads(&pin(2).lookup, &Source::withheld("berlin"), at(12))
            .await
    };
    assert!(in_time(door).await.is_some());
    recorder.record(answered(3, "after"));
    recorder.finish().await.unwrap();
    assert_eq!(recorder.dropped(), 0);
    let trunks: Vec<_> = calls(&store)
        .await
        .into_iter()
        .map(|call| call.trunk)
        .collect();
    assert_eq!(trunks, ["before", "meanwhile", "after"]);

    // The lock on the name is taken again without being asked.
    let refused = async || match SqlStore::serve_postgres(&main, auditor()).await {
        Err(StoreError::NameServed { .. }) => Ok(()),
        Err(error) => Err(error),
        // Ours for a moment: whose it is, is asked again every two seconds.
        Ok(other) => {
            other.close().await;
            sleep(Duration::from_secs(3)).await;
            Err(StoreError::PinTaken)
        }
    };
    in_time(refused).await;
}

#[tokio::test]
async fn what_can_never_be_written_is_told_from_what_can_be_later() {
    let server = Server::shared();
    let main = bridge(&server.new_database(), "main");
    let store = SqlStore::serve_postgres(&main, auditor()).await.unwrap();
    let run = store.begin_run(at(0)).await.unwrap();
    // PostgreSQL's texts can't hold this character.
    let poison = store.write(run, &[answered(1, "a\0b")], at(1)).await;
    assert!(poison.unwrap_err().is_lasting());
    let nobodys = store.write(RunId(99), &[answered(1, "x")], at(1)).await;
    assert!(nobodys.unwrap_err().is_lasting());

    let recorder = Recorder::start(store.clone(), run);
    recorder.record(answered(1, "a\0b"));
    recorder.record(answered(2, "good"));
    recorder.record(Entry::CallEnded {
        call: CallId(2),
        at: at(12),
        reason: LeaveReason::HungUp,
    });
    recorder.finish().await.unwrap();
    let calls = calls(&store).await;
    assert_eq!((calls.len(), calls[0].ended), (1, Some(at(12))));

    // An operator who cuts connections doesn't spoil what comes.
    let name = main.url.rsplit_once('/').unwrap().1;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = ";
    server.run(name, &format!("{cut}'{name}'"));
    store.add_account(account(1), at(20)).await.unwrap();
}

#[tokio::test]
async fn writers_take_turns() {
    let server = Server::shared();
    let main = bridge(&server.new_database(), "main");
    // As several processes: each with connections of its own, making the tables under the others' eyes.
    let writers: Vec<_> = (0..6_u32)
        .map(|writer| {
            let main = main.clone();
            tokio::spawn(async move {
                let store = SqlStore::connect(&main, auditor()).await.unwrap();
                for n in 0..10 {
                    let new = account(writer * 10 + n);
                    store.add_account(new, at(0)).await.unwrap();
                    // All try for the same PINs; one gets them.
                    let same = account(1_000 + n);
                    match store.add_account(same, at(0)).await {
                        Ok(_) | Err(StoreError::PinTaken) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                store.close().await;
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let store = SqlStore::connect(&main, auditor()).await.unwrap();
    assert_eq!(store.list(&Find::All).await.len(), 70);
}

#[tokio::test]
async fn a_later_database_is_refused() {
    let server = Server::shared();
    let main = bridge(&server.new_database(), "main");
    SqlStore::connect(&main, auditor())
        .await
        .unwrap()
        .close()
        .await;
    let name = main.url.rsplit_once('/').unwrap().1;
    let check = async |statement: &str, expected: &str| {
        server.run(name, statement);
        let refused = SqlStore::connect(&main, auditor())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains(expected) && refused.contains(name),
            "{refused}"
        );
    };
    check(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, '', 0)",
        "newer version",
    )
    .await;
    check(
        "DELETE FROM _sqlx_migrations WHERE version = 9999; UPDATE _sqlx_migrations SET checksum = ''",
        "not a Conclave database",
    )
    .await;
}

#[tokio::test]
async fn nobody_is_told_the_password() {
    let server = Server::shared();
    let there = server.new_database();
    let check = async |url: String| {
        let at = bridge(&url, "main");
        let debug = format!("{at:?}");
        assert!(!debug.contains("s3cret"), "{debug}");
        match SqlStore::connect(&at, auditor()).await {
            Ok(store) => {
                let debug = format!("{store:?}");
                assert!(!debug.contains("s3cret"), "{debug}");
            }
            Err(error) => {
                let words = format!("{error} {error:?}");
                assert!(!words.contains("s3cret"), "{words}");
            }
        }
    };
    check(there.replace("postgres@", "postgres:s3cret@")).await;
    check(there.replace("postgres@", "nobody:s3cret@")).await;
    check(there.replace("postgres@", "postgres:s3cret@") + "_not_there").await;
    check("postgres://postgres:s3cret@127.0.0.1:s3cret/x".to_owned()).await;
    check("postgres://postgres:s3cret@127.0.0.1/x?sslmode=s3cret".to_owned()).await;
    check("mysql://postgres:s3cret@127.0.0.1/x".to_owned()).await;
}

/// To serve and for a command, after waiting for a server that is perhaps only starting.
#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let nobody = bridge("postgres://ada:s3cret@127.0.0.1:1/conclave", "main");
    let began = Instant::now();
    let (served, connected) = tokio::join!(
        SqlStore::serve_postgres(&nobody, auditor()),
        SqlStore::connect(&nobody, auditor())
    );
    for error in [served.unwrap_err(), connected.unwrap_err()] {
        let told = error.to_string();
        assert!(
            told.contains("\"conclave\" at 127.0.0.1:1 can't be reached: Connection refused"),
            "{told}"
        );
        assert!(!told.contains("s3cret") && !error.is_lasting());
    }
    assert!(began.elapsed() > Duration::from_secs(5));
}
