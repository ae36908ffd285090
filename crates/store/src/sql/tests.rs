//! What only the inside can be asked: query plans, migrations, files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use chrono::DateTime;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::sqlite::MIGRATIONS;
use super::*;
use super::{
    accounts, audit, bookings, books, factors, outbox, person, reports, sweep, tokens, users,
    watch, webhooks,
};
use crate::{
    Books as _, Find, FreshKeys, Keys, Page, Period, ReportFilter, Store as _, StoreError,
};

/// Each statement of a file, and the kinds of its arguments: `i` a number, `r` a real one, `t` a text, `b` bytes.
macro_rules! statements {
    ($($file:ident { $($name:ident $kinds:literal),+ $(,)? })+) => {
        LazyLock::new(|| {
            vec![$($((concat!(stringify!($file), "::", stringify!($name)), $file::$name.into(), $kinds)),+),+]
        })
    };
}

type Statement = (&'static str, Sql, &'static str);

impl From<&'static str> for Sql {
    fn from(statement: &'static str) -> Self {
        Self {
            sqlite: statement,
            postgres: statement,
        }
    }
}

static STATEMENTS: LazyLock<Vec<Statement>> = statements! {
    accounts {
        DOOR "btii",
        ADD_ACCOUNT "ttttiti",
        FORGET_RESTED_PIN "bi",
        PIN_TAKEN "bi",
        ADD_PIN "bitiiiiiiib",
        ONE_PIN "b",
        RETIRE "bi",
        OWN_PIN "it",
        OWN_GUEST_PIN "i",
        REHASH "bbib",
        COUNT "iitiiii",
        STATE "i",
        SET_STATE "it",
        CHANGE "ittttit",
        ALL "iii",
        BY_ID "iii",
        BY_EMAIL "iit",
    }
    audit {
        ADD_MARK "tb",
        APPEND "iittb",
        SUBJECT "ttt",
        ADD_SUBJECT "btttbi",
        SEEN_SUBJECT "bii",
        SUBJECTS_OF "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        BELONGING "tt",
        SUBJECTS "bi",
        ERASE_SUBJECT "tt",
        ERASE_BELONGINGS "tt",
        FORGET_SUBJECTS "tii",
        ANCHOR "",
        SET_ANCHOR "ibb",
        CHAIN "ii",
        ENTRIES "iiiii",
        ENTRIES_OF_KIND "iiiiit",
        NEXT_KIND "t",
        OF_KIND "t",
        SPAN "ii",
        ERASE_COMMITMENT "b",
        ANY_BEFORE "i",
        AT "i",
        CUT "i",
    }
    bookings {
        ADD "itttiii",
        MAY_BOOK "i",
        ADD_OCCURRENCE "iiii",
        CLEAR_OCCURRENCES "i",
        ADD_INVITEE "itti",
        CHANGE "ittii",
        CANCEL "i",
        WITHDRAW "ii",
        BOOKING_OF_INVITEE "i",
        BY_ID "i",
        INVITEES "i",
        OF_ACCOUNT "iiiii",
        OF_ALL "iiii",
        OCCURRENCES "i",
        CLASHES "ii",
        PINS "i",
        PINS_TO_RETIRE "i",
        PIN_OF_INVITEE "i",
        PIN_FOR_ALL "i",
        ENDS "ii",
        LAST_END "i",
        OPEN_OF_ACCOUNT "ii",
        ENDED "ii",
        SET_OVER "i",
    }
    books {
        BEGIN_RUN "ti",
        SEEN "ii",
        STILL_RUNNING "ii",
        CLOSE_ATTENDANCES "t",
        CLOSE_CALLS "t",
        CLOSE_CONFERENCES "t",
        CLOSE_RUNS "t",
        FORGET_NUMBERS "i",
        CALL_ANSWERED "iitti",
        CALL_MEDIA "iittirr",
        CALL_ENDED "iiit",
        WRONG_PIN "iiii",
        STARTED "iiiii",
        ARRIVED "iiitttii",
        ADMITTED "iiii",
        KNOWN "iiii",
        NAMED "iiit",
        DEPARTED "iiiit",
        ENDED "iiit",
        EVENT "iiitititi",
        HELD_ON "ii",
        VISIT "ii",
        IN_OPEN "t",
        OPEN "t",
        CALL "ii",
        USER "i",
        CONFERENCE "ii",
    }
    factors {
        SET "ibi",
        UNSET "i",
        OF "i",
        USE_STEP "ii",
        ADD_CODE "ib",
        USE_CODE "ib",
        DROP_CODES "i",
        CODES "i",
        ADD_HALF "bii",
        BY_HALF "bi",
        DROP_HALF "b",
        DROP_HALVES "i",
        OLD_HALVES "ii",
    }
    outbox {
        PUT "iiti",
        PUT_FOR_ALL "iti",
        PUT_FOR_TOLD "iti",
        PUT_IF_TOLD "iiti",
        DROP_UNSENT "ii",
        DROP_UNSENT_TO "iii",
        NEWEST "i",
        DUE "ii",
        LEASE "ii",
        SENT "ii",
        FAILED "iti",
        PROBLEMS "i",
    }
    person {
        INVITED "t",
        BOOKED "i",
        KNOWN "i",
        AS_HOST "i",
        AS_INVITEE "i",
        ERASE_ACCOUNT "ii",
        ERASE_TITLES "i",
        ERASE_INVITEE "ii",
        ERASE_HOLDER "i",
        ERASE_NUMBER "i",
        ERASE_KNOWN "i",
        ERASE_KNOWN_NUMBER "it",
        ERASE_LETTERS "i",
        ERASE_OWNERS_LETTERS "i",
    }
    recordings {
        BY_ID "i",
        ALL "iiiiiii",
        OPEN "t",
        ORDERED "ti",
        OLD "tii",
        OF_CALL "i",
        OF_ACCOUNT "i",
        FILE "iiiiti",
        OVER "iiii",
        CLOSE "ii",
        ORDER "ii",
        DROP "i",
    }
    reports {
        CONFERENCE "i",
        CONFERENCES "iiiitii",
        CONFERENCES_OF_ACCOUNT "iiiitii",
        CONFERENCES_OF_BOOKING "iiiitii",
        CONFERENCES_OF_DEPARTMENT "iiiitii",
        CALLS "iiiitiiit",
        CALLS_OF_ACCOUNT "iiiitiiit",
        CALLS_OF_BOOKING "iiiitiiit",
        CALLS_OF_DEPARTMENT "iiiitiiit",
        CALLS_OF_CONFERENCE "iiiitiiit",
        CALLS_OF_NUMBER "iiiitiiit",
        EVENTS "i",
        USAGE "ii",
        HINTS "iii",
    }
    sweep {
        OLD_CONFERENCES "ii",
        DROP_EVENTS "i",
        DROP_ATTENDANCES "i",
        DROP_CONFERENCE "i",
        OLD_CALLS "ii",
        DROP_WRONG_PINS "i",
        DROP_CALL "i",
        MASK "ii",
        FORGET_NUMBERS "ii",
        OLD_BOOKINGS "iii",
        DROP_PINS "i",
        DROP_LETTERS "i",
        DROP_INVITEES "i",
        DROP_OCCURRENCES "i",
        DROP_BOOKING "i",
        RESTED_PINS "ii",
    }
    tokens {
        ADD "itbtii",
        OF_USER "iii",
        ALL "ii",
        BY_ID "i",
        BY_HASH "bi",
        USED "ii",
        DROP "i",
        DROP_OF_USER "i",
        OLD "ii",
        ADD_ONCE "ibbii",
        DONE "ib",
        DROP_ONCE_OF_USER "i",
        OLD_ONCE "ii",
    }
    users {
        ADD "tti",
        ALL "ii",
        BY_ID "i",
        BY_EMAIL "t",
        BY_LINK "bi",
        BY_SESSION "bii",
        SET_STATE "it",
        SET_ROLE "it",
        SET_PASSWORD "it",
        ADD_LINK "bii",
        DROP_LINKS "i",
        ADD_SESSION "biii",
        SEEN_SESSION "bi",
        DROP_SESSION "b",
        DROP_SESSIONS "i",
        DROP "i",
        OLD_SESSIONS "ii",
        OLD_LINKS "ii",
    }
    watch {
        APPEND "it",
        AFTER "ii",
        SNAPSHOT "",
        KEEP "it",
        LAST_OLD "ii",
        FORGET "i",
    }
    webhooks {
        ADD "ittbi",
        ALL "ii",
        OF_USER "iii",
        BY_ID "i",
        LISTENING "",
        OWNER "i",
        PUT "itit",
        DUE_HOOKS "ii",
        DUE "iii",
        LEASE "ii",
        DELIVERED "ii",
        FAILED "iti",
        WELL "i",
        FAILING "ii",
        DISABLE "ii",
        ENABLE "i",
        SET_EVENTS "it",
        GIVE_UP "i",
        DELIVERIES "iii",
        DROP_DELIVERIES "i",
        DROP "i",
        DROP_DELIVERIES_OF_USER "i",
        DROP_OF_USER "i",
        OLD "ii",
    }
};

