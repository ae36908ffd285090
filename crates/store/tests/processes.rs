//! Several processes on one data directory, and one that is killed: the test binary starts itself again
//! as the other process.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]
// The other process tells this one by its standard output.
#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use conclave_accounts::{
    AccountId, CallId, ConferenceKey, Owner, Pin, Plan, Role, Terms, Title, Window,
};
use conclave_conference::{ConferenceId, Fact, LeaveReason, Record};
use conclave_store::{
    Act, Auditor, Books, Entry, Find, FreshKeys, Keys, NewAccount, NewBooking, Recorder, SqlStore,
    Store, StoreError, StoredPin,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

mod common;

use common::{Asked, caller};

/// Set for the other process: its data directory, and what it is to do there.
const DIR: &str = "CONCLAVE_STORE_TEST_DIR";
const PART: &str = "CONCLAVE_STORE_TEST_PART";

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

fn keys(dir: &Path) -> Keys {
    let mut random = StdRng::seed_from_u64(std::process::id().into());
    Keys::load_or_create(dir, FreshKeys::draw(&mut random)).unwrap()
}

fn auditor(dir: &Path, keys: &Keys) -> Auditor {
    let random = StdRng::seed_from_u64(std::process::id().into());
    Auditor::new(dir, keys, Box::new(random))
}

fn numbered(prefix: u32, n: u32) -> Pin {
    Pin::parse(&format!("{prefix:02}{n:06}")).unwrap()
}

/// The account that gets the PINs number `n` of the series `2 * prefix` and the next.
fn account(keys: &Keys, prefix: u32, n: u32) -> NewAccount {
    NewAccount {
        owner: Owner::new(&format!("Person {prefix}-{n}"), "person@example.org").unwrap(),
        terms: Terms::default(),
        department: None,
        cost_code: None,
        bookings: true,
        host: StoredPin::host(&numbered(2 * prefix, n), keys),
        guest: StoredPin::guest(&numbered(2 * prefix + 1, n), keys, [7; 24]),
    }
}

fn other_process(part: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_other_process",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIR, dir)
        .env(PART, part)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Nothing unless this process was started as the other one.
#[tokio::test]
async fn the_other_process() {
    let (Some(dir), Ok(part)) = (
        std::env::var_os(DIR).map(PathBuf::from),
        std::env::var(PART),
    ) else {
        return;
    };
    match part.as_str() {
        "serve" => serve_until_killed(&dir).await,
        "accounts-1" => add_accounts(&dir, 1, 60).await,
        "accounts-2" => add_accounts(&dir, 2, 60).await,
        other => panic!("no such part: {other}"),
    }
}

/// A booking from now on that gets the PINs number `n` of the series 4 and 5.
fn booking(keys: &Keys, account: AccountId, n: u32) -> NewBooking {
    let starts = DateTime::from_timestamp(now().timestamp(), 0).unwrap();
    let length = Duration::from_secs(3600);
    let window = Window::new(starts, starts + length, Duration::ZERO).unwrap();
    NewBooking {
        account,
        title: Title::new("Budget").unwrap(),
        plan: Plan {
            starts: starts.naive_utc(),
            length,
            zone: "UTC".into(),
            early: Duration::ZERO,
            rule: None,
            except: Vec::new(),
        },
        windows: vec![window],
        uid: format!("{n}@example.org"),
        host: StoredPin::host(&numbered(4, n), keys),
        guest: Some(StoredPin::guest(&numbered(5, n), keys, [7; 24])),
        invitees: Vec::new(),
        mail: false,
    }
}

/// Calls come and go, accounts are made, bookings, other PINs; each is told on standard output once it is acknowledged.
async fn serve_until_killed(dir: &Path) {
    let keys = keys(dir);
    let store = SqlStore::serve(dir, auditor(dir, &keys)).await.unwrap();
    let run = store.begin_run(now()).await.unwrap();
    let recorder = Recorder::start(store.clone(), run);
    let host = store
        .add_account(account(&keys, 0, 0), now())
        .await
        .unwrap()
        .id;
    println!("account 0");
    let conference = |fact| {
        Entry::Conference(Record {
            at: now(),
            conference: ConferenceId(1),
            fact,
        })
    };
    recorder.record(conference(Fact::Started {
        key: ConferenceKey::Account(host),
        account: host,
    }));
    for n in 1_u32.. {
        let call = CallId(u64::from(n));
        recorder.record(Entry::CallAnswered {
            call,
            at: now(),
            source: caller(),
        });
        recorder.record(conference(Fact::Arrived {
            call,
            role: Role::Host,
            holder: None,
            invitee: None,
            waits_for: None,
        }));
        recorder.record(conference(Fact::Admitted { call }));
        println!("call {n}");
        if n.is_multiple_of(2) {
            recorder.record(conference(Fact::Departed {
                call,
                reason: LeaveReason::HungUp,
            }));
            recorder.record(Entry::CallEnded {
                call,
                at: now(),
                reason: LeaveReason::HungUp,
            });
        }
        if n.is_multiple_of(5) {
            store
                .add_account(account(&keys, 0, n), now())
                .await
                .unwrap();
            println!("account {n}");
        }
        if n.is_multiple_of(7) {
            let act = Act::new("operator", now());
            store.book(booking(&keys, host, n), &act).await.unwrap();
            println!("booking {n}");
        }
        if n.is_multiple_of(11) {
            let act = Act::new("operator", now());
            let pin = StoredPin::guest(&numbered(6, n), &keys, [7; 24]);
            let reset = store.reset_pin(host, Role::Guest, pin, &act);
            reset.await.unwrap();
            println!("reset {n}");
        }
        tokio::time::sleep(Duration::from_millis(9)).await;
    }
}

async fn add_accounts(dir: &Path, prefix: u32, count: u32) {
    let keys = keys(dir);
    for n in 0..count {
        // As the command line does it: open, do, close.
        let store = SqlStore::open(dir, auditor(dir, &keys)).await.unwrap();
        store
            .add_account(account(&keys, prefix, n), now())
            .await
            .unwrap();
        store.close().await;
    }
}

/// What the serving process says it did, and when it said so, until it has worked for `lifetime`.
fn told(child: &mut Child, lifetime: Duration) -> Vec<(String, u32, Instant)> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told: Vec<(String, u32, Instant)> = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if let Some((what, Ok(n))) = line
            .split_once(' ')
            .map(|(what, n)| (what.to_owned(), n.parse()))
        {
            told.push((what, n, Instant::now()));
        }
        if told
            .first()
            .is_some_and(|(.., first)| first.elapsed() > lifetime)
        {
            break;
        }
    }
    told
}

