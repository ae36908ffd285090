//! What only the inside can be asked: query plans, migrations, files.

use std::os::unix::fs::PermissionsExt;

use chrono::DateTime;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row as _};

use super::sqlite::MIGRATIONS;
use super::*;
use super::{accounts, books, reports};
use crate::StoreError;

/// Every statement that runs while calls do, or over tables that grow.
const STATEMENTS: &[&str] = &[
    accounts::DOOR,
    accounts::ADD_ACCOUNT,
    accounts::ADD_PIN,
    accounts::FORGET_RESTED_PIN,
    accounts::RETIRE_PIN,
    accounts::STATE,
    accounts::SET_STATE,
    accounts::BY_ID,
    accounts::BY_EMAIL,
    books::SEEN,
    books::STILL_RUNNING,
    books::CLOSE_ATTENDANCES,
    books::CLOSE_CALLS,
    books::CLOSE_CONFERENCES,
    books::CLOSE_RUNS,
    books::FORGET_NUMBERS,
    books::BEGIN_RUN,
    books::CALL_ANSWERED,
    books::CALL_MEDIA,
    books::CALL_ENDED,
    books::WRONG_PIN,
    books::STARTED,
    books::ARRIVED,
    books::ADMITTED,
    books::KNOWN,
    books::DEPARTED,
    books::ENDED,
    books::EVENT,
    reports::CONFERENCES,
    reports::CALLS,
    reports::EVENTS,
];

/// The pools of a store in SQLite.
fn pools(store: &SqlStore) -> &db::Pools<sqlx::Sqlite> {
    match &store.db {
        Db::Sqlite(pools) => pools,
        Db::Postgres(_) => panic!("not SQLite"),
    }
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(dir.path()).await.unwrap();
    let plan = async |statement: &str| -> Vec<String> {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = sqlx::query(explain)
            .fetch_all(&pools(&store).writer)
            .await
            .unwrap();
        steps
            .iter()
            .map(|step| step.get::<String, _>("detail"))
            .collect()
    };
    // An index of open rows alone is as long as there are open calls: to scan that is to find them.
    let scans = |step: &String| step.starts_with("SCAN") && !step.contains("_open");
    for statement in STATEMENTS {
        let steps = plan(statement).await;
        assert!(!steps.iter().any(scans), "{statement}\n{steps:#?}");
    }
    let steps = plan("SELECT * FROM calls WHERE trunk = 'x'").await;
    assert!(
        steps.iter().any(scans),
        "the check would not find a scan: {steps:?}"
    );
}

#[tokio::test]
async fn migrations_are_applied_once_and_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let dir = dir.path().to_owned();
            tokio::spawn(async move { SqlStore::open(&dir).await.map(drop) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    let store = SqlStore::open(dir.path()).await.unwrap();
    let (applied,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&pools(&store).readers)
        .await
        .unwrap();
    assert_eq!(applied, i64::try_from(MIGRATIONS.iter().count()).unwrap());
}

/// A database at each released version, with rows in it, comes to the present one with its rows.
#[tokio::test]
async fn every_released_schema_goes_forward() {
    const ADA: &str = "INSERT INTO accounts (name, email, state, bookings, terms, made_at) VALUES ('Ada', 'a@b.org', 'active', 1, '{}', 0)";
    const ROWS: &[(i64, &str)] = &[(1, ADA), (2, ADA), (3, ADA)];
    let newest = MIGRATIONS.iter().map(|m| m.version).max().unwrap();
    for &(version, rows) in ROWS {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join(DATABASE))
            .create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        MIGRATIONS.run_to(version, &pool).await.unwrap();
        sqlx::query(rows).execute(&pool).await.unwrap();
        pool.close().await;
        let store = SqlStore::open(dir.path()).await.unwrap();
        let accounts = crate::Store::accounts(&store, &crate::Find::All)
            .await
            .unwrap();
        assert_eq!(accounts.len(), 1, "from version {version}");
    }
    assert_eq!(
        ROWS.len(),
        usize::try_from(newest).unwrap(),
        "a version has no rows here to be brought forward"
    );
}

#[tokio::test]
async fn a_later_or_altered_database_is_refused_and_left_alone() {
    async fn altered(statement: &'static str) -> StoreError {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::open(dir.path()).await.unwrap();
        sqlx::query(statement)
            .execute(&pools(&store).writer)
            .await
            .unwrap();
        store.close().await;
        let before = std::fs::read(dir.path().join(DATABASE)).unwrap();
        let error = SqlStore::open(dir.path()).await.unwrap_err();
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
    let error = SqlStore::open(dir.path()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Foreign(path) if path.ends_with(DATABASE)),
        "{error}"
    );

    // A database that was cut in the middle.
    let dir = tempfile::tempdir().unwrap();
    SqlStore::open(dir.path()).await.unwrap().close().await;
    let path = dir.path().join(DATABASE);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = SqlStore::open(dir.path()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged(path) if path.ends_with(DATABASE)),
        "{error}"
    );

    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = SqlStore::open(&file.join("data")).await.unwrap_err();
    assert!(matches!(&error, StoreError::File { .. }), "{error}");
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = SqlStore::serve(&data).await.unwrap();
    crate::Books::begin_run(&store, DateTime::UNIX_EPOCH)
        .await
        .unwrap();
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
    let first = SqlStore::serve(dir.path()).await.unwrap();
    let clone = first.clone();
    drop(first);
    let refused = SqlStore::serve(dir.path()).await.unwrap_err().to_string();
    assert!(
        refused.contains(&std::process::id().to_string()) && refused.contains("already served"),
        "{refused}"
    );
    SqlStore::open(dir.path())
        .await
        .expect("commands work beside it");
    drop(clone);
    SqlStore::serve(dir.path())
        .await
        .expect("the lock went with the store");
}