/// Those that need no index, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("accounts::BY_TEXT", "reads every name: so its comment says"),
    ("accounts::COUNTS", "a row for each kind of PIN"),
    ("accounts::ANY", "the first row"),
    ("audit::MARKS", "a row for each key"),
    ("audit::LAST", "the last row"),
    ("audit::FIRST", "the first rows"),
];

/// No statement is left out of these lists.
#[test]
fn every_statement_is_listed() {
    let files = [
        ("accounts", include_str!("accounts.rs")),
        ("audit", include_str!("audit.rs")),
        ("bookings", include_str!("bookings.rs")),
        ("books", include_str!("books.rs")),
        ("factors", include_str!("factors.rs")),
        ("outbox", include_str!("outbox.rs")),
        ("person", include_str!("person.rs")),
        ("recordings", include_str!("recordings.rs")),
        ("reports", include_str!("reports.rs")),
        ("sweep", include_str!("sweep.rs")),
        ("tokens", include_str!("tokens.rs")),
        ("users", include_str!("users.rs")),
        ("watch", include_str!("watch.rs")),
        ("webhooks", include_str!("webhooks.rs")),
    ];
    for (file, text) in files {
        for line in text.lines() {
            let Some((name, _)) = line
                .split_once("const ")
                .and_then(|(_, rest)| rest.split_once(": &str").or(rest.split_once(": Sql")))
            else {
                continue;
            };
            let name = format!("{file}::{name}");
            let listed = STATEMENTS.iter().any(|(listed, ..)| *listed == name)
                || WITHOUT.iter().any(|(listed, _)| *listed == name);
            assert!(listed, "{name}");
        }
    }
}

