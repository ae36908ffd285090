//! Second factors: set up, asked for, lost.

use conclave_store::Page;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::*;

/// A telephone with an authenticator app.
pub(super) struct App(Vec<u8>);

impl App {
    /// Takes the key as it stands on the page.
    fn shown(page: &str) -> Self {
        let key = between(page, "<code id=\"key\">", "<");
        let bits: String = key
            .chars()
            .filter(|letter| *letter != ' ')
            .map(|letter| match letter {
                'A'..='Z' => letter as u32 - 'A' as u32,
                '2'..='7' => letter as u32 - '2' as u32 + 26,
                other => panic!("{other}"),
            })
            .map(|value| format!("{value:05b}"))
            .collect();
        let bytes = bits.as_bytes().chunks(8);
        let byte = |bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        Self(bytes.map(byte).collect())
    }

    /// What it shows then.
    fn code(&self, at: DateTime<Utc>) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).unwrap();
        mac.update(&(at.timestamp() / 30).to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let from = usize::from(digest[19] & 15);
        let number = u32::from_be_bytes(digest[from..from + 4].try_into().unwrap());
        format!("{:06}", number % (1 << 31) % 1_000_000)
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before}: {text}"));
    rest.split(after).next().unwrap()
}

/// Turns it on; gives the app and the recovery codes.
pub(super) async fn turn_on(bed: &Bed, browser: &mut Browser) -> (App, Vec<String>) {
    let page = browser.get("/second-factor").await.text;
    let (app, key) = (
        App::shown(&page),
        between(&page, "name=\"secret\" value=\"", "\"").to_owned(),
    );
    let code = app.code(bed.now());
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let fields = |code| [("do", "on"), ("secret", key.as_str()), ("code", code)];
    let refused = browser.send("/second-factor", &fields(wrong)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains(&key), "the app keeps its key");
    let on = browser.send("/second-factor", &fields(&code)).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.text);
    assert!(on.text.contains("shown this once") && !on.text.contains(&key));
    let codes = on.text.split("<li><code>").skip(1);
    let codes: Vec<_> = codes
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    (app, codes)
}

async fn asked_for_a_code(browser: &mut Browser) {
    let answer = browser.sign_in("ada@example.org", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.header(header::LOCATION), "/sign-in/code");
    let page = browser.get("/accounts").await;
    assert_eq!(
        page.header(header::LOCATION),
        "/sign-in",
        "half a sign-in opens nothing"
    );
}

async fn code(browser: &mut Browser, code: &str) -> Answer {
    browser.send("/sign-in/code", &[("code", code)]).await
}

