//! The store as it grows: how long a PIN look-up takes, and a month's report, with a hundred times the accounts and
//! calls; the small database of the same run is the baseline.
//!
//! `cargo bench -p conclave-benches --bench store_scale`; under `cargo test --benches` a hundredth of it.
//! `CONCLAVE_SCALE=10000` sets the large one's accounts (ten calls each); the default is 100,000.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a measurement that can't go on panics

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    AccountId, CallId, ConferenceKey, Owner, Pin, PinLookup, Plan, Role, Source, Terms, Title,
    Window,
};
use conclave_conference::{ConferenceId, Fact, LeaveReason, Record};
use conclave_store::{
    Act, AuditPage, Auditor, Books, Entry, FreshKeys, Keys, NewAccount, NewBooking, Page, Period,
    ReportFilter, SqlStore, Store, StoredPin,
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

/// Calls of each account over the year, in conferences of ten.
const CALLS_EACH: u64 = 10;
/// One account in so many books once a week.
const BOOKERS: u64 = 100;
const LOOKUPS: usize = 5_000;

#[tokio::main]
async fn main() {
    let quick = !std::env::args().any(|arg| arg == "--bench");
    let large = std::env::var("CONCLAVE_SCALE")
        .ok()
        .and_then(|text| text.parse().ok());
    let large = large.unwrap_or(if quick { 1_000 } else { 100_000 });
    println!(
        "{:>9} {:>10} {:>9} {:>12} {:>12} {:>12} {:>13} {:>11} {:>11} {:>19} {:>14}",
        "accounts",
        "calls",
        "bookings",
        "door p50 µs",
        "door p99 µs",
        "wrong p99 µs",
        "conferences ms",
        "calls ms",
        "usage ms",
        "department calls ms",
        "audit page ms"
    );
    // With fewer there is no call of that department in a month.
    let small = measure((large / 100).max(1_000)).await;
    let big = measure(large).await;
    println!(
        "ratio to the small one: door p50 {:.2}, p99 {:.2}",
        ratio(big.p50, small.p50),
        ratio(big.p99, small.p99)
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine at the end: {}", load.trim());
}

struct Measured {
    p50: Duration,
    p99: Duration,
}

async fn measure(accounts: u64) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(accounts);
    let keys = Keys::load_or_create(dir.path(), FreshKeys::draw(&mut random)).unwrap();
    let store = open(dir.path(), &keys).await;
    let (pins, bookings) = fill(&store, &keys, accounts, &mut random).await;
    let calls = accounts * CALLS_EACH;

    let (p50, p99) = look_up(&store, &pins, &mut random).await;
    let strangers: Vec<PinLookup> = (0..LOOKUPS)
        .map(|_| {
            keys.lookups(&Pin::draw(10, &mut random).unwrap())
                .current
                .lookup
        })
        .collect();
    let (_, wrong) = look_up(&store, &strangers, &mut random).await;
    let month = ReportFilter {
        page: Page::all(),
        ..ReportFilter::all(Period {
            from: Some(year() + TimeDelta::days(150)),
            to: Some(year() + TimeDelta::days(180)),
        })
    };
    let conferences = timed(async || store.conferences(&month).await.unwrap().len()).await;
    let rows = timed(async || store.calls(&month).await.unwrap().len()).await;
    let usage = timed(async || store.usage(month.period).await.unwrap().len()).await;
    let department = ReportFilter {
        department: Some("department 7".to_owned()),
        ..month.clone()
    };
    let department = timed(async || store.calls(&department).await.unwrap().len()).await;
    // The worst place: what is asked for lies at the end of a long log.
    let period = Period {
        from: Some(year() + TimeDelta::days(355)),
        to: None,
    };
    let audit = timed(async || {
        let span = store.audit_span(period).await.unwrap().unwrap();
        let page = AuditPage {
            kind: Some("call.admitted".to_owned()),
            ..AuditPage::of(period, span, 0)
        };
        store.audit(&page).await.unwrap().len()
    })
    .await;
    println!(
        "{accounts:>9} {calls:>10} {bookings:>9} {:>12} {:>12} {:>12} {:>13.1} {:>11.1} {:>11.1} {:>19.1} {:>14.1}",
        p50.as_micros(),
        p99.as_micros(),
        wrong.as_micros(),
        millis(conferences),
        millis(rows),
        millis(usage),
        millis(department),
        millis(audit)
    );
    Measured { p50, p99 }
}

async fn open(dir: &Path, keys: &Keys) -> SqlStore {
    let auditor = Auditor::new(dir, keys, Box::new(StdRng::seed_from_u64(1)));
    SqlStore::serve(dir, auditor).await.unwrap()
}

/// The database after a year; gives back the lookups of the accounts' Guest PINs, and how many bookings there are.
async fn fill(
    store: &SqlStore,
    keys: &Keys,
    accounts: u64,
    random: &mut StdRng,
) -> (Vec<PinLookup>, u64) {
    let act = Act::new("bench", year());
    let mut pins = Vec::new();
    for batch in 0..accounts.div_ceil(1_000) {
        let some = (batch * 1_000..accounts.min((batch + 1) * 1_000)).map(|n| {
            let guest = stored(keys, random);
            pins.push(guest.lookup);
            NewAccount {
                owner: Owner::new(&format!("Person {n}"), &format!("p{n}@example.org")).unwrap(),
                department: Some(format!("Department {}", n % 50)),
                cost_code: None,
                terms: Terms::default(),
                bookings: true,
                host: stored(keys, random),
                guest,
            }
        });
        store.add_accounts(some.collect(), &act).await.unwrap();
    }
    let mut bookings = 0;
    for n in (1..=accounts).step_by(BOOKERS as usize) {
        for week in 0..52 {
            store
                .book(booking(keys, random, n, week), &act)
                .await
                .unwrap();
            bookings += 1;
        }
    }
    let run = store.begin_run(year()).await.unwrap();
    let conferences = accounts * CALLS_EACH / 10;
    for batch in 0..conferences.div_ceil(100) {
        let some = batch * 100..conferences.min((batch + 1) * 100);
        let entries: Vec<Entry> = some
            .flat_map(|n| conference(n, accounts, conferences))
            .collect();
        store.write(run, &entries, year()).await.unwrap();
    }
    (pins, bookings)
}

fn booking(keys: &Keys, random: &mut StdRng, account: u64, week: i64) -> NewBooking {
    let starts = year() + TimeDelta::days(7 * week);
    let ends = starts + TimeDelta::hours(1);
    NewBooking {
        account: AccountId(account),
        title: Title::new("Weekly").unwrap(),
        plan: Plan {
            starts: starts.naive_utc(),
            length: Duration::from_secs(3600),
            zone: "UTC".into(),
            early: Duration::ZERO,
            rule: None,
            except: Vec::new(),
        },
        windows: vec![Window::new(starts, ends, Duration::ZERO).unwrap()],
        uid: format!("{account}-{week}@example.org"),
        host: stored(keys, random),
        guest: Some(stored(keys, random)),
        invitees: Vec::new(),
        mail: false,
    }
}

fn stored(keys: &Keys, random: &mut StdRng) -> StoredPin {
    // So long that among hundreds of thousands no two are alike.
    let pin = Pin::draw(16, random).unwrap();
    let mut nonce = [0; 24];
    random.fill_bytes(&mut nonce);
    StoredPin::guest(&pin, keys, nonce)
}

/// A conference of ten, at its place in the year.
fn conference(n: u64, accounts: u64, of: u64) -> Vec<Entry> {
    let starts = year() + TimeDelta::milliseconds((365 * 86_400_000 / of as i64) * n as i64);
    let account = AccountId(n % accounts + 1);
    let id = ConferenceId(u32::try_from(n + 1).unwrap());
    let fact = |at: DateTime<Utc>, fact| {
        Entry::Conference(Record {
            at,
            conference: id,
            fact,
        })
    };
    let calls: Vec<CallId> = (0..10).map(|k| CallId(n * 10 + k + 1)).collect();
    let mut entries = Vec::new();
    for (k, call) in calls.iter().enumerate() {
        let number = format!("+49301{:07}", (n * 7 + k as u64) % 10_000_000);
        let source = Source::new("berlin", &number);
        entries.push(Entry::CallAnswered {
            call: *call,
            at: starts,
            source,
        });
    }
    let key = ConferenceKey::Account(account);
    entries.push(fact(starts, Fact::Started { key, account }));
    for (k, call) in calls.iter().enumerate() {
        let role = if k == 0 { Role::Host } else { Role::Guest };
        entries.push(fact(
            starts,
            Fact::Arrived {
                call: *call,
                role,
                holder: None,
                invitee: None,
                waits_for: None,
            },
        ));
        entries.push(fact(starts, Fact::Admitted { call: *call }));
    }
    let ends = starts + TimeDelta::minutes(30);
    let reason = LeaveReason::HungUp;
    for call in calls {
        entries.push(fact(ends, Fact::Departed { call, reason }));
        entries.push(Entry::CallEnded {
            call,
            at: ends,
            reason,
        });
    }
    entries
}

/// p50 and p99 of looking up PINs one after the other.
async fn look_up(
    store: &SqlStore,
    pins: &[PinLookup],
    random: &mut StdRng,
) -> (Duration, Duration) {
    let source = Source::new("berlin", "+4930123456");
    let now = year() + TimeDelta::days(200);
    let mut times = Vec::with_capacity(LOOKUPS);
    for _ in 0..LOOKUPS {
        let pin = [pins[random.random_range(0..pins.len())]];
        let began = Instant::now();
        store.door(&pin, &source, now).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    (times[LOOKUPS / 2], times[LOOKUPS * 99 / 100])
}

async fn timed(work: impl AsyncFn() -> usize) -> Duration {
    let began = Instant::now();
    assert!(work().await > 0, "the report is empty");
    began.elapsed()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn year() -> DateTime<Utc> {
    DateTime::from_timestamp(1_798_761_600, 0).unwrap()
}