/// With keys that are the same each time, in a directory that is gone afterwards.
fn auditor() -> Auditor {
    let dir = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(3);
    let keys = Keys::load_or_create(dir.path(), FreshKeys::draw(&mut random)).unwrap();
    Auditor::new(&dir.keep(), &keys, Box::new(random))
}

/// The pools of a store in SQLite.
fn pools(store: &SqlStore) -> &db::Pools<sqlx::Sqlite> {
    match &store.db {
        Db::Sqlite(pools) => pools,
        Db::Postgres(_) => panic!("not SQLite"),
    }
}

fn some_args(kinds: &str) -> Vec<Arg<'static>> {
    let arg = |kind| match kind {
        'i' => Arg::from(1_i64),
        'r' => Arg::from(1.0),
        't' => Arg::from("x"),
        'b' => Arg::from(&[7; 32]),
        other => panic!("no kind of argument: {other}"),
    };
    kinds.chars().map(arg).collect()
}

/// What the database says it will do, a line for each step.
async fn plan(turn: &mut Turn, statement: impl Into<Sql>, kinds: &str) -> Vec<String> {
    let Sql { sqlite, postgres } = statement.into();
    let (explain, statement, column) = match turn {
        Turn::Sqlite(..) => ("EXPLAIN QUERY PLAN", sqlite, "detail"),
        Turn::Postgres(..) => ("EXPLAIN (COSTS OFF)", postgres, "QUERY PLAN"),
    };
    // Few are made, and the layer takes only what lives for ever.
    let explain: &'static str = format!("{explain} {statement}").leak();
    let steps = turn.all(explain, &some_args(kinds)).await;
    let steps = steps.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    steps
        .iter()
        .map(|step| step.text(column).unwrap())
        .collect()
}

