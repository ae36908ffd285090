//! Signing in at an OpenID provider, which runs beside and does wrong what it is told to.

use std::net::TcpListener;

use conclave_portal::oidc::{Provider, Settings};
use conclave_testbed::openid::{Answer as Says, CLIENT_ID, CLIENT_SECRET, IdToken, OpenId, Signed};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

const ADA: &str = "ada@example.org";

fn settings(issuer: String) -> Settings {
    Settings {
        issuer,
        client_id: CLIENT_ID.to_owned(),
        label: "Example Corp".to_owned(),
        passwords: true,
        second_factor: false,
    }
}

pub(super) fn provider(settings: Settings) -> Arc<Provider> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Arc::new(Provider::new(settings, CLIENT_SECRET, Arc::new(tls)).unwrap())
}

/// A portal, and the provider at which its users sign in. Their clocks are one.
pub(super) async fn both() -> (Bed, OpenId) {
    both_with(|settings| settings, &[]).await
}

async fn both_with(
    change: impl FnOnce(Settings) -> Settings,
    demanded: &[UserRole],
) -> (Bed, OpenId) {
    let ahead = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&ahead);
    let now = move || start().timestamp() + clock.load(Ordering::Relaxed);
    let openid = OpenId::start(ADA, now);
    let provider = provider(change(settings(openid.issuer())));
    let bed = Bed::made(Site::loopback(), ahead, |portal| {
        let portal = portal.with_provider(provider);
        portal.demanding_second_factors(demanded)
    });
    (bed.await, openid)
}

/// Begins; where the browser is sent.
async fn left(browser: &mut Browser) -> String {
    let left = browser.get("/sign-in/oidc").await;
    assert_eq!(left.status, StatusCode::SEE_OTHER, "{}", left.text);
    left.header(header::LOCATION).to_owned()
}

/// Signs in at the provider; where on our site the browser is sent from there.
async fn visited(browser: &mut Browser, openid: &OpenId) -> String {
    let back = openid.visited(&left(browser).await);
    let own = back.strip_prefix("http://127.0.0.1:8080");
    own.unwrap_or_else(|| panic!("{back}")).to_owned()
}

/// All the way; where it ends.
async fn signed_in(browser: &mut Browser, openid: &OpenId) -> String {
    let back = visited(browser, openid).await;
    came(browser, &back).await
}

async fn came(browser: &mut Browser, back: &str) -> String {
    let came = browser.get(back).await;
    // Whatever comes of it, the address with the code in it is left.
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.text);
    assert!(came.text.is_empty());
    let to = came.header(header::LOCATION).to_owned();
    assert!(!to.contains("code-"), "{to}");
    to
}

/// What somebody reads who isn't let in.
async fn refused(browser: &mut Browser, to: &str, told: &str) -> String {
    assert_eq!(to, format!("/sign-in?told={told}"));
    assert_eq!(browser.cookie("conclave-session"), None);
    let page = browser.get(to).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("role=\"alert\""), "{}", page.text);
    page.text
}

async fn kinds(bed: &Bed) -> Vec<String> {
    let audit = bed.store.audit(&AuditPage::default()).await.unwrap();
    audit.into_iter().map(|row| row.kind).collect()
}

