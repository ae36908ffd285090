//! The web portal of the real binary, by a plain HTTP client.

use std::{fs, net::TcpListener, path::Path};

use crate::{
    browser::Browser,
    serving::Serving,
    support::{ADA, json, refused, run},
};

fn serve(directory: &Path) -> (Serving, Browser) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = free.local_addr().unwrap().to_string();
    drop(free);
    let serving = Serving::start_with(directory, "info", &["--http", &at]);
    (serving, Browser::at(at))
}

#[test]
fn a_user_sets_a_password_looks_around_and_is_suspended() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &ADA, 0);
    let (mut serving, mut browser) = serve(directory);
    assert_eq!(browser.get("/healthz").body, "ok\n");
    assert_eq!(browser.get("/readyz").body, "ready\n");
    let closed = browser.get("/accounts");
    assert!(closed.status == 303 && closed.head.contains("location: /sign-in"));

    // While it serves.
    let added = [
        "user",
        "add",
        "root@example.org",
        "--role",
        "administrator",
        "--json",
        "--http",
        &browser.at,
    ];
    let link = json(directory, &added)["link"].as_str().unwrap().to_owned();
    let (page, code) = link.split_once('#').unwrap();
    assert_eq!(page, format!("http://{}/set-up", browser.at));
    let fields = format!("code={code}&password=four+odd+words+here&again=four+odd+words+here");
    let set = browser.send("/set-up", &fields);
    assert_eq!(set.status, 303, "{}", set.body);
    let accounts = browser.get("/accounts");
    assert!(
        accounts.body.contains("ada@example.org"),
        "{}",
        accounts.body
    );
    assert!(
        accounts
            .head
            .contains("content-security-policy: default-src 'none'")
    );
    let audit = browser.get("/audit");
    assert!(audit.body.contains("user.password-set"), "{}", audit.body);

    run(directory, &["user", "suspend", "root@example.org"], 0);
    assert_eq!(browser.get("/accounts").status, 303, "at once");
    let log = fs::read_to_string(directory.join("log")).unwrap();
    assert!(!log.contains(code), "{log}");
    serving.signal("-TERM");
    assert!(serving.wait().success());
}

#[test]
fn users_are_made_listed_and_shut_out() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (said, _) = run(
        directory,
        &["user", "add", "Ada@example.org", "--role", "host"],
        0,
    );
    assert!(said.contains("http://127.0.0.1:8080/set-up#"), "{said}");
    let (first, _) = run(directory, &["user", "link", "ada@example.org"], 0);
    assert_ne!(said, first);
    let (list, _) = run(directory, &["user", "list"], 0);
    assert!(
        list.contains("not set up") && list.contains("ada@example.org"),
        "{list}"
    );
    let again = ["user", "add", "ada@example.org", "--role", "auditor"];
    refused(directory, &again, &["already", "user link"]);
    refused(
        directory,
        &["user", "link", "bob@example.org"],
        &["no user is", "user list"],
    );
    refused(
        directory,
        &["user", "add", "ada", "--role", "host"],
        &["'ada'", "name@example.org"],
    );
    let (role, _) = run(
        directory,
        &["user", "role", "ada@example.org", "auditor"],
        0,
    );
    assert_eq!(role, "ada@example.org (auditor) is active\n");
    run(directory, &["user", "suspend", "ada@example.org"], 0);
    refused(
        directory,
        &["user", "link", "ada@example.org"],
        &["suspended", "user resume"],
    );
    run(directory, &["user", "resume", "ada@example.org"], 0);
    let (out, _) = run(directory, &["user", "sign-out", "ada@example.org"], 0);
    assert!(out.contains("0 sessions"), "{out}");
    let (audit, _) = run(directory, &["report", "audit"], 0);
    assert!(
        audit.contains("user.link") && audit.contains("user.suspended"),
        "{audit}"
    );
    run(directory, &["report", "audit", "--verify"], 0);
}

#[test]
fn what_can_be_reached_from_elsewhere_is_not_served_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--http", "0.0.0.0:8080"];
    refused(directory.path(), &arguments, &["not encrypted", "http.url"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let sip = ["--sip", "127.0.0.1:45060", "--rtp-ports", "18200-18299"];
    let (_, error) = run(
        directory.path(),
        &[&["serve", "--http", &at][..], &sip].concat(),
        1,
    );
    assert!(error.contains("cannot listen for HTTP"), "{error}");
}

#[test]
fn a_provider_that_cannot_be_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let file = directory.join("c.toml");
    let configure = |issuer: &str, more: &str| {
        let oidc =
            format!("[http.oidc]\nissuer = '{issuer}'\nclient-id = 'a'\nlabel = 'A'\n{more}");
        fs::write(&file, oidc).unwrap();
    };
    let serve = ["serve", "--config", "c.toml"];
    configure("http://login.example.org", "");
    refused(
        directory,
        &serve,
        &["c.toml", "http.oidc: issuer", "https://"],
    );
    configure("https://login.example.org", "");
    let ways = ["client-secret-file", "CONCLAVE_OIDC_CLIENT_SECRET"];
    refused(directory, &serve, &ways);
    configure(
        "https://login.example.org",
        "client-secret-file = 'absent'\n",
    );
    refused(
        directory,
        &serve,
        &["http.oidc.client-secret-file", "absent"],
    );
    fs::write(directory.join("empty"), "\n").unwrap();
    configure(
        "https://login.example.org",
        "client-secret-file = 'empty'\n",
    );
    refused(directory, &serve, &["http.oidc.client-secret"]);
    configure("https://login.example.org", "client-secret = 'hush'\n");
    let said = refused(directory, &serve, &["unknown field `client-secret`"]);
    assert!(!said.contains("hush"), "{said}");
}
