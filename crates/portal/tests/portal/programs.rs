//! What programs do beside accounts, bookings and conferences: webhooks, tokens, imports, policies.

use conclave_store::{Page, Scope};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_program_has_addresses_told() {
    let bed = Bed::new().await;
    let ada = bed.account("Ada", ["111111", "222222"]).await;
    let host = bed
        .program("ada@example.org", UserRole::Host, &Scope::ALL)
        .await;
    let admin = bed
        .program("admin@example.org", UserRole::Administrator, &Scope::ALL)
        .await;
    let wish =
        json!({ "url": "https://example.org/hook", "events": ["booking.made", "booking.made"] });
    let made = host
        .ask("POST", "/api/v1/webhooks", Some(wish.clone()), Some("k"))
        .await;
    assert_eq!(
        (made.status, &made.headers[header::LOCATION]),
        (201, &"/api/v1/webhooks/1".parse().unwrap())
    );
    let secret = made.body["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("whsec_") && secret.len() == 50,
        "{secret}"
    );
    assert_eq!(made.body["events"], json!(["booking.made"]));
    let again = host
        .ask("POST", "/api/v1/webhooks", Some(wish), Some("k"))
        .await;
    assert_eq!(
        (again.status, &again.body["id"], again.body.get("secret")),
        (200, &json!(1), None)
    );
    for (url, events) in [
        ("http://example.org/", json!(["call.left"])),
        ("http://127.0.0.1/", json!(["call.left"])),
        ("https://example.org/", json!([])),
        ("https://example.org/", json!(["call"])),
    ] {
        let wish = json!({ "url": url, "events": events });
        let refused = host.send("POST", "/api/v1/webhooks", wish).await;
        assert_eq!(refused.status, 422, "{url} {events}");
    }
    let here = json!({ "url": "http://127.0.0.1/", "events": ["booking.cancelled"] });
    let made = admin.send("POST", "/api/v1/webhooks", here).await;
    assert_eq!(made.status, 201, "{}", made.body);

    // What happens is in the outbox at once; a Host sees their own webhooks alone.
    bed.booked(ada).await;
    let told = host.get("/api/v1/webhooks/1/deliveries").await;
    let told = &told.body["items"][0];
    assert_eq!(
        (&told["event"], &told["tries"]),
        (&json!("booking.made"), &json!(0))
    );
    let list = admin.get("/api/v1/webhooks").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    let own = host.get("/api/v1/webhooks").await;
    assert_eq!(own.body["items"].as_array().unwrap().len(), 1);
    for (method, path, body) in [
        ("GET", "webhooks/{}", Value::Null),
        ("GET", "webhooks/{}/deliveries", Value::Null),
        ("PATCH", "webhooks/{}", json!({ "enabled": false })),
        ("DELETE", "webhooks/{}", Value::Null),
    ] {
        let ask = async |id: &str| {
            let path = format!("/api/v1/{}", path.replace("{}", id));
            host.send(method, &path, body.clone()).await
        };
        let (others, nobodys) = (ask("2").await, ask("999").await);
        assert_eq!(
            (others.status, &others.body),
            (404, &nobodys.body),
            "{method} {path}"
        );
    }
    let off = json!({ "enabled": false, "events": ["call.left"] });
    let changed = host.send("PATCH", "/api/v1/webhooks/1", off).await;
    assert!(changed.body["disabled"].is_string());
    assert_eq!(changed.body["events"], json!(["call.left"]));
    let none = json!({ "events": [] });
    assert_eq!(
        host.send("PATCH", "/api/v1/webhooks/1", none).await.status,
        422
    );
    let told = host.get("/api/v1/webhooks/1/deliveries").await;
    assert!(told.body["items"][0]["again"].is_null(), "it is given up");
    let gone = host.send("DELETE", "/api/v1/webhooks/1", Value::Null).await;
    assert_eq!(gone.status, 204);
    assert_eq!(host.get("/api/v1/webhooks/1").await.status, 404);
    let audit = bed.store.audit(&AuditPage::default()).await.unwrap();
    let added = audit
        .iter()
        .find(|row| row.kind == "webhook.added")
        .unwrap();
    assert_eq!(added.body["by"], "ada@example.org");
}

