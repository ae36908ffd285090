//! All that must pass before a change lands.

use crate::run::{Failure, Result, cargo, on_path, output, run, succeeds};
use crate::setup::setup;
use conclave_testbed::{Postgres, SERVER};
use std::process::Command;
use std::time::{Duration, Instant};

type Step = (&'static str, fn() -> Result);

pub(crate) fn test() -> Result {
    let steps: [Step; 7] = [
        ("set-up", setup),
        ("format", format),
        ("lints", lints),
        ("tests", tests),
        ("examples in docs", doctests),
        ("features alone", features_alone),
        ("docs", docs),
    ];
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (name, step) in steps {
        println!("== {name}");
        let began = Instant::now();
        step().map_err(|failure| Failure(format!("{name}: {failure}")))?;
        times.push((name, began.elapsed()));
    }
    for (name, time) in times {
        println!("{:>7.1} s  {name}", time.as_secs_f64());
    }
    println!("all passed");
    Ok(())
}

fn format() -> Result {
    component("fmt", "rustfmt")?;
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn lints() -> Result {
    component("clippy", "clippy")?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Fuzz corpora are replayed here too: they are ordinary tests of the crates. One PostgreSQL server is started for all
/// of them: a test that finds none starts its own, which takes longer than the test.
fn tests() -> Result {
    let server = Postgres::start();
    let arguments: &[&str] = if succeeds(&mut cargo(&["nextest", "--version"])) {
        &[
            "nextest",
            "run",
            "--workspace",
            "--all-features",
            "--locked",
        ]
    } else {
        println!("cargo-nextest is not installed: plain `cargo test` does as well, only slower");
        &[
            "test",
            "--workspace",
            "--all-features",
            "--locked",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
        ]
    };
    run(cargo(arguments).env(SERVER, server.server_url()))
}

fn doctests() -> Result {
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--all-features",
        "--locked",
        "--doc",
    ]))
}

fn docs() -> Result {
    run(cargo(&[
        "doc",
        "--workspace",
        "--all-features",
        "--no-deps",
        "--locked",
    ])
    .env("RUSTDOCFLAGS", "-D warnings"))
}

/// Each feature builds by itself, so that none leans on another that happens to be on.
fn features_alone() -> Result {
    let metadata = output(&mut cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--locked",
    ]))?;
    for (package, feature) in features(&metadata)? {
        run(&mut cargo(&[
            "check",
            "--locked",
            "-p",
            &package,
            "--no-default-features",
            "--features",
            &feature,
        ]))?;
    }
    Ok(())
}

/// Each package that has features, with each of them but `default`.
fn features(metadata: &[u8]) -> Result<Vec<(String, String)>> {
    let metadata: serde_json::Value = serde_json::from_slice(metadata)
        .map_err(|e| Failure(format!("`cargo metadata` wrote no JSON: {e}")))?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        for feature in package["features"]
            .as_object()
            .into_iter()
            .flat_map(|f| f.keys())
            .filter(|f| *f != "default")
        {
            found.push((name.to_owned(), feature.clone()));
        }
    }
    Ok(found)
}

/// rustup's smallest profile comes without rustfmt and clippy.
fn component(subcommand: &str, component: &str) -> Result {
    if succeeds(&mut cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    if on_path("rustup") {
        return run(Command::new("rustup").args(["component", "add", component]));
    }
    Err(Failure(format!(
        "`cargo {subcommand}` is missing; install Rust's component {component}"
    )))
}

#[cfg(test)]
mod tests {
    use super::features;

    #[test]
    fn every_feature_but_the_default_is_built_alone() {
        let metadata = br#"{"packages":[{"name":"a","features":{"default":["x"],"x":[],"y":[]}},{"name":"b","features":{}}]}"#;
        let pair = |package: &str, feature: &str| (package.to_owned(), feature.to_owned());
        assert_eq!(
            features(metadata).unwrap(),
            [pair("a", "x"), pair("a", "y")]
        );
        assert!(features(b"nonsense").is_err());
    }
}