#[tokio::test]
async fn who_signs_in_there_is_signed_in_here() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    openid.says(json!({ "email": "Ada@Example.org", "email_verified": true }));
    let mut browser = bed.browser();
    let page = browser.get("/sign-in").await.text;
    assert!(page.contains("href=\"/sign-in/oidc\">Sign in with Example Corp"));
    assert!(page.contains("name=\"password\""));
    let visit = browser.cookie("conclave-visit").unwrap().to_owned();

    let leaves = browser.get("/sign-in/oidc").await;
    let cookie = leaves.header(header::SET_COOKIE).to_owned();
    assert!(
        cookie.contains("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let to = leaves.header(header::LOCATION).to_owned();
    let errand = browser.cookie("conclave-errand").unwrap().to_owned();
    for part in [
        "response_type=code",
        "code_challenge_method=S256",
        "scope=openid+email",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fsign-in%2Foidc%2Fback",
    ] {
        assert!(to.contains(part), "{to}");
    }
    assert!(!to.contains(&errand) && !to.contains("secret"), "{to}");
    let back = openid.visited(&to);
    let mut again = browser.clone();
    let to = came(
        &mut browser,
        back.strip_prefix("http://127.0.0.1:8080").unwrap(),
    )
    .await;
    assert_eq!(to, "/");
    assert_eq!(browser.cookie("conclave-errand"), None);
    let session = browser.cookie("conclave-session").unwrap().to_owned();
    assert!(![visit, errand].contains(&session));
    let accounts = browser.get("/accounts").await;
    assert!(accounts.text.contains("ada@example.org, Host"));
    assert_eq!(openid.asked("/keys"), 1);
    assert!(kinds(&bed).await.contains(&"user.signed-in".to_owned()));

    // With the same address once more, as from the history of a browser that still has its cookies.
    let to = came(
        &mut again,
        back.strip_prefix("http://127.0.0.1:8080").unwrap(),
    )
    .await;
    refused(&mut again, &to, "stale").await;
    assert_eq!(openid.asked("/token"), 1);

    // Who is signed in isn't sent there.
    let leaves = browser.get("/sign-in/oidc").await;
    assert_eq!(leaves.header(header::LOCATION), "/");
    let form = browser.form("/accounts").await;
    let out = browser.post("/sign-out", &[("form", &form)]).await;
    assert_eq!(out.header(header::LOCATION), "/sign-in");
    let after = browser.get("/accounts").await;
    assert_eq!(after.header(header::LOCATION), "/sign-in");
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
    assert_eq!(openid.asked("/keys"), 1, "they are kept");
}

#[tokio::test]
async fn behind_a_proxy_the_way_back_is_by_https() {
    let openid = OpenId::start(ADA, || start().timestamp());
    let provider = provider(settings(openid.issuer()));
    let site = Site::https("https://conf.example.org", Vec::new()).unwrap();
    let bed = Bed::made(site, Arc::default(), |portal| {
        portal.with_provider(provider)
    })
    .await;
    let mut browser = bed.browser();
    browser.host = "conf.example.org";
    let leaves = browser.get("/sign-in/oidc").await;
    let to = leaves.header(header::LOCATION);
    let back = "redirect_uri=https%3A%2F%2Fconf.example.org%2Fsign-in%2Foidc%2Fback&";
    assert!(format!("{to}&").contains(back), "{to}");
    let cookie = leaves.header(header::SET_COOKIE);
    assert!(cookie.starts_with("__Host-conclave-errand="), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn only_the_browser_that_began_comes_back_and_in_time() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    // Eve has Ada's browser come back with what Eve began.
    let mut eve = bed.browser();
    let back = visited(&mut eve, &openid).await;
    let mut ada = bed.browser();
    let to = came(&mut ada, &back).await;
    refused(&mut ada, &to, "stale").await;
    left(&mut ada).await;
    let errand = ada.cookie("conclave-errand").map(str::to_owned);
    let to = came(&mut ada, &back).await;
    refused(&mut ada, &to, "stale").await;
    assert_eq!(
        ada.cookie("conclave-errand"),
        errand.as_deref(),
        "hers goes on"
    );

    let own = visited(&mut ada, &openid).await;
    let (_, state) = own.split_once("state=").unwrap();
    let state = state.split('&').next().unwrap();
    for altered in [
        own.replace(state, ""),
        own.replace(state, "1.2"),
        own.replace(state, &state.replace('a', "b").replace('0', "1")),
        own.replace("state", "estate"),
    ] {
        let to = came(&mut ada.clone(), &altered).await;
        refused(&mut ada, &to, "stale").await;
    }
    bed.pass(600);
    let to = came(&mut ada, &own).await;
    refused(&mut ada, &to, "stale").await;
    assert_eq!(openid.asked("/token"), 0, "no code is shown to anybody");
    let back = visited(&mut ada, &openid).await;
    bed.pass(599);
    assert_eq!(came(&mut ada, &back).await, "/");
}

fn set(name: &'static str, value: impl Into<Value>) -> Box<dyn Fn(&mut IdToken) + Send> {
    let value = value.into();
    Box::new(move |token| token.claims[name] = value.clone())
}

/// A moment, by so many seconds from now.
fn moved(name: &'static str, by: i64) -> Box<dyn Fn(&mut IdToken) + Send> {
    Box::new(move |token| {
        let now = token.claims["iat"].as_i64().unwrap();
        token.claims[name] = (now + by).into();
    })
}

fn without(name: &'static str) -> Box<dyn Fn(&mut IdToken) + Send> {
    Box::new(move |token| drop(token.claims.as_object_mut().unwrap().remove(name)))
}

fn signed(alg: &'static str, signed: Signed) -> Box<dyn Fn(&mut IdToken) + Send> {
    Box::new(move |token| {
        token.header["alg"] = alg.into();
        token.signed = signed.clone();
    })
}

#[tokio::test]
async fn no_id_token_is_taken_but_a_good_one() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Administrator).await;
    let key = openid.key();
    let bytes = |name: &str| key[name].as_str().unwrap().as_bytes().to_vec();
    let hmac = |key: Vec<u8>| signed("HS256", Signed::Hmac(key));
    let cases = [
        ("good", set("name", "Ada"), "/"),
        (
            "another's nonce",
            set("nonce", "0".repeat(64)),
            "unconfirmed",
        ),
        ("no nonce", without("nonce"), "unconfirmed"),
        ("expired", moved("exp", 0), "unconfirmed"),
        ("no end", without("exp"), "unconfirmed"),
        ("issued long ago", moved("iat", -121), "unconfirmed"),
        ("issued in time to come", moved("iat", 121), "unconfirmed"),
        ("by a clock that goes ahead", moved("iat", 60), "/"),
        ("never issued", without("iat"), "unconfirmed"),
        ("for somebody else", set("aud", "another"), "unconfirmed"),
        ("for nobody", without("aud"), "unconfirmed"),
        (
            "for others too",
            set("aud", json!([CLIENT_ID, "another"])),
            "unconfirmed",
        ),
        ("for us in a list", set("aud", json!([CLIENT_ID])), "/"),
        (
            "issued to somebody else",
            set("azp", "another"),
            "unconfirmed",
        ),
        ("issued to us", set("azp", CLIENT_ID), "/"),
        (
            "by another issuer",
            set("iss", "https://evil.example"),
            "unconfirmed",
        ),
        (
            "by an issuer that looks alike",
            set("iss", format!("{}/", openid.issuer())),
            "unconfirmed",
        ),
        ("by nobody", without("iss"), "unconfirmed"),
        ("of nobody", without("sub"), "unconfirmed"),
        (
            "signed by nothing",
            signed("none", Signed::Nothing),
            "unconfirmed",
        ),
        (
            "signed by nothing, as if by the key",
            signed("ES256", Signed::Nothing),
            "unconfirmed",
        ),
        ("by the public key", hmac(bytes("x")), "unconfirmed"),
        (
            "by the public key as published",
            hmac(key.to_string().into_bytes()),
            "unconfirmed",
        ),
        (
            "by the client's secret",
            hmac(CLIENT_SECRET.as_bytes().to_vec()),
            "unconfirmed",
        ),
        (
            "by a stranger",
            signed("ES256", Signed::StrangersKey),
            "unconfirmed",
        ),
        (
            "by the key, named otherwise",
            signed("RS256", Signed::Key),
            "unconfirmed",
        ),
        (
            "in a way that nobody knows",
            signed("XX999", Signed::Key),
            "unconfirmed",
        ),
        (
            "address not verified",
            set("email_verified", false),
            "unvouched",
        ),
        (
            "verified, as a word",
            set("email_verified", "true"),
            "unconfirmed",
        ),
        (
            "nothing said of that",
            without("email_verified"),
            "unvouched",
        ),
        ("an address that is none", set("email", "ada"), "unvouched"),
    ];
    for (what, change, expected) in cases {
        openid.changes(change);
        let mut browser = bed.browser();
        let to = signed_in(&mut browser, &openid).await;
        if expected == "/" {
            assert_eq!(to, "/", "{what}");
            assert_eq!(browser.get("/users").await.status, StatusCode::OK);
        } else {
            assert_eq!(to, format!("/sign-in?told={expected}"), "{what}");
            refused(&mut browser, &to, expected).await;
        }
        // What was counted against this address is forgotten.
        bed.pass(30);
    }
}