/// The steps that read a whole table or index. An index of open rows alone is as long as there are open calls: to
/// read that is to find them.
fn scans(turn: &Turn, steps: &[String]) -> Vec<String> {
    let scans = |(n, step): (usize, &String)| {
        let whole = match turn {
            Turn::Sqlite(..) => {
                // A page of a report, or its period, is as long as was asked for.
                let short = ["SCAN CONSTANT ROW", "SCAN p"].contains(&step.as_str());
                step.starts_with("SCAN") && !short
            }
            Turn::Postgres(..) => {
                let by_index = steps
                    .get(n + 1)
                    .is_some_and(|next| next.contains("Index Cond:"));
                step.contains("Seq Scan on")
                    || (step.contains("Index") && step.contains("Scan") && !by_index)
            }
        };
        (whole && !step.contains("_open")).then(|| step.clone())
    };
    steps.iter().enumerate().filter_map(scans).collect()
}

async fn finds_all_rows_by_an_index(mut turn: Turn) {
    if matches!(turn, Turn::Postgres(..)) {
        // The tables are empty: let it not think that this is why it needs no index.
        for setting in [
            "SET LOCAL enable_seqscan = off",
            "SET LOCAL enable_hashjoin = off",
            "SET LOCAL enable_mergejoin = off",
        ] {
            turn.run(setting, args![]).await.unwrap();
        }
    }
    let mut scanning = Vec::new();
    for (name, statement, kinds) in STATEMENTS.iter() {
        let steps = plan(&mut turn, *statement, kinds).await;
        if !scans(&turn, &steps).is_empty() {
            scanning.push(format!("{name} {steps:#?}"));
        }
    }
    assert!(scanning.is_empty(), "{}", scanning.join("\n"));
    for scan in [
        "SELECT * FROM calls WHERE trunk = 'x'",
        "SELECT * FROM calls WHERE trunk = 'x' ORDER BY id",
    ] {
        let steps = plan(&mut turn, scan, "").await;
        assert!(
            !scans(&turn, &steps).is_empty(),
            "the check would not find a scan: {steps:#?}"
        );
    }
}

/// What narrows a report, and the index by which it must enter: by that of the time it would read through all that
/// happened in the period.
const ENTRIES: &[(&str, &str)] = &[
    ("audit::ENTRIES_OF_KIND", "audit_by_kind"),
    ("audit::SPAN", "audit_by_time"),
    ("reports::CONFERENCES_OF_ACCOUNT", "conferences_by_account"),
    ("reports::CONFERENCES_OF_BOOKING", "conferences_by_booking"),
    (
        "reports::CONFERENCES_OF_DEPARTMENT",
        "accounts_by_department",
    ),
    ("reports::CALLS_OF_ACCOUNT", "conferences_by_account"),
    ("reports::CALLS_OF_BOOKING", "conferences_by_booking"),
    ("reports::CALLS_OF_DEPARTMENT", "accounts_by_department"),
    ("reports::CALLS_OF_CONFERENCE", "attendances_by_conference"),
    ("reports::CALLS_OF_NUMBER", "calls_by_number"),
];

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(dir.path(), auditor()).await.unwrap();
    finds_all_rows_by_an_index(store.db.begin().await.unwrap()).await;
    let mut turn = store.db.begin().await.unwrap();
    for (name, index) in ENTRIES {
        let (_, statement, kinds) = STATEMENTS
            .iter()
            .find(|(listed, ..)| listed == name)
            .unwrap();
        let steps = plan(&mut turn, *statement, kinds).await;
        let enters = steps.iter().any(|step| step.contains(index));
        let everything = steps.iter().any(|step| step.contains("_by_time"));
        assert!(
            enters && (!everything || index.ends_with("_by_time")),
            "{name}: {steps:#?}"
        );
    }
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_in_postgres() {
    let server = conclave_testbed::Postgres::shared();
    let store = SqlStore::connect(&database(&server), auditor())
        .await
        .unwrap();
    finds_all_rows_by_an_index(store.db.begin().await.unwrap()).await;
}

fn database(server: &conclave_testbed::Postgres) -> Postgres {
    Postgres {
        url: server.new_database(),
        bridge: "main".to_owned(),
    }
}

