//! Signing in at an OpenID provider: the built bridge, a provider beside it, and browsers with and without a screen.

use std::{
    fs,
    path::Path,
    time::{Instant, SystemTime},
};

use conclave_testbed::openid::{Answer, CLIENT_ID, CLIENT_SECRET, OpenId};
use serde_json::json;

use crate::{
    bridge::{Bridge, free_port},
    browser::Browser,
    chromium::{Chromium, Screen},
};

const ADA: &str = "ada@example.org";

fn provider() -> OpenId {
    OpenId::start(ADA, || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        i64::try_from(since.unwrap().as_secs()).unwrap()
    })
}

/// Writes what a bridge needs to know of a provider.
fn configure(directory: &Path, issuer: &str, more: &str) {
    fs::write(directory.join("secret"), format!("{CLIENT_SECRET}\n")).unwrap();
    let config = format!(
        "[http.oidc]\nissuer = '{issuer}'\nclient-id = '{CLIENT_ID}'\nclient-secret-file = 'secret'\nlabel = 'Example Corp'\n{more}"
    );
    fs::write(directory.join("bridge.toml"), config).unwrap();
}

/// A bridge whose users sign in there, and where its portal is.
fn beside(issuer: &str, more: &str) -> (Bridge, String) {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), issuer, more);
    let at = format!("127.0.0.1:{}", free_port());
    let arguments = ["--http", &at, "--config", "bridge.toml"];
    (Bridge::start_in(directory, &arguments), at)
}

fn location(head: &str) -> &str {
    let found = head
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    found.unwrap_or_else(|| panic!("{head}"))
}

/// All the way; where it ends.
fn signed_in(browser: &mut Browser, openid: &OpenId) -> String {
    let left = browser.get("/sign-in/oidc");
    assert_eq!(left.status, 303, "{}", left.body);
    let back = openid.visited(location(&left.head));
    let path = back
        .strip_prefix(&format!("http://{}", browser.at))
        .unwrap();
    let came = browser.get(path);
    assert_eq!(came.status, 303, "{}", came.body);
    location(&came.head).to_owned()
}

#[test]
fn who_signs_in_at_the_provider_is_in() {
    let openid = provider();
    let (bridge, at) = beside(&openid.issuer(), "");
    bridge.account(&[]);
    let mut browser = Browser::at(at.clone());
    assert_eq!(signed_in(&mut browser, &openid), "/sign-in?told=unknown");
    let page = browser.get("/sign-in?told=unknown").body;
    assert!(page.contains("nobody with your e-mail address"), "{page}");

    bridge.json(&["user", "add", ADA, "--role", "host"]);
    assert_eq!(signed_in(&mut browser, &openid), "/");
    let accounts = browser.get("/accounts").body;
    assert!(accounts.contains("Ada Byron") && accounts.contains("ada@example.org, Host"));
    bridge.run(&["user", "suspend", ADA]);
    assert_eq!(browser.get("/accounts").status, 303);
    assert_eq!(signed_in(&mut browser, &openid), "/sign-in?told=unknown");
    bridge.run(&["user", "resume", ADA]);

    openid.draws_rsa_key("two");
    bridge.go_to(bridge.now() + chrono::TimeDelta::seconds(31));
    assert_eq!(signed_in(&mut browser, &openid), "/", "with the new key");
    openid.changes(|token| token.claims["nonce"] = json!("another"));
    let mut eve = Browser::at(at);
    assert_eq!(signed_in(&mut eve, &openid), "/sign-in?told=unconfirmed");
    let body = "{\"error\":\"invalid_grant\",\"error_description\":\"hush\"}".to_owned();
    openid.answers("/token", Answer::Says(400, "application/json", body));
    assert_eq!(signed_in(&mut eve, &openid), "/sign-in?told=unconfirmed");

    let audit = bridge.report("audit");
    let kinds: Vec<_> = audit
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    for kind in ["user.signed-in", "user.sign-in-failed"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let log = bridge.log();
    for said in ["nonce mismatch", "invalid_grant", ADA] {
        assert!(log.contains(said), "{log}");
    }
    for secret in [CLIENT_SECRET, "code-", "access-1", "eyJ", "hush"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[test]
fn a_bridge_starts_without_its_provider_and_finds_it_later() {
    let gone = free_port();
    let (bridge, at) = beside(&format!("http://127.0.0.1:{gone}"), "");
    let mut browser = Browser::at(at);
    let began = Instant::now();
    let warned = "nobody can sign in at the provider of http.oidc until it answers";
    while !bridge.log().contains(warned) {
        assert!(began.elapsed().as_secs() < 20, "{}", bridge.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let page = browser.get("/sign-in/oidc");
    assert_eq!(page.status, 503);
    assert!(page.body.contains("Example Corp can"), "{}", page.body);
    assert!(browser.get("/sign-in").body.contains("name=\"password\""));
}

#[test]
fn a_person_presses_the_button() {
    let openid = provider();
    let (bridge, at) = beside(&openid.issuer(), "password = false\n");
    let added = bridge.run(&[
        "user",
        "add",
        ADA,
        "--role",
        "host",
        "--config",
        "bridge.toml",
    ]);
    let said = String::from_utf8(added.stdout).unwrap();
    assert!(
        said.contains("signs in with Example Corp at http://"),
        "{said}"
    );
    let chromium = Chromium::start();
    let page = chromium.page(Screen::Desk);
    page.go(&format!("http://{at}/"));
    page.is_fine("sign-in-at-provider");
    assert_eq!(page.count("input"), 0, "no password is asked for");
    page.press("Sign in with Example Corp");
    page.is_at("/accounts");
    page.reads("ada@example.org, Host");
    page.press("Sign out");
    page.reads("Sign in with Example Corp");

    openid.says(json!({ "email": "eve@example.org", "email_verified": true }));
    page.press("Sign in with Example Corp");
    page.is_at("/sign-in?told=unknown");
    page.reads("nobody with your e-mail address may sign in here");
    page.is_fine("sign-in-at-provider-refused");
    assert_eq!(page.count("input"), 0);
}
