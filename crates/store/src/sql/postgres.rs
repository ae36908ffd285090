//! The store in a PostgreSQL database, which several bridges may share, each under a name of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, Row as _};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::db::{Db, Pools};
use crate::StoreError;
use crate::error::Result;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// A PIN that can't be looked up within this time isn't: the caller waits for the answer.
const READERS_PATIENCE: Duration = Duration::from_secs(3);

/// How long a writer of this process waits for its connection, and then for its turn among all processes.
const WRITERS_PATIENCE: Duration = Duration::from_secs(10);

/// How often the lock on the bridge's name is looked after, and how long the server may take to answer.
const PULSE: Duration = Duration::from_secs(2);

/// What a server says while it starts, and how soon it is asked again.
const STARTING: &str = "57P03";
const AGAIN: Duration = Duration::from_millis(250);

/// How long the server may need to notice that the bridge of this name has just died.
const GRACE: Duration = Duration::from_secs(2);

/// Where a PostgreSQL database is, and as whom to work on it.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    /// `postgres://user:password@host:5432/database`; what it leaves out comes from the environment (`PGPASSWORD`,
    /// `PGPASSFILE` and so on). `?sslmode=verify-full` insists on an encrypted connection to the right server.
    pub url: String,
    /// This bridge's name among those that share the database, such as `main`.
    pub bridge: String,
}

/// Without the password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.options().map(|options| place(&options));
        f.debug_struct("Postgres")
            .field("at", &place.as_deref().unwrap_or("no valid URL"))
            .field("bridge", &self.bridge)
            .finish()
    }
}

impl Postgres {
    fn options(&self) -> Result<PgConnectOptions> {
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.url.starts_with(scheme))
        {
            return Err(StoreError::Url("it isn't one of PostgreSQL".to_owned()));
        }
        // What the parser says isn't passed on: it might quote.
        let options: PgConnectOptions = self
            .url
            .parse()
            .map_err(|_| StoreError::Url("a part of it can't be read".to_owned()))?;
        Ok(options.application_name("conclave-bridge").options([
            ("lock_timeout", "10s"),
            // A bridge that the network has lost must not keep the others from writing.
            ("idle_in_transaction_session_timeout", "30s"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ]))
    }
}

fn place(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    let database = options
        .get_database()
        .unwrap_or_else(|| options.get_username());
    format!("the database {database:?} at {host}:{port}")
}

/// Opens the database; an older schema is brought up to date, by one process at a time.
pub(super) async fn open(at: &Postgres) -> Result<Db> {
    let options = at.options()?;
    reach(&options).await?.close().await?;
    // Connections are tried before they are used, so that a server that was started again is found again.
    let pool = |connections, patience| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(patience)
            .test_before_acquire(true)
    };
    let writer = pool(1, WRITERS_PATIENCE)
        .connect_with(options.clone())
        .await?;
    MIGRATIONS
        .run(&writer)
        .await
        .map_err(|e| StoreError::unmigrated(place(&options), e))?;
    let readers = pool(8, READERS_PATIENCE).connect_lazy_with(options);
    Ok(Db::Postgres(Pools { readers, writer }))
}

/// The first connection: waits for a server that is only starting. A pool would wait as well, but not say for what.
async fn reach(options: &PgConnectOptions) -> Result<PgConnection> {
    let deadline = Instant::now() + WRITERS_PATIENCE;
    loop {
        let why = match timeout_at(deadline, PgConnection::connect_with(options)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => {
                let starting = matches!(&error, sqlx::Error::Io(_))
                    || matches!(&error, sqlx::Error::Database(e) if e.code().as_deref() == Some(STARTING));
                if starting && Instant::now() + AGAIN < deadline {
                    sleep(AGAIN).await;
                    continue;
                }
                match error {
                    sqlx::Error::Io(error) => error.to_string(),
                    sqlx::Error::Database(error) => error.message().to_owned(),
                    error => error.to_string(),
                }
            }
            Err(_) => format!("no answer within {} s", WRITERS_PATIENCE.as_secs()),
        };
        let at = place(options);
        return Err(StoreError::Unreachable { at, why });
    }
}