#[tokio::test]
async fn migrations_are_applied_once_and_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let dir = dir.path().to_owned();
            tokio::spawn(async move { SqlStore::open(&dir, auditor()).await.map(drop) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    let store = SqlStore::open(dir.path(), auditor()).await.unwrap();
    let (applied,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&pools(&store).readers)
        .await
        .unwrap();
    assert_eq!(applied, i64::try_from(MIGRATIONS.iter().count()).unwrap());
}

/// A database at each released version, with rows in it, comes to the present one with its rows.
#[tokio::test]
async fn every_released_schema_goes_forward_in_sqlite() {
    const ADA: &str = "INSERT INTO accounts (name, email, state, bookings, terms, made_at) VALUES ('Ada', 'A@b.org', 'active', 1, '{}', 0);
        INSERT INTO accounts (name, email, state, bookings, terms, made_at) VALUES ('Xantippe', 'x@b.org', 'active', 1, '{}', 0);
        DELETE FROM accounts WHERE name = 'Xantippe';
        INSERT INTO pins (lookup, account, role, digits, check_digit, made_at)
            VALUES (x'0707070707070707070707070707070707070707070707070707070707070707', 1, 'host', 8, 0, 0);
        INSERT INTO runs (started_at, seen_at) VALUES (1000, 5000);
        INSERT INTO calls (run, call, trunk, answered_at) VALUES (1, 1, 'berlin', 2000);";
    const ROWS: &[&[&str]] = &[
        &[ADA],
        &[ADA],
        &[ADA],
        &[ADA, COUNTED],
        &[ADA, COUNTED],
        &[ADA, COUNTED, USER],
        &[ADA, COUNTED, USER, TOKEN],
        &[ADA, COUNTED, USER, TOKEN],
        &[ADA, COUNTED, USER, TOKEN, WEBHOOK],
        &[ADA, COUNTED, USER, TOKEN, WEBHOOK],
        &[ADA, COUNTED, USER, TOKEN, WEBHOOK],
    ];
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    for (version, rows) in versions.zip(ROWS) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(DATABASE);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .pragma("secure_delete", if version < 5 { "off" } else { "on" });
        let pool = SqlitePool::connect_with(options).await.unwrap();
        MIGRATIONS.run_to(version, &pool).await.unwrap();
        for &rows in *rows {
            sqlx::raw_sql(rows).execute(&pool).await.unwrap();
        }
        pool.close().await;
        let erased = |file: &Path| {
            let bytes = std::fs::read(file).unwrap();
            !String::from_utf8_lossy(&bytes).contains("Xantippe")
        };
        assert_eq!(erased(&file), version >= 5, "version {version}");
        let store = SqlStore::open(dir.path(), auditor()).await.unwrap();
        came_forward(&store, version).await;
        store.close().await;
        assert!(erased(&file), "from version {version}");
    }
    assert_eq!(ROWS.len(), MIGRATIONS.iter().count(), "{NO_ROWS}");
}

#[tokio::test]
async fn every_released_schema_goes_forward_in_postgres() {
    const ADA: &str = "INSERT INTO accounts (name, email, state, bookings, terms, made_at) VALUES ('Ada', 'A@b.org', 'active', 1, '{}', 0);
        INSERT INTO pins (lookup, account, role, digits, check_digit, made_at)
            VALUES (decode(repeat('07', 32), 'hex'), 1, 'host', 8, 0, 0);
        INSERT INTO runs (started_at, seen_at) VALUES (1000, 5000);
        INSERT INTO calls (run, call, trunk, answered_at) VALUES (1, 1, 'berlin', 2000);";
    const ROWS: &[&[&str]] = &[
        &[ADA],
        &[ADA, COUNTED],
        &[ADA, COUNTED],
        &[ADA, COUNTED, USER],
        &[ADA, COUNTED, USER, TOKEN],
        &[ADA, COUNTED, USER, TOKEN],
        &[ADA, COUNTED, USER, TOKEN, WEBHOOK],
        &[ADA, COUNTED, USER, TOKEN, WEBHOOK],
        &[ADA, COUNTED, USER, TOKEN, WEBHOOK],
    ];
    let server = conclave_testbed::Postgres::shared();
    let versions = postgres::MIGRATIONS
        .iter()
        .map(|migration| migration.version);
    for (version, rows) in versions.zip(ROWS) {
        let database = database(&server);
        let pool = sqlx::PgPool::connect(&database.url).await.unwrap();
        postgres::MIGRATIONS.run_to(version, &pool).await.unwrap();
        for &rows in *rows {
            sqlx::raw_sql(rows).execute(&pool).await.unwrap();
        }
        pool.close().await;
        let store = SqlStore::connect(&database, auditor()).await.unwrap();
        came_forward(&store, version).await;
        store.close().await;
    }
    let versions = postgres::MIGRATIONS.iter().count();
    assert_eq!(ROWS.len(), versions, "{NO_ROWS}");
}