#[tokio::test]
async fn a_token_makes_none_that_may_more() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let scopes = [Scope::TokensWrite, Scope::TokensRead, Scope::AccountsRead];
    let ada = bed
        .program("ada@example.org", UserRole::Host, &scopes)
        .await;
    let wish = |scopes: Value| json!({ "name": "calendar", "scopes": scopes });
    let good = wish(json!(["accounts:read"]));
    let made = ada
        .ask("POST", "/api/v1/tokens", Some(good.clone()), Some("k"))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let own_end = bed.now() + TimeDelta::days(1);
    let ends: DateTime<Utc> = serde_json::from_value(made.body["ends"].clone()).unwrap();
    assert_eq!(ends, own_end, "it lasts no longer than its maker");
    let made_token = made.body["token"].as_str().unwrap().to_owned();
    let child = ada.with_token(&made_token);
    assert_eq!(child.get("/api/v1/accounts").await.status, 200);
    assert_eq!(child.get("/api/v1/tokens").await.status, 403);
    let again = ada
        .ask("POST", "/api/v1/tokens", Some(good), Some("k"))
        .await;
    assert_eq!((again.status, again.body.get("token")), (200, None));
    for (scopes, status) in [
        (json!(["accounts:write"]), 403),
        (json!(["accounts:read", "users:write"]), 403),
        (json!([]), 422),
        (json!(["everything"]), 422),
    ] {
        let refused = ada
            .send("POST", "/api/v1/tokens", wish(scopes.clone()))
            .await;
        assert_eq!(refused.status, status, "{scopes}");
    }
    for (name, value) in [("name", json!("")), ("ends", json!("2020-01-01T00:00:00Z"))] {
        let mut bad = wish(json!(["accounts:read"]));
        bad[name] = value;
        let refused = ada.send("POST", "/api/v1/tokens", bad).await;
        assert_eq!(
            (refused.status, &refused.body["fields"][0]["name"]),
            (422, &json!(name))
        );
    }
    let bob = bed
        .program("bob@example.org", UserRole::Host, &Scope::ALL)
        .await;
    let list = bob.get("/api/v1/tokens").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    let theirs = format!("/api/v1/tokens/{}", made.body["id"]);
    assert_eq!(bob.send("DELETE", &theirs, Value::Null).await.status, 404);
    assert_eq!(ada.send("DELETE", &theirs, Value::Null).await.status, 204);
    assert_eq!(child.get("/api/v1/accounts").await.status, 401);
    let admin = bed
        .program("admin@example.org", UserRole::Administrator, &Scope::ALL)
        .await;
    let all = admin.get("/api/v1/tokens").await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_program_makes_the_accounts_of_a_table() {
    let bed = Bed::new().await;
    let admin = bed
        .program("admin@example.org", UserRole::Administrator, &Scope::ALL)
        .await;
    let table =
        "name,email,department\nAda Byron,ada@example.org,R\nGrace Hopper,grace@example.org,R\n";
    let check = json!({ "table": table, "check": true });
    let checked = admin.send("POST", "/api/v1/accounts/import", check).await;
    assert_eq!(
        (
            checked.status,
            &checked.body["count"],
            &checked.body["accounts"]
        ),
        (200, &json!(2), &json!([]))
    );
    assert!(!bed.store.has_accounts().await.unwrap());
    let make = json!({ "table": table });
    let ask = async |body: &Value, key| {
        let body = Some(body.clone());
        admin
            .ask("POST", "/api/v1/accounts/import", body, Some(key))
            .await
    };
    let made = ask(&make, "k").await;
    assert_eq!(
        (made.status, &made.body["count"]),
        (201, &json!(2)),
        "{}",
        made.body
    );
    let pin = made.body["accounts"][1]["host_pin"].as_str().unwrap();
    assert!(bed.opens(pin, Role::Host).await);
    let again = ask(&make, "k").await;
    assert_eq!((again.status, &again.body["count"]), (200, &json!(2)));
    assert!(again.body["accounts"][0].get("host_pin").is_none());
    assert_eq!(bed.store.totals().await.unwrap().accounts, 2);
    let other = json!({ "table": "name,email\nEve Adams,eve@example.org\n" });
    assert_ne!(
        ask(&other, "k").await.status,
        200,
        "another request under the same key"
    );
    for bad in [
        "",
        "name,email\n",
        "name,shoe\nAda,9\n",
        "name,email\n7,x\n8,y\n",
    ] {
        let refused = ask(&json!({ "table": bad }), bad.len().to_string().leak()).await;
        assert_eq!(
            (refused.status, &refused.body["fields"][0]["name"]),
            (422, &json!("table")),
            "{bad}"
        );
    }
    // More than other requests may be.
    let many: String = (0..4_000)
        .map(|n| format!("Person {n},person-{n}@example.org,{}\n", "x".repeat(80)))
        .collect();
    let many = json!({ "table": format!("name,email,department\n{many}"), "check": true });
    let checked = admin.send("POST", "/api/v1/accounts/import", many).await;
    assert_eq!(checked.status, 200, "{}", checked.body);

    let ada = bed
        .program("ada@example.org", UserRole::Host, &Scope::ALL)
        .await;
    let further = ada
        .ask("POST", "/api/v1/accounts/further", None, Some("f"))
        .await;
    assert_eq!(further.status, 201, "{}", further.body);
    assert!(further.body["host_pin"].is_string());
    let own = ada.get("/api/v1/accounts/1").await;
    assert!(own.body["guest_pin"].is_string(), "invitations need it");
    assert!(own.body.get("host_pin").is_none());
    let service = bed
        .program("service@example.org", UserRole::Service, &Scope::ALL)
        .await;
    let others = service.get("/api/v1/accounts/1").await;
    assert!(others.body.get("guest_pin").is_none());
}