/// How often the process is killed: a campaign asks for more.
fn kills() -> u64 {
    std::env::var("CONCLAVE_KILLS").map_or(3, |kills| kills.parse().unwrap())
}

#[tokio::test]
async fn what_a_killed_process_had_acknowledged_is_there() {
    for kill in 0..kills() {
        // Each time at another moment of its work.
        let lifetime = Duration::from_millis(1_250 + kill * 137 % 400);
        let dir = tempfile::tempdir().unwrap();
        let mut child = other_process("serve", dir.path());
        let told = told(&mut child, lifetime);
        child.kill().unwrap();
        let killed = Instant::now();
        child.wait().unwrap();
        let of = |kind: &'static str| told.iter().filter(move |(what, ..)| what == kind);
        let old: Vec<u32> = of("call")
            .filter(|(.., at)| killed - *at > Duration::from_secs(1))
            .map(|(_, n, _)| *n)
            .collect();
        assert!(
            !old.is_empty() && of("account").count() > 1,
            "the other process did too little: {}",
            told.len()
        );

        let keys = keys(dir.path());
        let store = SqlStore::serve(dir.path(), auditor(dir.path(), &keys))
            .await
            .expect("the lock went with the process");
        for (_, n, _) in of("account") {
            for pin in [numbered(0, *n), numbered(1, *n)] {
                // A PIN that was reset is found as well, and opens nothing.
                let door = store
                    .leads(&keys.lookups(&pin).current.lookup, &caller(), now())
                    .await
                    .unwrap();
                assert!(door.is_some(), "account {n} is lost");
            }
        }
        let opens = async |pin: Pin| {
            let lookup = keys.lookups(&pin).current.lookup;
            let door = store.leads(&lookup, &caller(), now()).await.unwrap();
            door.is_some_and(|door| door.is_open(now()))
        };
        for (_, n, _) in of("booking") {
            for pin in [numbered(4, *n), numbered(5, *n)] {
                assert!(opens(pin).await, "booking {n} is lost");
            }
        }
        // The first account's Guest PIN is the latest that was acknowledged, or one that was just not.
        if let Some((_, latest, _)) = of("reset").next_back() {
            let next = opens(numbered(6, latest + 11)).await;
            assert!(
                opens(numbered(6, *latest)).await != next,
                "reset {latest} is lost"
            );
            assert!(!opens(numbered(1, 0)).await, "a PIN that was reset opens");
        }
        store.begin_run(now()).await.unwrap();
        let calls = store.all_calls().await;
        let newest = *old.iter().max().unwrap() as usize;
        assert!(
            calls.len() >= newest,
            "{} of {newest} calls of more than a second ago",
            calls.len()
        );
        for (n, call) in (1_usize..).zip(&calls) {
            let visit = call.visit.as_ref().expect("written with the call");
            let (ended, left) = (call.reason.as_deref(), visit.reason.as_deref());
            assert!(call.ended.is_some() && visit.departed.is_some() && visit.admitted.is_some());
            let whole = if n.is_multiple_of(2) {
                "hung-up"
            } else {
                "interrupted"
            };
            // The very last may have been cut between its parts.
            assert!(
                (ended, left) == (Some(whole), Some(whole)) || n == calls.len(),
                "call {n}: {ended:?} {left:?}"
            );
        }
        // Chained from the first entry to the last, and no further than the head that was noted.
        assert!(store.verify_audit().await.unwrap().entries > 0);
        let conferences = store.all_conferences().await;
        assert_eq!(conferences[0].reason.as_deref(), Some("interrupted"));
        let lived = conferences[0].ended.unwrap() - conferences[0].started;
        assert!(
            lived.num_seconds() <= 3,
            "ended when it was seen last, not at the restart: {lived}"
        );
    }
}