/// What later versions have besides, in either database.
const COUNTED: &str = "INSERT INTO pin_counts VALUES (8, 0, 'host', 0, 1, 0, 1);";
const USER: &str =
    "INSERT INTO users (email, role, state, made_at) VALUES ('a@b.org', 'host', 'active', 0);";
// Some bytes, in the words of both databases.
const TOKEN: &str = "INSERT INTO api_tokens (user_id, name, hash, scopes, made_at)
    VALUES (1, 'n', (SELECT lookup FROM pins WHERE account = 1), 'accounts:read', 0);";
const WEBHOOK: &str = "INSERT INTO webhooks (user_id, url, events, sealed, made_at)
    VALUES (1, 'https://b.org/', 'call.joined', (SELECT lookup FROM pins WHERE account = 1), 0);
    INSERT INTO deliveries (webhook, event, at, body, due_at) VALUES (1, 'call.joined', 0, '{}', 0);";
const NO_ROWS: &str = "a version has no rows here to be brought forward";

async fn came_forward(store: &SqlStore, version: i64) {
    let found = Find::Email("a@B.org".to_owned());
    let accounts = store.accounts(&found, Page::all()).await.unwrap();
    assert_eq!(accounts.len(), 1, "from version {version}");
    // Their PINs were counted one by one before there were counts.
    assert_eq!(store.pins().await.unwrap()[0].count, 1);
    assert_eq!(store.totals().await.unwrap().accounts, 1);
    assert_eq!(store.pins_by_key().await.unwrap(), [(1, 1)]);
    let now = DateTime::from_timestamp(60, 0).unwrap();
    store.begin_run(now).await.unwrap();
    let calls = store
        .calls(&ReportFilter::all(Period::default()))
        .await
        .unwrap();
    let ended = calls[0].ended.map(|at| at.timestamp_millis());
    assert_eq!(ended, Some(5000), "an old run is the only bridge's");
}

#[tokio::test]
async fn a_later_or_altered_database_is_refused_and_left_alone() {
    async fn altered(statement: &'static str) -> StoreError {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open(dir.path(), auditor()).await.unwrap();
        sqlx::query(statement)
            .execute(&pools(&store).writer)
            .await
            .unwrap();
        store.close().await;
        let before = std::fs::read(dir.path().join(DATABASE)).unwrap();
        let error = SqlStore::open(dir.path(), auditor()).await.unwrap_err();
        assert_eq!(
            std::fs::read(dir.path().join(DATABASE)).unwrap(),
            before,
            "the database was written to"
        );
        error
    }
    let newer = altered(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    );
    assert!(matches!(newer.await, StoreError::Newer(_)));
    let foreign = altered("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1");
    assert!(matches!(foreign.await, StoreError::Foreign(_)));
}

#[tokio::test]
async fn what_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join(DATABASE),
        "no database at all, but long enough to have a header ".repeat(40),
    )
    .unwrap();
    let error = SqlStore::open(dir.path(), auditor()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Foreign(path) if path.ends_with(DATABASE)),
        "{error}"
    );

    // A database that was cut in the middle.
    let dir = tempfile::tempdir().unwrap();
    SqlStore::open(dir.path(), auditor())
        .await
        .unwrap()
        .close()
        .await;
    let path = dir.path().join(DATABASE);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = SqlStore::open(dir.path(), auditor()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged(path) if path.ends_with(DATABASE)),
        "{error}"
    );

    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = SqlStore::open(&file.join("data"), auditor())
        .await
        .unwrap_err();
    assert!(matches!(&error, StoreError::File { .. }), "{error}");
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = SqlStore::serve(&data, auditor()).await.unwrap();
    store.begin_run(DateTime::UNIX_EPOCH).await.unwrap();
    let files = std::fs::read_dir(&data).unwrap();
    let modes: Vec<_> = files
        .map(|file| file.unwrap())
        .map(|file| {
            (
                file.file_name(),
                file.metadata().unwrap().permissions().mode() & 0o777,
            )
        })
        .collect();
    assert!(modes.len() >= 4, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn one_serves() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqlStore::serve(dir.path(), auditor()).await.unwrap();
    let clone = first.clone();
    drop(first);
    let refused = SqlStore::serve(dir.path(), auditor())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&std::process::id().to_string()) && refused.contains("already served"),
        "{refused}"
    );
    SqlStore::open(dir.path(), auditor())
        .await
        .expect("commands work beside it");
    drop(clone);
    SqlStore::serve(dir.path(), auditor())
        .await
        .expect("the lock went with the store");
}

