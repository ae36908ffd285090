//! Databases to test on, of both kinds, and what is put into them.

// Helpers of tests are tests, and no file of tests needs them all.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, BookingId, CallId, ConferenceKey, Door, InviteeId, Owner, Pin, PinLookup,
    Plan, Role, Source, Terms, Title, Window,
};
use conclave_conference::{ConferenceId, EndReason, Fact, LeaveReason, Record};
use conclave_store::{
    Act, Auditor, CallRow, ConferenceRow, Entry, Find, FreshKeys, Keys, NewAccount, NewBooking,
    NewInvitee, Page, Postgres, ReportFilter, RunId, SqlStore, Store, StoreError, StoredPin,
};
use conclave_testbed::Postgres as Server;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;

/// Runs each test on SQLite and on PostgreSQL.
#[allow(unused_macros)]
macro_rules! databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::common::Bed::sqlite()).await;
            })+
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::common::Bed::postgres()).await;
            })+
        }
    };
}
#[allow(unused_imports)]
pub(crate) use databases;

/// An empty database, and the data directory that goes with it.
pub struct Bed {
    pub dir: TempDir,
    pub keys: Keys,
    postgres: Option<(Server, String)>,
}

impl Bed {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_create(dir.path(), FreshKeys::draw(&mut random())).unwrap();
        Self {
            dir,
            keys,
            postgres: None,
        }
    }

    pub fn postgres() -> Self {
        let server = Server::shared();
        let url = server.new_database();
        Self {
            postgres: Some((server, url)),
            ..Self::sqlite()
        }
    }

    pub fn auditor(&self) -> Auditor {
        Auditor::new(self.dir.path(), &self.keys, Box::new(random()))
    }

    fn at(&self) -> Option<Postgres> {
        self.postgres.as_ref().map(|(_, url)| Postgres {
            url: url.clone(),
            bridge: "main".to_owned(),
        })
    }

    /// As the process that serves it.
    pub async fn serve(&self) -> SqlStore {
        match self.at() {
            Some(at) => SqlStore::serve_postgres(&at, self.auditor()).await,
            None => SqlStore::serve(self.dir.path(), self.auditor()).await,
        }
        .unwrap()
    }

    /// As any other process.
    pub async fn open(&self) -> SqlStore {
        self.try_open().await.unwrap()
    }

    pub async fn try_open(&self) -> Result<SqlStore, StoreError> {
        match self.at() {
            Some(at) => SqlStore::connect(&at, self.auditor()).await,
            None => SqlStore::open(self.dir.path(), self.auditor()).await,
        }
    }

    /// Does what somebody does who has the database and not the bridge.
    pub async fn run(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.at() {
            Some(at) => {
                let mut session = sqlx::PgConnection::connect(&at.url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
                done.rows_affected()
            }
            None => {
                let path = format!("sqlite:{}/conclave.db", self.dir.path().display());
                let mut session = sqlx::SqliteConnection::connect(&path).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
                done.rows_affected()
            }
        }
    }

    /// Rows of one text each.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.at() {
            Some(at) => {
                let mut session = sqlx::PgConnection::connect(&at.url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut session).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            None => {
                let path = format!("sqlite:{}/conclave.db", self.dir.path().display());
                let mut session = sqlx::SqliteConnection::connect(&path).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut session).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    pub async fn count(&self, sql: &str) -> u64 {
        let text = format!("SELECT CAST(n AS TEXT) FROM ({sql}) AS counted(n)");
        let text = if self.at().is_some() {
            text
        } else {
            format!("WITH counted(n) AS ({sql}) SELECT CAST(n AS TEXT) FROM counted")
        };
        self.texts(&text).await[0].parse().unwrap()
    }

    /// All that is in the database, as somebody would search it who has a copy.
    pub async fn dump(&self) -> String {
        if self.at().is_none() {
            self.run("VACUUM").await;
            self.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
            let mut all = String::new();
            for file in std::fs::read_dir(self.dir.path()).unwrap() {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                all.push_str(&String::from_utf8_lossy(&bytes));
            }
            return all;
        }
        let tables =
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
        let mut all = String::new();
        for table in self.texts(tables).await {
            let rows = self.texts(&format!("SELECT t::text FROM {table} t")).await;
            all.push_str(&rows.join("\n"));
        }
        all
    }

    pub fn host(&self, digits: &str) -> StoredPin {
        StoredPin::host(&Pin::parse(digits).unwrap(), &self.keys)
    }

    pub fn guest(&self, digits: &str) -> StoredPin {
        StoredPin::guest(&Pin::parse(digits).unwrap(), &self.keys, [7; 24])
    }

    /// A PIN that nobody has had in this process.
    pub fn fresh(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("73{:010}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub fn lookups(&self, digits: &str) -> Vec<PinLookup> {
        let pin = Pin::parse(digits).unwrap();
        let lookups = self.keys.lookups(&pin);
        lookups.iter().map(|under| under.lookup).collect()
    }

    pub fn account(&self, name: &str) -> NewAccount {
        let email = format!("{}@example.org", name.to_lowercase());
        NewAccount {
            owner: Owner::new(name, &email).unwrap(),
            terms: Terms::default(),
            department: None,
            cost_code: None,
            bookings: true,
            host: self.host(&self.fresh()),
            guest: self.guest(&self.fresh()),
        }
    }

    /// A booking with one Guest PIN for all, from minute to minute.
    pub fn booking(&self, account: AccountId, minutes: &[(i64, i64)]) -> NewBooking {
        NewBooking {
            account,
            title: Title::new("Budget").unwrap(),
            plan: plan(minutes),
            windows: windows(minutes),
            uid: format!("{}@example.org", self.fresh()),
            host: self.host(&self.fresh()),
            guest: Some(self.guest(&self.fresh())),
            invitees: Vec::new(),
            mail: true,
        }
    }

    pub fn invitee(&self, name: &str, pin: &str) -> NewInvitee {
        NewInvitee {
            name: name.to_owned(),
            email: format!("{}@example.net", name.to_lowercase()),
            pin: self.guest(pin),
            mail: true,
        }
    }

    pub async fn door(
        &self,
        store: &impl Store,
        digits: &str,
        when: DateTime<Utc>,
    ) -> Option<Door> {
        let found = store.door(&self.lookups(digits), &caller(), when).await;
        found.unwrap().map(|found| found.door)
    }

    pub async fn opens(&self, store: &impl Store, digits: &str, when: DateTime<Utc>) -> bool {
        let door = self.door(store, digits, when).await;
        door.is_some_and(|door| door.is_open(when))
    }
}

pub fn random() -> StdRng {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    StdRng::seed_from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub fn minute(minutes: i64) -> DateTime<Utc> {
    at(60 * minutes)
}

pub fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

pub fn act(when: DateTime<Utc>) -> Act {
    Act::new("root@bridge1", when)
}

pub fn caller() -> Source {
    Source::new("berlin", "+4930123456")
}

/// Windows from minute to minute that open five minutes before.
pub fn windows(minutes: &[(i64, i64)]) -> Vec<Window> {
    let early = std::time::Duration::from_secs(300);
    let window = |(from, to): &(i64, i64)| Window::new(minute(*from), minute(*to), early).unwrap();
    minutes.iter().map(window).collect()
}

pub fn plan(minutes: &[(i64, i64)]) -> Plan {
    let (from, to) = minutes[0];
    Plan {
        starts: minute(from).naive_utc(),
        length: std::time::Duration::from_secs(60 * (to - from).unsigned_abs()),
        zone: "UTC".to_owned(),
        early: std::time::Duration::from_secs(300),
        rule: None,
        except: Vec::new(),
    }
}

/// What tests ask for more often than others do.
pub trait Asked: Store {
    fn add_account(
        &self,
        new: NewAccount,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Account, StoreError>> + Send {
        async move {
            let mut added = self.add_accounts(vec![new], &act(now)).await?;
            Ok(added.pop().unwrap())
        }
    }

    /// The door behind a PIN that is kept under one key.
    fn leads(
        &self,
        pin: &PinLookup,
        source: &Source,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<Door>, StoreError>> + Send {
        async move {
            let found = self.door(&[*pin], source, now).await?;
            Ok(found.map(|found| found.door))
        }
    }

    fn list(&self, find: &Find) -> impl Future<Output = Vec<Account>> + Send {
        async move { self.accounts(find, Page::all()).await.unwrap() }
    }

    fn all_calls(&self) -> impl Future<Output = Vec<CallRow>> + Send {
        async move { self.calls(&everything()).await.unwrap() }
    }

    fn all_conferences(&self) -> impl Future<Output = Vec<ConferenceRow>> + Send {
        async move { self.conferences(&everything()).await.unwrap() }
    }
}

impl<S: Store> Asked for S {}

pub fn everything() -> ReportFilter {
    ReportFilter::all(conclave_store::Period::default())
}

/// Conferences, told entry by entry.
pub struct Told<S> {
    pub store: S,
    pub run: RunId,
    pub entries: Vec<Entry>,
}

impl<S: Store> Told<S> {
    pub async fn new(store: S) -> Self {
        let run = store.begin_run(at(0)).await.unwrap();
        Self {
            store,
            run,
            entries: Vec::new(),
        }
    }

    pub fn answered(&mut self, call: u64, seconds: i64, source: Source) {
        self.entries.push(Entry::CallAnswered {
            call: CallId(call),
            at: at(seconds),
            source,
        });
    }

    pub fn ended(&mut self, call: u64, seconds: i64, reason: LeaveReason) {
        self.entries.push(Entry::CallEnded {
            call: CallId(call),
            at: at(seconds),
            reason,
        });
    }

    pub fn fact(&mut self, conference: u32, seconds: i64, fact: Fact) {
        let record = Record {
            at: at(seconds),
            conference: ConferenceId(conference),
            fact,
        };
        self.entries.push(Entry::Conference(record));
    }

    pub fn started(&mut self, conference: u32, seconds: i64, account: AccountId) {
        let key = ConferenceKey::Account(account);
        self.fact(conference, seconds, Fact::Started { key, account });
    }

    pub fn booked(
        &mut self,
        conference: u32,
        seconds: i64,
        account: AccountId,
        booking: BookingId,
    ) {
        let key = ConferenceKey::Booking(booking);
        self.fact(conference, seconds, Fact::Started { key, account });
    }

    pub fn admitted(&mut self, conference: u32, call: u64, seconds: i64, role: Role) {
        self.invited(conference, call, seconds, role, None);
    }

    pub fn invited(
        &mut self,
        conference: u32,
        call: u64,
        seconds: i64,
        role: Role,
        invitee: Option<(InviteeId, &str)>,
    ) {
        let call = CallId(call);
        let arrived = Fact::Arrived {
            call,
            role,
            holder: invitee.map(|(_, name)| name.to_owned()),
            invitee: invitee.map(|(id, _)| id),
            waits_for: None,
        };
        self.fact(conference, seconds, arrived);
        self.fact(conference, seconds, Fact::Admitted { call });
    }

    pub fn departed(&mut self, conference: u32, call: u64, seconds: i64) {
        let left = Fact::Departed {
            call: CallId(call),
            reason: LeaveReason::HungUp,
        };
        self.fact(conference, seconds, left);
    }

    pub fn closed(&mut self, conference: u32, seconds: i64) {
        let reason = EndReason::LastLeft;
        self.fact(conference, seconds, Fact::Ended { reason });
    }

    pub async fn written(&mut self, seconds: i64) {
        let entries = std::mem::take(&mut self.entries);
        self.store
            .write(self.run, &entries, at(seconds))
            .await
            .unwrap();
    }
}