/// The first half of the key of a bridge's lock; the second is made of its name.
const BRIDGES: i32 = 1_131_372_108;
const TAKE: &str = "SELECT pg_try_advisory_lock($1, hashtext($2))";
const HOLDER: &str = "
    SELECT COALESCE(host(a.client_addr), 'the same machine') || ', since ' || a.backend_start::text
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.classid = $1::oid AND l.objid = hashtext($2)::oid AND l.objsubid = 2
        AND l.granted AND d.datname = current_database()";

/// The right to serve under a bridge's name: a lock of a session of its own, which ends with the process, however
/// it died. A session that is lost is replaced, and the lock taken again.
#[derive(Debug)]
pub(super) struct NameLock {
    give_back: Arc<Notify>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl NameLock {
    pub(super) async fn take(at: &Postgres) -> Result<Self> {
        let (options, bridge) = (at.options()?, at.bridge.clone());
        let session = first(&options, &bridge).await?;
        let give_back = Arc::new(Notify::new());
        let keeper = tokio::spawn(keep(session, options, bridge, give_back.clone()));
        Ok(Self {
            give_back,
            keeper: Mutex::new(Some(keeper)),
        })
    }

    /// Returns when the lock is free.
    pub(super) async fn give_back(&self) {
        self.give_back.notify_one();
        if let Some(keeper) = self.keeper.lock().await.take() {
            // It panics on nothing, and was it aborted, the lock is gone too.
            let _ = keeper.await;
        }
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get_mut() {
            keeper.abort();
        }
    }
}

/// Takes the lock, or says who has it.
async fn first(options: &PgConnectOptions, bridge: &str) -> Result<PgConnection> {
    let mut session = reach(options).await?;
    let since = tokio::time::Instant::now();
    while !try_take(&mut session, bridge).await? {
        if since.elapsed() > GRACE {
            let holder = sqlx::query(HOLDER).bind(BRIDGES).bind(bridge);
            let by = holder.fetch_optional(&mut session).await?;
            return Err(StoreError::NameServed {
                bridge: bridge.to_owned(),
                by: by.map_or_else(|| Ok(String::new()), |by| by.try_get(0))?,
            });
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(session)
}

async fn try_take(session: &mut PgConnection, bridge: &str) -> Result<bool, sqlx::Error> {
    let take = sqlx::query(TAKE).bind(BRIDGES).bind(bridge);
    take.fetch_one(session).await?.try_get(0)
}

async fn keep(
    session: PgConnection,
    options: PgConnectOptions,
    bridge: String,
    give_back: Arc<Notify>,
) {
    let mut held = Some(session);
    loop {
        tokio::select! {
            () = give_back.notified() => break,
            () = sleep(PULSE) => {}
        }
        held = match held {
            Some(mut session) => match timeout(PULSE, session.ping()).await {
                Ok(Ok(())) => Some(session),
                _ => {
                    tracing::warn!(
                        bridge,
                        "the database is lost, and with it the lock on the bridge's name"
                    );
                    None
                }
            },
            None => match timeout(PULSE * 2, again(&options, &bridge)).await {
                Ok(Ok(Some(session))) => {
                    tracing::info!(bridge, "the lock on the bridge's name is taken again");
                    Some(session)
                }
                Ok(Ok(None)) => {
                    tracing::error!(
                        bridge,
                        "another process has taken this bridge's name in the database meanwhile: stop one of them"
                    );
                    None
                }
                _ => None,
            },
        };
    }
    if let Some(session) = held {
        // A session that can't say goodbye is gone.
        let _ = timeout(PULSE, session.close()).await;
    }
}

async fn again(options: &PgConnectOptions, bridge: &str) -> Result<Option<PgConnection>> {
    let mut session = PgConnection::connect_with(options).await?;
    Ok(try_take(&mut session, bridge).await?.then_some(session))
}
