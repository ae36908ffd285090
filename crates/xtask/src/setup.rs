//! The programs that the tests call but cargo can't bring.

use crate::run::{Failure, Result, on_path, root, run, succeeds};
use conclave_testbed::Postgres;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Debian's package, the program or Python module in it that we look for, and what it is for.
const NEEDED: &[(&str, &str, &str)] = &[
    (
        "sip-tester",
        "sipp",
        "SIP calls by a client that is not ours",
    ),
    ("baresip", "baresip", "a whole telephone that is not ours"),
    (
        "tshark",
        "tshark",
        "finds malformed SIP and RTP in what we send",
    ),
    (
        "ffmpeg",
        "ffmpeg",
        "plays recordings: a decoder of Ogg and Opus that is not ours",
    ),
    (
        "python3-aiosmtpd",
        "aiosmtpd",
        "a mail server for invitations",
    ),
    (
        "python3-icalendar",
        "import icalendar",
        "a reader of invitations that is not ours",
    ),
    ("python3-vobject", "import vobject", "another"),
    (
        "python3-dateutil",
        "import dateutil",
        "makes moments of an invitation's series",
    ),
    (
        "prometheus",
        "promtool",
        "a reader of the metrics that is not ours",
    ),
    ("chromium", "chromium", "a browser, for the portal's pages"),
    (
        "zbar-tools",
        "zbarimg",
        "a reader of QR codes that is not ours",
    ),
    ("oathtool", "oathtool", "an authenticator that is not ours"),
    ("npm", "npm", "fetches axe-core, which looks at those pages"),
    (
        POSTGRESQL,
        "postgres",
        "the database that several bridges can share",
    ),
];

/// Debian keeps its programs off the PATH.
const POSTGRESQL: &str = "postgresql";

pub(crate) fn setup() -> Result {
    programs()?;
    axe()
}

fn programs() -> Result {
    let missing = missing();
    for (package, program, purpose) in NEEDED {
        let state = if missing.contains(package) {
            "missing"
        } else {
            "there"
        };
        println!("setup: {program:<16} {state:<8} ({purpose})");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install {}", missing.join(" "));
    if !on_path("apt-get") {
        return Err(Failure(format!(
            "this system has no apt-get; install what Debian calls {} by its own means",
            missing.join(", ")
        )));
    }
    if !is_root() {
        return Err(Failure(format!(
            "not root, so nothing was installed; as root, run: {by_hand}"
        )));
    }
    println!("setup: installing {} by apt-get", missing.join(", "));
    run(apt_get(&["update"]).arg("--quiet"))?;
    let without_a_database = WithoutADatabase::ask();
    run(apt_get(&["install", "--yes", "--quiet", "--no-install-recommends"]).args(&missing))?;
    drop(without_a_database);
    match &self::missing()[..] {
        [] => Ok(()),
        still => Err(Failure(format!(
            "installed {}, but what we look for in it is not there",
            still.join(", ")
        ))),
    }
}

/// Finds what keeps people off a page. It is under the MPL, and so fetched and not kept beside the code.
const AXE: &str = "axe-core@4.14.1";
const AXE_SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// Puts axe-core where the tests look for it.
fn axe() -> Result {
    let folder = root().join("target/axe-core");
    let script = folder.join("axe.min.js");
    if sha256(&script).is_some_and(|found| found == AXE_SHA256) {
        return Ok(());
    }
    println!("setup: fetching {AXE} by npm");
    fs::create_dir_all(&folder)
        .map_err(|e| Failure(format!("cannot make {}: {e}", folder.display())))?;
    run(Command::new("npm")
        .args(["pack", "--silent", AXE])
        .current_dir(&folder))?;
    run(Command::new("tar")
        .args(["--extract", "--strip-components=1", "--file"])
        .arg(format!("{}.tgz", AXE.replace('@', "-")))
        .arg("package/axe.min.js")
        .current_dir(&folder))?;
    match sha256(&script) {
        Some(found) if found == AXE_SHA256 => Ok(()),
        found => Err(Failure(format!(
            "{} is not what it was: its SHA-256 is {found:?}, not {AXE_SHA256}",
            script.display()
        ))),
    }
}

fn sha256(file: &Path) -> Option<String> {
    let output = Command::new("sha256sum").arg(file).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    line.split(' ').next().map(str::to_owned)
}

fn missing() -> Vec<&'static str> {
    NEEDED
        .iter()
        .filter(|(package, program, _)| match *package {
            POSTGRESQL => !Postgres::is_installed(),
            _ => !is_there(program),
        })
        .map(|(package, ..)| *package)
        .collect()
}

/// Debian's modules belong to Debian's Python, which needn't be the first on the PATH.
fn is_there(program: &str) -> bool {
    if !program.starts_with("import ") {
        return on_path(program);
    }
    let debian = Path::new("/usr/bin/python3");
    let python = if debian.exists() {
        debian
    } else {
        Path::new("python3")
    };
    succeeds(Command::new(python).args(["-c", program]))
}

/// tshark's package would ask who may capture; nobody is there to answer.
fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments);
    command
}

/// While it is there, Debian makes and starts no database of its own with PostgreSQL: the tests' servers come and go
/// with the tests.
struct WithoutADatabase(Option<&'static Path>);

impl WithoutADatabase {
    /// Where it can't be had the database is made: no harm, only of no use.
    fn ask() -> Self {
        let file = Path::new("/etc/postgresql-common/createcluster.d/conclave-tests.conf");
        let asked = file.parent().map_or(Ok(()), fs::create_dir_all);
        let asked = asked.and_then(|()| fs::write(file, "create_main_cluster = false\n"));
        Self(asked.is_ok().then_some(file))
    }
}

impl Drop for WithoutADatabase {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // Whoever installs another PostgreSQL later shall have Debian's usual database.
            let _ = fs::remove_file(file);
        }
    }
}

fn is_root() -> bool {
    succeeds(Command::new("sh").args(["-c", "test \"$(id -u)\" = 0"]))
}
