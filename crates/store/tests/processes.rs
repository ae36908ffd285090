//! Several processes on one data directory, and one that is killed: the test binary starts itself again
//! as the other process.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]
// The other process tells this one by its standard output.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use conclave_accounts::{
    AccountId, AccountState, CallId, ConferenceKey, Owner, Pin, Plan, Role, Terms, Title, Window,
};
use conclave_conference::{ConferenceId, Fact, LeaveReason, Record};
use conclave_store::{
    AccountChange, Act, Auditor, Books, Entry, Find, FreshKeys, Keys, NewAccount, NewBooking,
    NewInvitee, Recorder, SqlStore, Store, StoreError, StoredPin,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};

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

/// With two invitees, who get the PINs number `n` of the series 7 and 8.
fn invited(keys: &Keys, account: AccountId, n: u32) -> NewBooking {
    let invitees = [("Grace", 7), ("Alan", 8)].map(|(name, series)| NewInvitee {
        name: name.to_owned(),
        email: format!("{name}@example.org"),
        pin: StoredPin::guest(&numbered(series, n), keys, [7; 24]),
        mail: true,
    });
    NewBooking {
        uid: format!("invited-{n}@example.org"),
        host: StoredPin::host(&numbered(10, n), keys),
        guest: None,
        invitees: invitees.into(),
        ..booking(keys, account, n)
    }
}

/// What an operator does in round `n`, each deed told on standard output once it is acknowledged.
async fn operate(store: &SqlStore, keys: &Keys, first: AccountId, n: u32) {
    let act = || Act::new("operator", now());
    let every = |rounds: u32| n.is_multiple_of(rounds);
    if every(3) {
        let change = AccountChange {
            department: Some(Some(format!("Department {n}"))),
            ..AccountChange::default()
        };
        store.change_account(first, &change, &act()).await.unwrap();
        println!("change {n}");
    }
    if every(5) {
        let added = store.add_account(account(keys, 0, n), now()).await.unwrap();
        println!("account {n}");
        if every(10) {
            let suspended = AccountState::Suspended;
            store.set_state(added.id, suspended, &act()).await.unwrap();
            println!("suspend {n}");
        }
    }
    if every(7) {
        let booked = store.book(booking(keys, first, n), &act()).await.unwrap();
        println!("booking {n}");
        if every(14) {
            store.cancel_booking(booked.id, &act()).await.unwrap();
            println!("cancel {n}");
        }
    }
    if every(8) {
        let booked = store.book(invited(keys, first, n), &act()).await.unwrap();
        println!("invited {n}");
        let grace = booked.invitees[0].id;
        store.withdraw(grace, &act()).await.unwrap();
        println!("withdraw {n}");
    }
    for (role, rounds, series) in [(Role::Guest, 11, 6), (Role::Host, 9, 9)] {
        if every(rounds) {
            let pin = match role {
                Role::Host => StoredPin::host(&numbered(series, n), keys),
                Role::Guest => StoredPin::guest(&numbered(series, n), keys, [7; 24]),
            };
            store.reset_pin(first, role, pin, &act()).await.unwrap();
            println!("reset-{series} {n}");
        }
    }
}

/// Calls come and go, and an operator is at work.
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
        operate(&store, &keys, host, n).await;
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

/// What the serving process said it had done when it was killed, `lifetime` after it had begun, and when it said so.
fn told(mut child: Child, lifetime: Duration) -> (Vec<(String, u32, Instant)>, Instant) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || {
        let line = lines.next()?.unwrap();
        let (what, n) = line.split_once(' ').unwrap_or_default();
        Some((what.to_owned(), n.parse().ok(), Instant::now()))
    };
    let begun = loop {
        if let (what, Some(n), at) = line().expect("it begins") {
            break (what, n, at);
        }
    };
    // Whatever it is about just then, and whatever of its words is on its way.
    let killer = thread::spawn(move || {
        thread::sleep(lifetime);
        child.kill().unwrap();
        let killed = Instant::now();
        child.wait().unwrap();
        killed
    });
    let mut told = vec![begun];
    while let Some((what, n, at)) = line() {
        told.extend(n.map(|n| (what, n, at)));
    }
    (told, killer.join().unwrap())
}

/// How often the process is killed: a campaign asks for more.
fn kills() -> u64 {
    std::env::var("CONCLAVE_KILLS").map_or(3, |kills| kills.parse().unwrap())
}

/// From where the moments are drawn: told, so that a campaign can be held again.
fn moments() -> StdRng {
    let seed = std::env::var("CONCLAVE_SEED");
    let seed = seed.map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("CONCLAVE_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[tokio::test]
async fn what_a_killed_process_had_acknowledged_is_there() {
    let mut moments = moments();
    let mut deeds = BTreeMap::<String, u32>::new();
    for _ in 0..kills() {
        let lifetime = Duration::from_micros(moments.random_range(1_100_000..1_900_000));
        let dir = tempfile::tempdir().unwrap();
        let child = other_process("serve", dir.path());
        let (told, killed) = told(child, lifetime);
        for (what, ..) in &told {
            *deeds.entry(what.clone()).or_default() += 1;
        }
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
        acknowledged(&store, &keys, |kind| of(kind).map(|(_, n, _)| *n).collect()).await;
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
    println!("acknowledged, and there: {deeds:?}");
}

/// Each deed that was acknowledged is done; the one that was just about to be may be, too.
async fn acknowledged(store: &SqlStore, keys: &Keys, of: impl Fn(&'static str) -> Vec<u32>) {
    let door = async |series: u32, n: u32| {
        let lookup = keys.lookups(&numbered(series, n)).current.lookup;
        store.leads(&lookup, &caller(), now()).await.unwrap()
    };
    let opens = async |series: u32, n: u32| {
        let door = door(series, n).await;
        door.is_some_and(|door| door.is_open(now()))
    };
    for n in of("account") {
        for series in [0, 1] {
            // A PIN that was reset is found as well, and opens nothing.
            assert!(door(series, n).await.is_some(), "account {n} is lost");
        }
    }
    for n in of("suspend") {
        assert!(!opens(0, n).await, "account {n} is not suspended any more");
    }
    let cancelled = of("cancel");
    for n in of("booking") {
        for series in [4, 5] {
            if !n.is_multiple_of(14) {
                assert!(opens(series, n).await, "booking {n} is lost");
            }
        }
    }
    for n in cancelled {
        assert!(!opens(4, n).await, "booking {n} is not cancelled any more");
    }
    for n in of("invited") {
        assert!(opens(8, n).await, "the booking {n} of invitees is lost");
    }
    for n in of("withdraw") {
        assert!(!opens(7, n).await, "the invitation {n} stands again");
    }
    // Each of the first account's PINs is the latest that was acknowledged, or one that was just not.
    for (kind, series, rounds, first) in [("reset-6", 6, 11, 1), ("reset-9", 9, 9, 0)] {
        if let Some(latest) = of(kind).last().copied() {
            let next = opens(series, latest + rounds).await;
            assert!(
                opens(series, latest).await != next,
                "{kind} {latest} is lost"
            );
            assert!(!opens(first, 0).await, "a PIN that was reset opens");
        }
    }
    if let Some(latest) = of("change").last() {
        let accounts = store.list(&Find::All).await;
        let department = accounts[0].department.clone();
        let meant = [*latest, latest + 3].map(|n| Some(format!("Department {n}")));
        assert!(
            meant.contains(&department),
            "change {latest}: {department:?}"
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
