//! Other programs, run so that a failure names the command that failed.

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a task could not be done, in words for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The cargo that runs us, so that a `+toolchain` chosen outside goes on inside.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What cargo tells us of this package: build scripts that look at it would run anew, and all that depends on them be built
    // again, whenever cargo is called from here and from a shell in turn.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// One test, chosen out of all that the suite builds, so that nothing is built for it alone.
pub(crate) fn test(name: &str) -> Command {
    let suite = [
        "test",
        "--workspace",
        "--all-features",
        "--locked",
        "--tests",
    ];
    let mut command = cargo(&suite);
    command.args(["--", "--exact", name, "--include-ignored", "--nocapture"]);
    command
}

/// The numbers that a task was given, or the usual ones; `what` names them where one is none.
pub(crate) fn numbers<const N: usize>(
    arguments: &[String],
    what: &str,
    usual: [u32; N],
) -> Result<Vec<u32>> {
    if arguments.is_empty() {
        return Ok(usual.into());
    }
    let numbers: std::result::Result<_, _> = arguments.iter().map(|n| n.parse()).collect();
    numbers.map_err(|_| Failure(format!("{what} are numbers")))
}

/// Runs to the end, output shown as it comes.
pub(crate) fn run(command: &mut Command) -> Result {
    let line = spelled(command);
    println!("+ {line}");
    let status = command
        .status()
        .map_err(|e| Failure(format!("cannot run `{line}`: {e}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure(format!("`{line}` failed: {status}")))
    }
}

/// A port for TCP on loopback that nobody has.
pub(crate) fn free_port() -> Result<u16> {
    let failed = |e: std::io::Error| Failure(format!("no port: {e}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    Ok(listener.local_addr().map_err(failed)?.port())
}

/// Runs to the end and gives what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let line = spelled(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Failure(format!("cannot run `{line}`: {e}")))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Failure(format!("`{line}` failed: {}", output.status)))
    }
}

/// Whether the command runs and succeeds; its output is nobody's business.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Whether a program of this name lies on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// The command as one would type it: variables set for it, program, arguments.
fn spelled(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={:?}", name.display(), value?)));
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program)
        .chain(command.get_args())
        .map(|w| w.display().to_string());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_command() {
        let failed = run(Command::new("false").arg("--really")).unwrap_err();
        assert!(failed.0.contains("`false --really` failed"), "{failed}");
        let absent = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert!(
            absent.0.contains("cannot run `no-such-program-anywhere`"),
            "{absent}"
        );
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
    }
}
