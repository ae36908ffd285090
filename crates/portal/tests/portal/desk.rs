//! What people do at the desk by pages: accounts, bookings, users, tokens.

use conclave_accounts::HostLeaves;
use conclave_store::{BookingFilter, Page};

use super::*;

/// The digits that a page shows as PINs, in their order.
fn pins_on(page: &str) -> Vec<String> {
    let shown = page.split("class=\"pin").skip(1);
    let text = shown.map(|rest| rest.split_once('>').unwrap().1.split('<').next().unwrap());
    text.map(|pin| pin.replace(' ', "")).collect()
}

const TOMORROW: [(&str, &str); 6] = [
    ("title", "Budget & plans"),
    ("date", "2026-11-29"),
    ("time", "09:30"),
    ("length", "90"),
    ("zone", "Europe/Berlin"),
    ("repeat", ""),
];

#[tokio::test]
async fn a_host_books_changes_invites_and_cancels() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    let page = ada.get("/book").await.text;
    assert!(
        page.contains("value=\"2026-11-28\"") && page.contains("value=\"13:00\""),
        "{page}"
    );

    // What is wrong stands beside the field, and nothing that was typed is lost.
    let wrong = [
        ("title", "Budget"),
        ("date", "2026-03-29"),
        ("time", "02:30"),
        ("length", "45"),
        ("zone", "Europe/Berlin"),
        ("guests", "Grace"),
    ];
    let answer = ada.send_with("/book", &[("account", "1")], &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for kept in [
        "value=\"Budget\"",
        "value=\"2026-03-29\"",
        "value=\"02:30\"",
        "<option value=\"45\" selected",
        "Grace</textarea>",
        "id=\"time-error\"",
        "clock is put forward",
        "id=\"guests-error\"",
        "Line 1:",
        "href=\"#time\"",
    ] {
        assert!(answer.text.contains(kept), "{kept}: {}", answer.text);
    }
    assert_eq!(
        bed.store
            .bookings(&BookingFilter::default(), Page::all())
            .await
            .unwrap(),
        []
    );

    let form = ada.form("/book").await;
    let once = bed.portal_once(&mut ada).await;
    let mut fields = vec![("form", form.as_str()), ("once", &once), ("account", "1")];
    fields.extend(TOMORROW);
    let made = ada.post("/book", &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert!(made.text.contains("Budget &#38; plans") && made.text.contains("shown this once"));
    assert!(made.text.contains("+442079460000") && made.text.contains("2026-11-29T08:30:00Z"));
    let pins = pins_on(&made.text);
    assert_eq!((pins[0].len(), pins[1].len()), (12, 10), "{pins:?}");
    assert!(bed.opens(&pins[0], Role::Host).await && bed.opens(&pins[1], Role::Guest).await);

    // The form sent again makes nothing again, and a reload shows no Host PIN.
    let again = ada.post("/book", &fields).await;
    assert_eq!(again.header(header::LOCATION), "/bookings/1");
    let page = ada.get("/bookings/1").await.text;
    assert_eq!(pins_on(&page), [pins[1].clone()]);
    let ics = ada.get("/bookings/1/invitation.ics").await;
    assert!(
        ics.header(header::CONTENT_TYPE)
            .starts_with("text/calendar")
    );
    assert!(
        ics.text.contains("BEGIN:VCALENDAR") && ics.text.replace("\r\n ", "").contains(&pins[1]),
        "{}",
        ics.text
    );

    let changed = [
        ("title", "Plans"),
        ("date", "2026-11-30"),
        ("time", "10:00"),
        ("length", "60"),
        ("zone", "Europe/Berlin"),
        ("repeat", "FREQ=WEEKLY"),
        ("until", "2026-12-14"),
    ];
    let answer = ada.send("/bookings/1/change", &changed).await;
    assert_eq!(
        answer.header(header::LOCATION),
        "/bookings/1",
        "{}",
        answer.text
    );
    let page = ada.get("/bookings/1").await.text;
    assert!(
        page.contains("Every week, 3 times, until 14 Dec 2026"),
        "{page}"
    );
    // The form of a change says what there is.
    let page = ada.get("/bookings/1/change").await.text;
    assert!(
        page.contains("value=\"2026-12-14\"")
            && page.contains("<option value=\"FREQ=WEEKLY\" selected")
    );
    let form = ada.form("/bookings/1").await;
    let gone = ada.post("/bookings/1/cancel", &[("form", &form)]).await;
    assert_eq!(gone.header(header::LOCATION), "/bookings/1");
    assert!(ada.get("/bookings/1").await.text.contains("1, cancelled"));
    assert!(!bed.opens(&pins[1], Role::Guest).await);
    let twice = ada.post("/bookings/1/cancel", &[("form", &form)]).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    assert!(twice.text.contains("cancelled already"), "{}", twice.text);
}

#[tokio::test]
async fn each_invitee_has_a_pin_that_can_be_taken_back() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    bed.account("Bob", ["333333", "444444"]).await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    let mut fields = TOMORROW.to_vec();
    fields.push((
        "guests",
        "Grace Hopper <grace@example.org>\nAlan Turing, alan@example.org",
    ));
    let made = ada.send_with("/book", &[("account", "1")], &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let pins = pins_on(&made.text);
    assert_eq!(
        pins.len(),
        3,
        "one for the Host, one for each: {}",
        made.text
    );
    let answer = ada
        .send("/bookings/1", &[("guest", "grace@example.org")])
        .await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let form = ada.form("/bookings/1").await;
    let again = ada
        .post(
            "/bookings/1/invite",
            &[("form", &form), ("guest", "Grace@example.org")],
        )
        .await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.text.contains("is invited already")
            && again.text.contains("value=\"Grace@example.org\"")
    );
    let third = ada
        .post(
            "/bookings/1/invite",
            &[("form", &form), ("guest", "eve@example.org")],
        )
        .await;
    assert_eq!(third.header(header::LOCATION), "/bookings/1");
    let back = ada
        .post("/bookings/1/withdraw", &[("form", &form), ("invitee", "1")])
        .await;
    assert_eq!(back.header(header::LOCATION), "/bookings/1");
    assert!(!bed.opens(&pins[1], Role::Guest).await && bed.opens(&pins[2], Role::Guest).await);
    let page = ada.get("/bookings/1").await.text;
    assert!(page.contains("grace@example.org, withdrawn") && page.contains("eve@example.org"));

    // Somebody else's booking is as good as none, whatever is asked of it; so is an invitee of another booking.
    let mut bob = bed.signed_in("bob@example.org", UserRole::Host).await;
    let form = bob.form("/accounts").await;
    for (method, path) in [
        ("GET", ""),
        ("GET", "/change"),
        ("GET", "/invitation.ics"),
        ("POST", "/change"),
        ("POST", "/cancel"),
        ("POST", "/invite"),
        ("POST", "/withdraw"),
    ] {
        let ask = async |bob: &mut Browser, id: u32| {
            let path = format!("/bookings/{id}{path}");
            match method {
                "GET" => bob.get(&path).await,
                _ => {
                    bob.post(
                        &path,
                        &[
                            ("form", &form),
                            ("invitee", "2"),
                            ("guest", "x@example.org"),
                            ("title", "x"),
                        ],
                    )
                    .await
                }
            }
        };
        let (others, nobodys) = (ask(&mut bob, 1).await, ask(&mut bob, 999).await);
        assert_eq!(others.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(others.text, nobodys.text, "{method} {path}");
    }
    for path in ["/accounts/1/settings", "/accounts/1/pins", "/book"] {
        let fields = [
            ("form", form.as_str()),
            ("account", "1"),
            ("which", "guest"),
            ("lock", "off"),
        ];
        let answer = bob.post(path, &[&fields[..], &TOMORROW[..]].concat()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let made = bob.send_with("/book", &[("account", "2")], &TOMORROW).await;
    assert_eq!(made.status, StatusCode::OK);
    let strange = bob
        .post("/bookings/2/withdraw", &[("form", &form), ("invitee", "2")])
        .await;
    assert_eq!(strange.status, StatusCode::NOT_FOUND);
    assert!(bed.opens(&pins[2], Role::Guest).await);
    assert!(bed.opens("222222", Role::Guest).await);
}

#[tokio::test]
async fn pins_are_seen_by_their_owner_and_not_by_customer_service() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    assert_eq!(pins_on(&ada.get("/accounts/1").await.text), ["222222"]);
    let form = ada.form("/accounts/1").await;
    let drawn = ada
        .post("/accounts/1/pins", &[("form", &form), ("which", "host")])
        .await;
    let pins = pins_on(&drawn.text);
    assert!(drawn.text.contains("shown this once") && bed.opens(&pins[0], Role::Host).await);
    assert!(!bed.opens("111111", Role::Host).await);

    let mut service = bed
        .signed_in("service@example.org", UserRole::Service)
        .await;
    let mut auditor = bed
        .signed_in("auditor@example.org", UserRole::Auditor)
        .await;
    for path in ["/accounts/1", "/accounts"] {
        for browser in [&mut service, &mut auditor] {
            let page = browser.get(path).await.text;
            assert!(
                pins_on(&page).is_empty() && !page.contains("222222"),
                "{path}"
            );
        }
    }
    let form = service.form("/accounts/1").await;
    for which in ["host", "guest"] {
        let reset = service
            .post("/accounts/1/pins", &[("form", &form), ("which", which)])
            .await;
        assert_eq!(reset.status, StatusCode::OK);
        assert!(pins_on(&reset.text).is_empty() && reset.text.contains("shown to nobody"));
    }
    assert!(!bed.opens(&pins[0], Role::Host).await && !bed.opens("222222", Role::Guest).await);

    // Customer service makes an account and never sees its PINs; an administrator does, once.
    let fields = [
        ("name", "Grace Hopper"),
        ("email", "grace@example.org"),
        ("entry", "name"),
        ("consent", "on"),
        ("host_leaves", "hangup"),
        ("host_grace", "30"),
        ("bookings", "on"),
    ];
    let made = service.send("/accounts/new", &fields).await;
    assert!(made.text.contains("The account is made") && pins_on(&made.text).is_empty());
    let account = bed.store.account(AccountId(2)).await.unwrap().unwrap();
    assert!(account.terms.consent && account.terms.names() && account.terms.lock);
    assert_eq!(
        account.terms.host_leaves,
        HostLeaves::Hangup {
            grace: std::time::Duration::from_secs(30)
        }
    );
    let mut admin = bed
        .signed_in("admin@example.org", UserRole::Administrator)
        .await;
    let wrong = admin
        .send(
            "/accounts/new",
            &[
                ("name", "7"),
                ("email", "x"),
                ("max_callers", "1"),
                ("department", "R&D"),
            ],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for kept in [
        "id=\"name-error\"",
        "id=\"max_callers-error\"",
        "value=\"R&#38;D\"",
        "value=\"x\"",
    ] {
        assert!(wrong.text.contains(kept), "{kept}: {}", wrong.text);
    }
    let made = admin
        .send(
            "/accounts/new",
            &[("name", "Sales"), ("email", "sales@example.org")],
        )
        .await;
    assert_eq!(pins_on(&made.text).len(), 2);
    assert!(
        made.text.contains("looks like that of a function"),
        "{}",
        made.text
    );

    // A Host decides how conferences go, not how many callers there may be.
    let fields = [
        ("lock", "off"),
        ("exit", "none"),
        ("max_callers", "10000"),
        ("bookings", "off"),
        ("name", "Eve"),
    ];
    let saved = ada.send("/accounts/1/settings", &fields).await;
    assert_eq!(
        saved.header(header::LOCATION),
        "/accounts/1",
        "{}",
        saved.text
    );
    let account = bed.store.account(AccountId(1)).await.unwrap().unwrap();
    assert!(!account.terms.lock && account.bookings && account.terms.max_participants == 500);
    assert_eq!(account.owner.name(), "Ada");
    let suspended = service
        .post("/accounts/1/state", &[("form", &form), ("to", "suspended")])
        .await;
    assert_eq!(suspended.header(header::LOCATION), "/accounts/1");
    assert!(service.get("/accounts/1").await.text.contains("suspended"));
    let unsure = service
        .post("/accounts/1/state", &[("form", &form), ("to", "closed")])
        .await;
    assert_eq!(unsure.status, StatusCode::CONFLICT);

    let audit = bed.store.audit(&AuditPage::default()).await.unwrap();
    let by_service: Vec<_> = audit
        .iter()
        .filter(|row| row.body["by"] == "service@example.org")
        .map(|row| row.kind.as_str())
        .collect();
    for kind in ["account.added", "account.pin-reset", "account.suspended"] {
        assert!(by_service.contains(&kind), "{kind}: {by_service:?}");
    }
}

#[tokio::test]
async fn a_host_gets_further_accounts_up_to_a_number() {
    let bed = Bed::new().await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    let form = ada.form("/accounts").await;
    let none = ada.post("/accounts/further", &[("form", &form)]).await;
    assert_eq!(none.status, StatusCode::CONFLICT);
    bed.account("Ada", ["111111", "222222"]).await;
    for _ in 0..4 {
        let made = ada.post("/accounts/further", &[("form", &form)]).await;
        assert_eq!(pins_on(&made.text).len(), 2, "{}", made.text);
    }
    let enough = ada.post("/accounts/further", &[("form", &form)]).await;
    assert_eq!(enough.status, StatusCode::CONFLICT);
    assert!(
        enough.text.contains("customer service gives you more"),
        "{}",
        enough.text
    );
    assert!(
        !ada.get("/accounts")
            .await
            .text
            .contains("/accounts/further")
    );
}

#[tokio::test]
async fn an_administrator_makes_users_and_imports_accounts() {
    let bed = Bed::new().await;
    let mut admin = bed
        .signed_in("admin@example.org", UserRole::Administrator)
        .await;
    let wrong = admin
        .send("/users", &[("email", "bob"), ("role", "auditor")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("id=\"email-error\"") && wrong.text.contains("value=\"bob\""));
    let added = admin
        .send(
            "/users",
            &[("email", "Bob@example.org"), ("role", "auditor")],
        )
        .await;
    let (_, code) = added
        .text
        .split_once("http://127.0.0.1:8080/set-up#")
        .unwrap();
    let code = code[..64].to_owned();
    let again = admin
        .send("/users", &[("email", "bob@example.org"), ("role", "host")])
        .await;
    assert!(
        again
            .text
            .contains("There is a user with this address already")
    );
    let mut bob = bed.browser();
    let fields = [
        ("code", code.as_str()),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    assert_eq!(
        bob.send("/set-up", &fields).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(bob.get("/audit").await.status, StatusCode::OK);
    let form = admin.form("/users").await;
    for (what, field) in [("role", ("role", "host")), ("suspend", ("x", ""))] {
        let own = admin
            .post("/users/1", &[("form", &form), ("do", what), field])
            .await;
        assert_eq!(
            own.status,
            StatusCode::CONFLICT,
            "nobody shuts themselves out"
        );
        let done = admin
            .post("/users/2", &[("form", &form), ("do", what), field])
            .await;
        assert_eq!(done.header(header::LOCATION), "/users", "{what}");
    }
    assert_eq!(
        bob.get("/accounts").await.header(header::LOCATION),
        "/sign-in"
    );
    let (user, _) = bed.store.user("bob@example.org").await.unwrap().unwrap();
    assert!(user.suspended && user.role == UserRole::Host);

    let table =
        "name,email,host_grace\nGrace Hopper,grace@example.org,\nAlan Turing,alan@example,5\n";
    let wrong = admin
        .send("/import", &[("table", table), ("what", "make")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("line 3:") && wrong.text.contains("Grace Hopper,grace"),
        "{}",
        wrong.text
    );
    let table = "name,email\nGrace Hopper,grace@example.org\nAlan Turing,alan@example.org\n";
    let checked = admin
        .send("/import", &[("table", table), ("what", "check")])
        .await;
    assert!(
        checked.text.contains("2 accounts would be made"),
        "{}",
        checked.text
    );
    assert!(!bed.store.has_accounts().await.unwrap());
    let made = admin
        .send("/import", &[("table", table), ("what", "make")])
        .await;
    assert_eq!(pins_on(&made.text).len(), 4, "{}", made.text);
    let policies = admin.get("/policies").await.text;
    assert!(
        policies.contains("PINs that open a door</dt><dd>4"),
        "{policies}"
    );
    let ended = admin.send("/policies", &[]).await;
    assert_eq!(ended.status, StatusCode::METHOD_NOT_ALLOWED);
    let form = admin.form("/policies").await;
    let ended = admin.post("/policies/consent", &[("form", &form)]).await;
    assert_eq!(ended.header(header::LOCATION), "/policies");
}

#[tokio::test]
async fn a_token_is_shown_once_and_revoked_by_its_user_alone() {
    let bed = Bed::new().await;
    let mut ada = bed.signed_in("ada@example.org", UserRole::Host).await;
    let mut bob = bed.signed_in("bob@example.org", UserRole::Host).await;
    let none = ada
        .send("/tokens", &[("name", "payroll"), ("days", "30")])
        .await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.text.contains("Tick one at least") && none.text.contains("value=\"payroll\""));
    let fields = [
        ("name", "payroll"),
        ("days", "30"),
        ("scope", "bookings:read"),
        ("scope", "bookings:write"),
    ];
    let made = ada.send("/tokens", &fields).await;
    assert!(made.text.contains(">conclave_"), "{}", made.text);
    let page = ada.get("/tokens").await.text;
    assert!(!page.contains(">conclave_") && page.contains("bookings:read, bookings:write"));
    assert!(!bob.get("/tokens").await.text.contains("payroll"));
    let form = bob.form("/tokens").await;
    let strange = bob.post("/tokens/1/revoke", &[("form", &form)]).await;
    assert_eq!(strange.status, StatusCode::NOT_FOUND);
    let form = ada.form("/tokens").await;
    let gone = ada.post("/tokens/1/revoke", &[("form", &form)]).await;
    assert_eq!(gone.header(header::LOCATION), "/tokens");
    assert!(ada.get("/tokens").await.text.contains("There are none"));
}