#[tokio::test]
async fn who_is_no_user_or_a_suspended_one_stays_out_and_learns_nothing() {
    let (bed, openid) = both().await;
    bed.invited("root@example.org", UserRole::Administrator)
        .await;
    let mut browser = bed.browser();
    let to = signed_in(&mut browser, &openid).await;
    let unknown = refused(&mut browser, &to, "unknown").await;
    let users = bed.store.users(conclave_store::Page::all()).await.unwrap();
    assert_eq!(users.len(), 1, "nobody becomes a user by it");

    bed.invited(ADA, UserRole::Host).await;
    let (ada, _) = bed.store.user(ADA).await.unwrap().unwrap();
    bed.store
        .suspend_user(ada.id, true, &bed.act())
        .await
        .unwrap();
    let to = signed_in(&mut browser, &openid).await;
    let suspended = refused(&mut browser, &to, "unknown").await;
    assert_eq!(unknown, suspended);
    // It is noted beside the answer.
    while !kinds(&bed)
        .await
        .contains(&"user.sign-in-failed".to_owned())
    {
        tokio::task::yield_now().await;
    }
    bed.store
        .suspend_user(ada.id, false, &bed.act())
        .await
        .unwrap();
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
}

#[tokio::test]
async fn the_address_may_be_told_where_one_asks_about_the_user() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    openid.says_at_userinfo();
    let mut browser = bed.browser();
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
    for (said, told) in [
        (json!({ "email": ADA }), "unvouched"),
        (json!({ "email_verified": true }), "unvouched"),
        (
            json!({ "email": ADA, "email_verified": true, "sub": "another" }),
            "unvouched",
        ),
    ] {
        openid.says(said);
        let mut browser = bed.browser();
        let to = signed_in(&mut browser, &openid).await;
        refused(&mut browser, &to, told).await;
    }
}

