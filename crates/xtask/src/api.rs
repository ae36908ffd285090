//! Whether the API keeps its word: schemathesis asks the built bridge all that its OpenAPI document allows, and what it doesn't.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::browser::Browser;
use crate::load::{Load, Server, programs};
use crate::run::{Failure, Result, free_port, on_path, output, run};

/// What would end the token that asks: each has a run of its own, after the others.
const ENDING: [&str; 2] = ["deleteTokensById", "patchUsersById"];

/// `api [SCHEMATHESIS]`: a conference goes on meanwhile, and a booking and a webhook are there to be found.
pub(crate) fn api(arguments: &[String]) -> Result {
    let tool = arguments.first().map_or("schemathesis", String::as_str);
    if !on_path(tool) && !Path::new(tool).exists() {
        return Err(Failure(
            "this needs schemathesis (pip install schemathesis); name where it is, if it is elsewhere".into(),
        ));
    }
    let programs = programs(&["--release"])?;
    let http = format!("127.0.0.1:{}", free_port()?);
    let server = Server::start(&programs, "conclave-bridge", |command, sip, directory| {
        command.args(["serve", "--sip", sip, "--http", &http, "--data"]);
        command.arg(directory.join("data"));
    })?;
    let rooms = server.rooms(1)?;
    let admin = "ops@example.org";
    output(&mut server.command(&["user", "add", admin, "--role", "administrator"]))?;
    let document = Browser::at(http.clone()).get("/api/v1/openapi.json").body;
    let document: Value = serde_json::from_str(&document).map_err(|e| Failure(e.to_string()))?;
    let scopes = &document["components"]["schemas"]["NewToken"]["properties"]["scopes"];
    let scopes = scopes["items"]["enum"].as_array().into_iter().flatten();
    let mut token = server.command(&["token", "add", admin, "--name", "schemathesis", "--json"]);
    for scope in scopes.filter_map(Value::as_str) {
        token.args(["--scope", scope]);
    }
    let token: Value =
        serde_json::from_slice(&output(&mut token)?).map_err(|e| Failure(e.to_string()))?;
    let token = token["token"].as_str().unwrap_or_default().to_owned();

    let mut program = Browser::with_token(http.clone(), token.clone());
    let hook = r#"{"url":"http://127.0.0.1:9/hook","events":["call.left"]}"#;
    let person = r#"{"name":"Grace Hopper","email":"grace@example.org"}"#;
    let booking = format!(
        r#"{{"account":1,"title":"Board","start":"2096-12-01T09:00:00Z","end":"2096-12-01T10:00:00Z","invitees":[{person}]}}"#
    );
    for (path, body) in [("bookings", &*booking), ("webhooks", hook)] {
        let made = program.ask(&format!("POST /api/v1/{path}"), body);
        if made.status != 201 {
            return Err(Failure(format!("{path}: {} {}", made.status, made.body)));
        }
    }
    let mut calls = server.calls(4, "1");
    calls.args(["--settle", "1", "--seconds", "600", "--rooms"]);
    let _calls = Load::start(calls.arg(rooms).stdout(Stdio::null()))?;
    sleep(Duration::from_secs(6));

    // Where no command line, and nothing that is printed, has the token in it.
    let file = server.directory.join("schemathesis.toml");
    let headers = "headers = { Authorization = \"Bearer ${CONCLAVE_TOKEN}\" }\n";
    fs::write(&file, headers).map_err(|e| Failure(format!("{}: {e}", file.display())))?;
    let ask = || {
        let mut ask = Command::new(tool);
        ask.args(["run", &format!("http://{http}/api/v1/openapi.json")])
            .env("CONCLAVE_TOKEN", &token)
            // What a schema can't say, such as what a name is, is refused by 422.
            .args([
                "--checks",
                "all",
                "--exclude-checks",
                "positive_data_acceptance",
            ])
            .args([
                "--max-examples",
                "40",
                "--request-timeout",
                "10",
                "--workers",
                "1",
            ])
            .current_dir(&server.directory);
        ask
    };
    let mut most = ask();
    // A stream of events has no end.
    most.args(["--exclude-path-regex", "events"]);
    for operation in ENDING {
        most.args(["--exclude-operation-id", operation]);
    }
    run(&mut most)?;
    for operation in ENDING {
        run(ask().args(["--include-operation-id", operation]))?;
    }
    Ok(())
}