#[tokio::test]
async fn a_code_is_asked_for_once_and_each_is_good_once() {
    let bed = Bed::new().await;
    let mut first = bed.signed_in("ada@example.org", UserRole::Host).await;
    let (app, _) = turn_on(&bed, &mut first).await;
    assert_eq!(
        first.get("/accounts").await.status,
        StatusCode::OK,
        "it goes on"
    );

    let mut second = bed.browser();
    asked_for_a_code(&mut second).await;
    let used = code(&mut second, &app.code(bed.now())).await;
    assert_eq!(
        used.status,
        StatusCode::FORBIDDEN,
        "it was used to turn it on"
    );
    bed.pass(30);
    let visit = second.cookie("conclave-visit").unwrap().to_owned();
    let entered = code(&mut second, &app.code(bed.now())).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
    assert_eq!(second.get("/accounts").await.status, StatusCode::OK);
    assert_ne!(second.cookie("conclave-session"), Some(visit.as_str()));

    // Who looked over the shoulder comes too late by a second.
    let mut third = bed.browser();
    asked_for_a_code(&mut third).await;
    let replayed = code(&mut third, &app.code(bed.now())).await;
    assert_eq!(replayed.status, StatusCode::FORBIDDEN);
    // Nobody comes to the second step but by the first.
    let mut nobody = bed.browser();
    bed.pass(30);
    let page = nobody.get("/sign-in/code").await;
    assert!(page.text.contains("First the sign-in"), "{}", page.text);
    let form = [("code", &*app.code(bed.now()))];
    let refused = nobody.send("/sign-in/code", &form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    bed.pass(600);
    let late = code(&mut third, &app.code(bed.now())).await;
    assert!(late.text.contains("First the sign-in"), "{}", late.text);
}

#[tokio::test]
async fn codes_are_guessed_no_faster_than_the_pace() {
    let bed = Bed::new().await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    let (app, recovery) = turn_on(&bed, &mut ada).await;
    bed.pass(30);
    let right = app.code(bed.now());
    let wrong = if right == "000000" {
        "000001"
    } else {
        "000000"
    };
    let mut eve = bed.browser();
    asked_for_a_code(&mut eve).await;
    for _ in 0..5 {
        let refused = code(&mut eve, wrong).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    for typed in [&right, &recovery[0]] {
        let waits = code(&mut eve, typed).await;
        assert_eq!(waits.status, StatusCode::TOO_MANY_REQUESTS);
    }
    bed.pass(300);
    let entered = code(&mut eve, &app.code(bed.now())).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn recovery_codes_turn_off_and_reset_help_who_lost_the_telephone() {
    let bed = Bed::new().await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    let (_, recovery) = turn_on(&bed, &mut ada).await;
    let mut browser = bed.browser();
    asked_for_a_code(&mut browser).await;
    let typed = recovery[4].to_uppercase().replace('-', " ");
    assert_eq!(
        code(&mut browser, &typed).await.status,
        StatusCode::SEE_OTHER
    );
    let page = browser.get("/second-factor").await.text;
    assert!(page.contains("9 recovery codes are left"), "{page}");
    let again = [("do", "codes"), ("code", recovery[4].as_str())];
    let refused = browser.send("/second-factor", &again).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "it is used up");
    let fields = [("do", "codes"), ("code", recovery[5].as_str())];
    let renewed = browser.send("/second-factor", &fields).await;
    assert!(
        renewed.text.contains("10 recovery codes are left"),
        "{}",
        renewed.text
    );
    let fresh = between(&renewed.text, "<li><code>", "<").to_owned();
    let old = [("do", "off"), ("code", recovery[6].as_str())];
    let refused = browser.send("/second-factor", &old).await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "those before are gone"
    );
    let off = [("do", "off"), ("code", fresh.as_str())];
    let off = browser.send("/second-factor", &off).await;
    assert_eq!(off.status, StatusCode::SEE_OTHER, "{}", off.text);
    let entered = bed.browser().sign_in("ada@example.org", PASSWORD).await;
    assert_eq!(entered.header(header::LOCATION), "/");

    turn_on(&bed, &mut ada).await;
    let mut root = bed
        .signed_in("root@example.org", UserRole::Administrator)
        .await;
    let users = root.get("/users").await.text;
    assert!(users.contains("with a second factor"), "{users}");
    let form = root.form("/users").await;
    let reset = [("form", form.as_str()), ("do", "second-factor")];
    let reset = root.post("/users/1", &reset).await;
    assert_eq!(reset.status, StatusCode::SEE_OTHER);
    let entered = bed.browser().sign_in("ada@example.org", PASSWORD).await;
    assert_eq!(entered.header(header::LOCATION), "/");
    let audit = bed.store.audit(&AuditPage::default()).await.unwrap();
    let by: Vec<_> = audit
        .iter()
        .filter(|entry| entry.kind == "user.second-factor-dropped")
        .map(|entry| entry.body["by"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(by, ["ada@example.org", "root@example.org"]);
}

#[tokio::test]
async fn a_role_that_must_have_one_is_led_to_it_and_nowhere_else() {
    let roles = [UserRole::Administrator];
    let bed = Bed::demanding(Site::loopback(), &roles).await;
    let mut host = bed.signed_in("ada@example.org", UserRole::Host).await;
    assert_eq!(host.get("/accounts").await.status, StatusCode::OK);
    let mut root = bed
        .signed_in("root@example.org", UserRole::Administrator)
        .await;
    for entrance in ENTRANCES {
        let open = ["/second-factor", "/sign-out"].contains(&entrance.path);
        let Access::Roles(roles) = entrance.access else {
            continue;
        };
        if open || entrance.method != "GET" || !roles.contains(&UserRole::Administrator) {
            continue;
        }
        let answer = root.get(&entrance.path.replace("{id}", "1")).await;
        let to = answer.header(header::LOCATION);
        assert_eq!(to, "/second-factor", "{}", entrance.path);
    }
    let form = root.form("/second-factor").await;
    let make = [
        ("form", form.as_str()),
        ("email", "eve@example.org"),
        ("role", "administrator"),
    ];
    root.post("/users", &make).await;
    assert_eq!(bed.store.users(Page::all()).await.unwrap().len(), 2);
    let (_, recovery) = turn_on(&bed, &mut root).await;
    assert_eq!(root.get("/users").await.status, StatusCode::OK);
    let off = [("do", "off"), ("code", recovery[0].as_str())];
    assert_eq!(
        root.send("/second-factor", &off).await.status,
        StatusCode::CONFLICT
    );
}
