//! A PostgreSQL server to throw away: Debian's programs in a directory of their own, stopped when it is dropped. And an OpenID
//! provider, in [`openid`].
//!
//! It is *not* for real data: it trusts everybody on this machine and flushes nothing to the disk. It panics where
//! it can't go on, as tests do.
//!
//! ```no_run
//! let mut server = conclave_testbed::Postgres::start();
//! let url = server.new_database();
//! server.stop();
//! server.start_again();
//! ```

pub mod openid;

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, net::TcpListener};

use tempfile::TempDir;

/// Where the whole run of tests finds its one server: a URL without a database, such as `postgres://postgres@127.0.0.1:5433`.
pub const SERVER: &str = "CONCLAVE_TEST_POSTGRES";

/// What to do where the programs are missing.
pub const INSTALL: &str =
    "tests need PostgreSQL's programs (initdb, postgres, psql): apt-get install postgresql";

/// How long the server may take to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, or the use of one that another process keeps.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    own: Option<Own>,
}

impl Postgres {
    /// Whether the programs are there.
    pub fn is_installed() -> bool {
        programs().is_some()
    }

    /// The server of the whole run, where [`SERVER`] names one, or else a server of its own.
    pub fn shared() -> Self {
        match std::env::var(SERVER) {
            Ok(url) => Self { url, own: None },
            Err(_) => Self::start(),
        }
    }

    /// A server of its own, which may be stopped.
    pub fn start() -> Self {
        let own = Own::start();
        let url = format!("postgres://postgres@127.0.0.1:{}", own.port);
        Self {
            url,
            own: Some(own),
        }
    }

    /// Where the server is, without a database.
    pub fn server_url(&self) -> &str {
        &self.url
    }

    /// Where a database of it is, whether or not it is there.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.url)
    }

    /// Makes an empty database that nobody else has, and says where it is.
    pub fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{next}", std::process::id());
        // The other template may be in use by whoever else makes a database just now.
        self.run(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        );
        self.run(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        );
        self.url(&name)
    }

    /// Runs a statement in a database and gives what it says: a line for each row, `|` between columns.
    pub fn run(&self, database: &str, statement: &str) -> String {
        let programs = programs().unwrap_or_else(|| panic!("{INSTALL}"));
        let mut psql = Command::new(programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        psql.args(["--set=ON_ERROR_STOP=1", "--command", statement]);
        output(psql.arg(self.url(database)))
    }

    /// Stops the server as its operator would: connections are cut, and nobody answers until
    /// [`start_again`](Self::start_again).
    pub fn stop(&mut self) {
        self.own_server().end("INT");
    }

    /// Ends the server as a crash would: nothing is finished or flushed, and the next start recovers from its log.
    pub fn crash(&mut self) {
        self.own_server().end("QUIT");
    }

    /// Starts it again, where it was.
    pub fn start_again(&mut self) {
        self.own_server().run();
    }

    fn own_server(&mut self) -> &mut Own {
        let own = self.own.as_mut();
        own.expect(
            "the server of the whole run is not ours to stop: `Postgres::start` makes another",
        )
    }
}

/// A server that is ours.
#[derive(Debug)]
struct Own {
    programs: PathBuf,
    dir: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Own {
    fn start() -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{INSTALL}"));
        let dir = tempfile::Builder::new()
            .prefix("conclave-postgres-")
            .tempdir()
            .expect("a directory for the server");
        if is_root() {
            let [user, group] = ["-u", "-g"].map(|which| {
                let id = output(Command::new("id").args([which, "postgres"]));
                id.trim().parse().expect("a number of a user or group")
            });
            chown(dir.path(), Some(user), Some(group)).expect("the server's directory is its own");
        }
        let mut own = Self {
            programs,
            dir,
            port: 0,
            running: None,
        };
        let mut initdb = own.command("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--no-sync", "--no-instructions"]);
        output(&mut initdb);
        own.run();
        own
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, program: &str) -> Command {
        // The server ends with whoever started it, however that one died.
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command
            .args(["--pdeathsig", "INT", "--"])
            .arg(self.programs.join(program))
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    /// Returns when the server takes connections.
    fn run(&mut self) {
        for _ in 0..5 {
            if self.port == 0 {
                self.port = free_port();
            }
            if self.answers() {
                return;
            }
            // Somebody else was given the port meanwhile.
            self.port = 0;
        }
        panic!("PostgreSQL doesn't start:\n{}", self.log());
    }

    fn answers(&mut self) -> bool {
        let log = fs::File::create(self.log_file()).expect("a file for the server's log");
        let mut server = self.command("postgres");
        server.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        server.arg("-k").arg(self.dir.path());
        for setting in [
            // What is committed must outlive the server's processes, not the machine.
            "fsync=off",
            "full_page_writes=off",
            "max_connections=300",
            "shared_buffers=32MB",
        ] {
            server.args(["-c", setting]);
        }
        server.stdout(Stdio::null()).stderr(log).env("TZ", "UTC");
        let mut running = server.spawn().expect("setpriv, of Debian's util-linux");
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if running.try_wait().expect("the server is ours").is_some() {
                return false;
            }
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["--quiet", "--host"]).arg(self.dir.path());
            ready.args(["--port", &self.port.to_string()]);
            if ready.status().is_ok_and(|status| status.success()) {
                self.running = Some(running);
                return true;
            }
            sleep(Duration::from_millis(30));
        }
        end(&mut running, "INT");
        false
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut running) = self.running.take() {
            end(&mut running, signal);
        }
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.end("INT");
    }
}

/// The signal INT cuts all connections and stops the server in good order; QUIT leaves everything as it is.
fn end(running: &mut Child, signal: &str) {
    let arguments = [format!("-{signal}"), running.id().to_string()];
    let told = Command::new("kill").args(arguments).status();
    let since = Instant::now();
    while told.as_ref().is_ok_and(|told| told.success()) && since.elapsed() < PATIENCE {
        if !matches!(running.try_wait(), Ok(None)) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    // It may be in a destructor that we are here: what can't be ended is left.
    let _ = running.kill();
    let _ = running.wait();
}

/// Debian's directory of the newest version's programs, or wherever the PATH has them.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .filter(|(_, programs)| is_whole(programs))
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|dir| is_whole(dir))
    };
    newest.map(|(_, programs)| programs).or_else(on_path)
}

fn is_whole(programs: &Path) -> bool {
    ["initdb", "postgres", "pg_isready", "psql"]
        .iter()
        .all(|program| programs.join(program).is_file())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn free_port() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
    socket.expect("a free port").port()
}

fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Postgres;

    #[test]
    fn a_server_comes_back_with_its_rows() {
        let mut server = Postgres::start();
        let url = server.new_database();
        assert_ne!(url, server.new_database());
        let name = url.rsplit_once('/').unwrap().1.to_owned();
        server.run(&name, "CREATE TABLE t (x INT); INSERT INTO t VALUES (7)");
        server.stop();
        assert!(std::panic::catch_unwind(|| server.run(&name, "SELECT 1")).is_err());
        server.start_again();
        assert_eq!(server.run(&name, "SELECT x FROM t"), "7\n");
        assert_eq!(server.url(&name), url);
    }
}