#[tokio::test]
async fn what_lasts_is_told_from_what_passes() {
    let server = conclave_testbed::Postgres::shared();
    let store = SqlStore::connect(&database(&server), auditor())
        .await
        .unwrap();
    let check = async |code: &str, lasting: bool| {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
        let mut turn = store.db.begin().await.unwrap();
        let error = turn.run(raise.leak(), args![]).await.unwrap_err();
        assert_eq!(error.is_lasting(), lasting, "{code}: {error:?}");
    };
    for lasting in [
        "22003", "22021", "22P02", "23502", "23503", "23505", "23514",
    ] {
        check(lasting, true).await;
    }
    for passing in [
        "08006", "25006", "40001", "40P01", "42501", "53100", "53300", "55P03", "57014", "57P01",
        "57P03", "58030",
    ] {
        check(passing, false).await;
    }
    // What SQLite calls a value of the wrong type, and a rule of the table.
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(dir.path(), auditor()).await.unwrap();
    let mut turn = store.db.begin().await.unwrap();
    for statement in [
        "INSERT INTO runs (started_at, seen_at) VALUES ('x', 1)",
        "INSERT INTO runs (started_at, seen_at) VALUES (NULL, 1)",
        "INSERT INTO calls (run, call, trunk, answered_at) VALUES (99, 1, 'x', 1)",
    ] {
        let refused = turn.run(statement, args![]).await;
        assert!(refused.unwrap_err().is_lasting(), "{statement}");
    }
    let syntax = turn.run("INSERT", args![]).await;
    assert!(!syntax.unwrap_err().is_lasting());
}

/// A column reads alike from both, and one that isn't there or is of another type is named.
#[tokio::test]
async fn columns_are_read_by_name_and_type() {
    const ROW: &str = "SELECT CAST($1 AS BIGINT) AS i, $2 AS r, $3 AS t, $4 AS b, $5 AS empty,
        CASE WHEN 1 < 2 THEN 1 ELSE 0 END AS narrow, 1 < 2 AS truth, $6 AS late";
    let server = conclave_testbed::Postgres::shared();
    let dir = tempfile::tempdir().unwrap();
    for store in [
        SqlStore::open(dir.path(), auditor()).await.unwrap(),
        SqlStore::connect(&database(&server), auditor())
            .await
            .unwrap(),
    ] {
        let nothing: Option<i64> = None;
        let args = args![u64::MAX, 1.5, "x", &[7; 3], nothing, i64::MAX];
        let mut turn = store.db.begin().await.unwrap();
        let rows = turn.all(ROW, args).await.unwrap();
        let row = &rows[0];
        assert_eq!(row.id("i").unwrap(), u64::MAX);
        assert_eq!(row.real_opt("r").unwrap(), Some(1.5));
        assert_eq!(row.text("t").unwrap(), "x");
        assert_eq!(row.blob("b").unwrap(), [7; 3]);
        assert_eq!(row.moment_opt("empty").unwrap(), None);
        assert!(row.flag("narrow").unwrap() && row.flag("truth").unwrap());
        for (what, refused) in [
            ("t", row.int("t").map(drop)),
            ("i", row.text("i").map(drop)),
            ("empty", row.int("empty").map(drop)),
            ("absent", row.text_opt("absent").map(drop)),
            ("late", row.moment("late").map(drop)),
        ] {
            let named = matches!(&refused, Err(StoreError::Bad { what: at, .. }) if *at == what);
            assert!(named, "{what}: {refused:?}");
        }
    }
}