#[tokio::test]
async fn keys_are_read_again_when_there_are_new_ones_and_not_for_each_stranger() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    let mut browser = bed.browser();
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
    openid.draws_rsa_key("two");
    bed.pass(30);
    let mut browser = bed.browser();
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
    assert_eq!(openid.asked("/keys"), 2);
    openid.draws_key("three");
    openid.changes(|token| token.header["kid"] = "four".into());
    for _ in 0..5 {
        let mut browser = bed.browser();
        let to = signed_in(&mut browser, &openid).await;
        refused(&mut browser, &to, "unconfirmed").await;
    }
    assert_eq!(openid.asked("/keys"), 2, "they were read just now");
    bed.pass(30);
    let mut browser = bed.browser();
    let to = signed_in(&mut browser, &openid).await;
    refused(&mut browser, &to, "unconfirmed").await;
    assert_eq!(openid.asked("/keys"), 3);
    openid.changes(|_| {});
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
    bed.pass(3600);
    let mut browser = bed.browser();
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
    assert_eq!(openid.asked("/keys"), 4, "and each hour");
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let down = provider(settings(format!("http://127.0.0.1:{port}")));
    let bed = Bed::made(Site::loopback(), Arc::default(), |portal| {
        portal.with_provider(down)
    });
    let bed = bed.await;
    let code = bed.invited(ADA, UserRole::Host).await;
    let answer = bed.browser().get("/sign-in/oidc").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.text.contains("Example Corp can&#39;t be reached"),
        "{}",
        answer.text
    );
    let fields = [
        ("code", &*code),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    let by_password = bed.browser().send("/set-up", &fields).await;
    assert_eq!(by_password.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_a_provider_says_of_itself_must_make_sense() {
    const DOCUMENT: &str = "/.well-known/openid-configuration";
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    let issuer = openid.issuer();
    let document = |change: &[(&str, Value)]| {
        let mut document = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        for (name, value) in change {
            document[*name] = value.clone();
        }
        Says::Says(200, "application/json", document.to_string())
    };
    let json = |body: &str| Says::Says(200, "application/json", body.to_owned());
    for (path, answer) in [
        (DOCUMENT, json("")),
        (DOCUMENT, json("{\"issuer\":")),
        (DOCUMENT, json(&"[".repeat(100_000))),
        (
            DOCUMENT,
            Says::Says(200, "text/html", "<p>hello".to_owned()),
        ),
        (
            DOCUMENT,
            Says::Says(500, "application/json", "{}".to_owned()),
        ),
        (DOCUMENT, Says::Says(302, "", format!("{issuer}/authorize"))),
        (DOCUMENT, Says::Endless),
        (
            DOCUMENT,
            document(&[("issuer", "https://evil.example".into())]),
        ),
        (DOCUMENT, document(&[("token_endpoint", Value::Null)])),
        (
            DOCUMENT,
            document(&[("token_endpoint", "http://192.0.2.1/token".into())]),
        ),
        (
            DOCUMENT,
            document(&[("authorization_endpoint", "http://192.0.2.1/".into())]),
        ),
        (
            DOCUMENT,
            document(&[("authorization_endpoint", "javascript:alert(1)".into())]),
        ),
        (
            DOCUMENT,
            document(&[("jwks_uri", "http://192.0.2.1/keys".into())]),
        ),
        ("/keys", json("{\"keys\":7}")),
        (
            "/keys",
            Says::Says(404, "application/json", "{}".to_owned()),
        ),
        ("/keys", Says::Endless),
    ] {
        openid.answers(path, answer.clone());
        let said = bed.browser().get("/sign-in/oidc").await;
        assert_eq!(
            said.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{path} {answer:?}"
        );
        assert!(
            said.headers
                .get(header::SET_COOKIE)
                .is_none_or(|set| !format!("{set:?}").contains("errand"))
        );
        openid.answers(path, Says::Good);
        let asked = openid.asked(DOCUMENT);
        let said = bed.browser().get("/sign-in/oidc").await;
        assert_eq!(
            said.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "it is left alone"
        );
        assert_eq!(openid.asked(DOCUMENT), asked);
        bed.pass(5);
    }
    openid.answers(DOCUMENT, document(&[]));
    assert_eq!(signed_in(&mut bed.browser(), &openid).await, "/");
}

#[tokio::test]
async fn what_it_answers_for_a_code_must_make_sense() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    let json = |status, body: &str| Says::Says(status, "application/json", body.to_owned());
    for answer in [
        json(200, ""),
        json(200, "{"),
        json(200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}"),
        json(
            200,
            "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"a.b.c\"}",
        ),
        json(
            200,
            "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"....\"}",
        ),
        json(
            400,
            "{\"error\":\"invalid_grant\",\"error_description\":\"code-0\"}",
        ),
        json(500, ""),
        Says::Says(200, "text/html", "<p>hello".to_owned()),
        Says::Says(302, "", format!("{}/keys", openid.issuer())),
        Says::Endless,
    ] {
        openid.answers("/token", answer.clone());
        let mut browser = bed.browser();
        let to = signed_in(&mut browser, &openid).await;
        assert_eq!(to, "/sign-in?told=unconfirmed", "{answer:?}");
        refused(&mut browser, &to, "unconfirmed").await;
        bed.pass(30);
    }
    openid.answers("/token", Says::Good);
    assert_eq!(signed_in(&mut bed.browser(), &openid).await, "/");
}

/// Ten seconds of each, at the same time.
#[tokio::test]
async fn a_provider_that_never_answers_is_not_waited_for() {
    let slow = |path: &'static str, expected: &'static str| async move {
        let (bed, openid) = both().await;
        bed.invited(ADA, UserRole::Host).await;
        openid.answers(path, Says::Never);
        let mut browser = bed.browser();
        let began = std::time::Instant::now();
        if expected == "503" {
            let answer = browser.get("/sign-in/oidc").await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        } else {
            let to = signed_in(&mut browser, &openid).await;
            refused(&mut browser, &to, expected).await;
        }
        let took = began.elapsed();
        assert!((9..25).contains(&took.as_secs()), "{path}: {took:?}");
    };
    tokio::join!(
        slow("/.well-known/openid-configuration", "503"),
        slow("/token", "unconfirmed"),
    );
}

#[tokio::test]
async fn what_the_provider_says_instead_of_a_code() {
    let (bed, openid) = both().await;
    for (query, told) in [
        ("error=access_denied", "declined"),
        (
            "error=%3Cscript%3E&error_description=Eve+was+here",
            "unconfirmed",
        ),
        ("code=x&iss=https%3A%2F%2Fevil.example", "unconfirmed"),
        ("code=", "unconfirmed"),
        ("code=invented", "unconfirmed"),
    ] {
        let mut browser = bed.browser();
        let back = visited(&mut browser, &openid).await;
        let (_, state) = back.split_once("state=").unwrap();
        let state = state.split('&').next().unwrap();
        let back = format!("/sign-in/oidc/back?state={state}&{query}&next=//evil.example");
        let to = came(&mut browser, &back).await;
        let page = refused(&mut browser, &to, told).await;
        assert!(!page.contains("Eve") && !page.contains("&lt;script"));
    }
    let page = bed.browser().get("/sign-in?told=%3Cb%3E").await.text;
    assert!(!page.contains("role=\"alert\""), "{page}");
}

#[tokio::test]
async fn codes_are_tried_no_faster_than_the_pace() {
    let (bed, openid) = both().await;
    bed.invited(ADA, UserRole::Host).await;
    for _ in 0..20 {
        assert_eq!(
            signed_in(&mut bed.browser(), &openid).await,
            "/",
            "no guess"
        );
    }
    openid.answers(
        "/token",
        Says::Says(400, "application/json", "{}".to_owned()),
    );
    for _ in 0..10 {
        let to = signed_in(&mut bed.browser(), &openid).await;
        assert_eq!(to, "/sign-in?told=unconfirmed");
    }
    openid.answers("/token", Says::Good);
    let asked = openid.asked("/token");
    let mut browser = bed.browser();
    let to = signed_in(&mut browser, &openid).await;
    refused(&mut browser, &to, "too-often").await;
    assert_eq!(openid.asked("/token"), asked);
    let by_password = browser.sign_in(ADA, PASSWORD).await;
    assert_eq!(
        by_password.status,
        StatusCode::TOO_MANY_REQUESTS,
        "one pace for both"
    );
    bed.pass(30);
    assert_eq!(signed_in(&mut browser, &openid).await, "/");
}

/// Ada sets up a second factor and signs in at the provider: what is she asked for?
async fn asked_of_ada(change: impl FnOnce(Settings) -> Settings, demanded: &[UserRole]) -> String {
    let (bed, openid) = both_with(change, demanded).await;
    let mut ada = bed.signed_in(ADA, UserRole::Host).await;
    let (_, recovery) = factor::turn_on(&bed, &mut ada).await;
    let mut browser = bed.browser();
    let to = signed_in(&mut browser, &openid).await;
    let inside = browser.get("/accounts").await.status == StatusCode::OK;
    assert_eq!(inside, to == "/", "half a sign-in opens nothing");
    if !inside {
        let entered = browser
            .send("/sign-in/code", &[("code", &recovery[0])])
            .await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
        assert_eq!(browser.get("/accounts").await.status, StatusCode::OK);
    }
    to
}

#[tokio::test]
async fn the_providers_sign_in_counts_as_it_is_unless_it_is_said_otherwise() {
    let as_it_is = |settings: Settings| settings;
    let asks = |settings| Settings {
        second_factor: true,
        ..settings
    };
    assert_eq!(asked_of_ada(as_it_is, &[]).await, "/");
    assert_eq!(asked_of_ada(asks, &[]).await, "/sign-in/code");
    let host = [UserRole::Host];
    assert_eq!(asked_of_ada(as_it_is, &host).await, "/sign-in/code");
    let auditor = [UserRole::Auditor];
    assert_eq!(asked_of_ada(as_it_is, &auditor).await, "/");
}

#[tokio::test]
async fn where_there_are_no_passwords_the_provider_is_the_only_way() {
    let without = |settings| Settings {
        passwords: false,
        ..settings
    };
    let (bed, openid) = both_with(without, &[]).await;
    let code = bed.invited(ADA, UserRole::Administrator).await;
    let mut browser = bed.browser();
    let page = browser.get("/sign-in").await.text;
    assert!(page.contains("Sign in with Example Corp"));
    assert!(!page.contains("assword"), "{page}");
    assert_eq!(signed_in(&mut browser, &openid).await, "/");

    // A form that was loaded before.
    let form = browser.form("/users").await;
    let mut before = bed.browser();
    before.cookies = vec![("conclave-visit".to_owned(), "a".repeat(64))];
    let own = Token::parse(&"a".repeat(64)).unwrap();
    let own = own.derive("conclave portal form").expose().to_string();
    let sign_in = [
        ("form", own.as_str()),
        ("email", ADA),
        ("password", PASSWORD),
    ];
    let answer = before.post("/sign-in", &sign_in).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("no passwords here"), "{}", answer.text);
    let set_up = [
        ("form", own.as_str()),
        ("code", code.as_str()),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    let answer = before.post("/set-up", &set_up).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(before.get("/set-up").await.status, StatusCode::CONFLICT);
    let (ada, password) = bed.store.user(ADA).await.unwrap().unwrap();
    assert!(!ada.has_password && password.is_none());

    let fields = [
        ("form", form.as_str()),
        ("email", "bob@example.org"),
        ("role", "host"),
    ];
    let added = browser.post("/users", &fields).await;
    assert_eq!(added.header(header::LOCATION), "/users");
    let users = browser.get("/users").await.text;
    assert!(users.contains("bob@example.org") && !users.contains("et-up link"));
    assert!(!users.contains("no password yet"), "{users}");
    let link = [("form", form.as_str()), ("do", "link")];
    assert_eq!(
        browser.post("/users/2", &link).await.status,
        StatusCode::CONFLICT
    );
}

#[tokio::test]
async fn where_there_is_no_provider_nothing_leads_to_one() {
    let bed = Bed::new().await;
    let mut browser = bed.browser();
    for path in ["/sign-in/oidc", "/sign-in/oidc/back?code=x&state=1.2"] {
        assert_eq!(
            browser.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let page = browser.get("/sign-in?told=unknown").await.text;
    assert!(
        !page.contains("oidc") && !page.contains("role=\"alert\""),
        "{page}"
    );
}