#[tokio::test]
async fn commands_and_the_bridge_write_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys(dir.path());
    // All at once from an empty directory: the schema is made under the others' eyes.
    let mut commands = ["accounts-1", "accounts-2"].map(|part| other_process(part, dir.path()));
    let store = SqlStore::serve(dir.path(), auditor(dir.path(), &keys))
        .await
        .unwrap();
    assert!(matches!(
        SqlStore::serve(dir.path(), auditor(dir.path(), &keys)).await,
        Err(StoreError::Served { .. })
    ));
    let run = store.begin_run(now()).await.unwrap();
    let recorder = Recorder::start(store.clone(), run);
    let mut calls: u64 = 0;
    while commands
        .iter_mut()
        .any(|child| child.try_wait().unwrap().is_none())
    {
        calls += 1;
        recorder.record(Entry::CallAnswered {
            call: CallId(calls),
            at: now(),
            source: caller(),
        });
        if calls.is_multiple_of(100) {
            recorder.flush().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for mut child in commands {
        assert!(child.wait().unwrap().success());
    }
    recorder.finish().await.unwrap();
    assert_eq!(recorder.dropped(), 0);
    assert_eq!(store.all_calls().await.len() as u64, calls);
    let accounts = store.list(&Find::All).await;
    assert_eq!(accounts.len(), 120);
    assert_eq!(accounts[0].id, AccountId(1));
    for prefix in [1, 2] {
        for n in 0..60 {
            let door = store
                .leads(
                    &keys.lookups(&numbered(2 * prefix, n)).current.lookup,
                    &caller(),
                    now(),
                )
                .await
                .unwrap();
            assert_eq!(door.unwrap().role, Role::Host);
        }
    }
}