#[tokio::test]
async fn a_program_reads_the_odds_and_ends_consent() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let auditor = bed
        .program("auditor@example.org", UserRole::Auditor, &Scope::ALL)
        .await;
    let policies = auditor.get("/api/v1/policies").await.body;
    assert_eq!(
        (
            &policies["accounts"],
            &policies["pins"],
            &policies["forced_pins"]
        ),
        (&json!(1), &json!(2), &json!(2))
    );
    assert!(policies["chance_a_day"].as_f64().unwrap() > 0.0);
    assert_eq!(policies["bearable"], false, "six digits are not enough");
    let path = "/api/v1/policies/consent";
    assert_eq!(auditor.send("DELETE", path, Value::Null).await.status, 403);
    let admin = bed
        .program("admin@example.org", UserRole::Administrator, &Scope::ALL)
        .await;
    assert_eq!(admin.send("DELETE", path, Value::Null).await.status, 204);
    let audit = bed.store.audit(&AuditPage::default()).await.unwrap();
    let last = audit.last().unwrap();
    assert_eq!(last.body["by"], "admin@example.org", "{last:?}");
    assert_eq!(
        auditor.get("/api/v1/reports/hints").await.body,
        json!({ "items": [] })
    );

    let browser = bed.signed_in("eve@example.org", UserRole::Host).await;
    let (eve, _) = bed.store.user("eve@example.org").await.unwrap().unwrap();
    let out = format!("/api/v1/users/{}/sign-out", eve.id.0);
    assert_eq!(admin.send("POST", &out, Value::Null).await.status, 204);
    let mut browser = browser;
    assert_eq!(browser.get("/accounts").await.status, StatusCode::SEE_OTHER);
    let tokens = bed.store.api_tokens(Some(eve.id), Page::all()).await;
    assert_eq!(tokens.unwrap(), []);
}
