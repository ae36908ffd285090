//! The HTTP API: every answer is checked against its own document.

use conclave_store::{NewApiToken, Page, Scope};
use serde_json::{Value, json};

use super::*;

/// A program with a token.
pub(crate) struct Program {
    router: Router,
    token: String,
    document: Value,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Bed {
    /// A program of a user of that role, who is made where there is none yet.
    pub(crate) async fn program(&self, email: &str, role: UserRole, scopes: &[Scope]) -> Program {
        let address = UserEmail::parse(email).unwrap();
        let user = match self.store.user(email).await.unwrap() {
            Some((user, _)) => user,
            None => self
                .store
                .add_user(&address, role, &self.act())
                .await
                .unwrap(),
        };
        let tokens = self.store.api_tokens(None, Page::all()).await.unwrap();
        let last = tokens.last().map_or(0, |token| token.id.0);
        let token = Token::draw(&mut random(1000 + last));
        let new = NewApiToken {
            user: user.id,
            name: "a program".to_owned(),
            token: token.hash(),
            scopes: scopes.to_vec(),
            ends: Some(self.now() + TimeDelta::days(1)),
        };
        self.store.add_api_token(&new, &self.act()).await.unwrap();
        let mut browser = self.browser();
        let document = browser.get("/api/v1/openapi.json").await.text;
        Program {
            router: self.router.clone(),
            token: format!("conclave_{}", *token.expose()),
            document: serde_json::from_str(&document).unwrap(),
        }
    }
}

impl Program {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None, None).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.ask(method, path, Some(body), None).await
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            router: self.router.clone(),
            token: token.to_owned(),
            document: self.document.clone(),
        }
    }

    /// Asks for events, and leaves them to be read.
    pub(crate) async fn listen(&self, path: &str) -> axum::response::Response {
        let request = Request::get(path)
            .header(header::HOST, "127.0.0.1:8080")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Asks, and holds the answer against the document.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:8080");
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let body = if kind.is_some_and(|kind| kind == "text/event-stream") {
            // It goes on and on: nobody waits for its end here.
            json!("")
        } else {
            match to_bytes(body, 10 << 20).await.unwrap() {
                nothing if nothing.is_empty() => Value::Null,
                bytes => serde_json::from_slice(&bytes).unwrap(),
            }
        };
        let reply = Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        self.hold(method, path, &reply);
        reply
    }

    fn hold(&self, method: &str, path: &str, reply: &Reply) {
        let said = format!("{method} {path}: {} {}", reply.status, reply.body);
        let paths = self.document["paths"].as_object().unwrap();
        let bare = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (template, path) = (template.split('/'), bare.split('/'));
            template.clone().count() == path.clone().count()
                && template
                    .zip(path)
                    .all(|(t, p)| t.starts_with('{') || t == p)
        };
        let (_, item) = paths
            .iter()
            .find(|(template, _)| fits(template))
            .expect(&said);
        let answers = &item[method.to_lowercase()]["responses"];
        let answer = &answers[reply.status.to_string()];
        assert!(
            answer.is_object(),
            "the document has no such status: {said}"
        );
        let Some(content) = answer["content"].as_object() else {
            assert_eq!(reply.body, Value::Null, "{said}");
            return;
        };
        let kind = reply.headers[header::CONTENT_TYPE].to_str().unwrap();
        let schema = &content.get(kind).expect(&said)["schema"];
        if let Err(why) = self.fits(schema, &reply.body, "") {
            panic!("{why}: {said}");
        }
    }

    /// Whether a value is as its schema says, with nothing in it that the schema doesn't name.
    fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = self
                .document
                .pointer(&reference[1..])
                .ok_or(format!("{reference} is nowhere"))?;
            return self.fits(schema, value, at);
        }
        for any in ["oneOf", "anyOf"] {
            if let Some(several) = schema[any].as_array() {
                let fit = several.iter().any(|one| self.fits(one, value, at).is_ok());
                return if fit {
                    Ok(())
                } else {
                    Err(format!("{at} is none of several"))
                };
            }
        }
        if let Some(words) = schema["enum"].as_array() {
            return if words.contains(value) {
                Ok(())
            } else {
                Err(format!("{at}: {value} is none of {words:?}"))
            };
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
            _ => return Err(format!("{at}: the schema has no type: {schema}")),
        };
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let whole = is == "integer" && types.contains(&"number");
        if !types.contains(&is) && !whole {
            return Err(format!("{at}: {value} is no {types:?}"));
        }
        match value {
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.fits(&schema["items"], item, &format!("{at}[{n}]"))?;
                }
            }
            Value::Object(parts) => {
                let Some(properties) = schema["properties"].as_object() else {
                    return Ok(());
                };
                for (name, part) in parts {
                    let schema = properties
                        .get(name)
                        .ok_or(format!("{at}.{name} is not in the schema"))?;
                    self.fits(schema, part, &format!("{at}.{name}"))?;
                }
                for name in schema["required"].as_array().into_iter().flatten() {
                    if !parts.contains_key(name.as_str().unwrap()) {
                        return Err(format!("{at}.{name} is missing"));
                    }
                }
            }
            Value::String(text) if schema["format"] == "date-time" => {
                DateTime::parse_from_rfc3339(text).map_err(|why| format!("{at}: {text}: {why}"))?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn booking(account: u64) -> Value {
    json!({
        "account": account, "title": "Budget", "start": "2026-12-01T09:00", "end": "2026-12-01T10:00", "tz": "Europe/Berlin",
    })
}

#[tokio::test]
async fn a_program_books_changes_and_cancels() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let ada = bed
        .program("ada@example.org", UserRole::Host, &Scope::ALL)
        .await;
    let accounts = ada.get("/api/v1/accounts").await;
    assert_eq!(accounts.body["items"][0]["owner"]["name"], "Ada");
    let made = ada
        .ask("POST", "/api/v1/bookings", Some(booking(1)), Some("one"))
        .await;
    assert_eq!(
        (made.status, &made.headers[header::LOCATION]),
        (201, &"/api/v1/bookings/1".parse().unwrap())
    );
    let [host, guest] =
        ["host_pin", "guest_pin"].map(|pin| made.body[pin].as_str().unwrap().to_owned());
    assert!(bed.opens(&host, Role::Host).await && bed.opens(&guest, Role::Guest).await);
    // The same once more: nothing is made, and the Host PIN is not told again.
    let again = ada
        .ask("POST", "/api/v1/bookings", Some(booking(1)), Some("one"))
        .await;
    assert_eq!((again.status, &again.body["id"]), (200, &json!(1)));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(
        (again.body.get("host_pin"), &again.body["guest_pin"]),
        (None, &json!(guest))
    );
    let other = json!({ "account": 1, "title": "Other", "start": "2026-12-01T09:00Z", "end": "2026-12-01T10:00Z" });
    let mixed = ada
        .ask("POST", "/api/v1/bookings", Some(other), Some("one"))
        .await;
    assert_eq!(mixed.status, 422, "another request under the same key");

    let mut named = booking(1);
    named["invitees"] = json!([{ "name": "Grace Hopper", "email": "grace@example.org" }]);
    named["rule"] = json!("FREQ=WEEKLY;COUNT=3");
    let made = ada.send("POST", "/api/v1/bookings", named).await;
    assert_eq!(
        (&made.body["occurrences"], &made.body["clashes"]),
        (&json!(3), &json!([1]))
    );
    let changed = ada
        .send(
            "PATCH",
            "/api/v1/bookings/2",
            json!({ "title": "Plans", "rule": "none" }),
        )
        .await;
    assert_eq!(
        (&changed.body["title"], &changed.body["occurrences"]),
        (&json!("Plans"), &json!(1))
    );
    let alan = json!({ "name": "Alan Turing", "email": "alan@example.org" });
    let invited = ada.send("POST", "/api/v1/bookings/2/invitees", alan).await;
    assert_eq!(invited.body["invitees"].as_array().unwrap().len(), 2);
    let letter = ada.get("/api/v1/bookings/2/invitation?invitee=1").await;
    assert!(
        letter.body["ics"]
            .as_str()
            .unwrap()
            .contains("BEGIN:VEVENT")
    );
    assert_eq!(
        ada.get("/api/v1/bookings/2/invitation").await.status,
        409,
        "there is none for all"
    );
    assert_eq!(
        ada.send("DELETE", "/api/v1/bookings/2/invitees/1", Value::Null)
            .await
            .status,
        204
    );
    let parts = ada.get("/api/v1/bookings?account=1&limit=1").await;
    assert_eq!(
        (
            parts.body["items"].as_array().unwrap().len(),
            &parts.body["next"]
        ),
        (1, &json!("1"))
    );
    let rest = ada.get("/api/v1/bookings?account=1&limit=1&cursor=1").await;
    assert_eq!(
        (&rest.body["items"][0]["id"], rest.body.get("next")),
        (&json!(2), None)
    );
    assert_eq!(
        ada.send("DELETE", "/api/v1/bookings/1", Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        ada.send("DELETE", "/api/v1/bookings/1", Value::Null)
            .await
            .status,
        409
    );
    assert!(!bed.opens(&guest, Role::Guest).await);
    let audit = bed.store.audit(&AuditPage::default()).await.unwrap();
    let booked = audit.iter().find(|row| row.kind == "booking.made").unwrap();
    assert_eq!(booked.body["by"], "ada@example.org");
}

#[tokio::test]
async fn what_is_wrong_is_said_as_a_problem() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let ada = bed
        .program("ada@example.org", UserRole::Host, &Scope::ALL)
        .await;
    let with = |name: &str, value: Value| {
        let mut booking = booking(1);
        booking[name] = value;
        booking
    };
    for (body, field) in [
        (with("title", json!("")), "title"),
        (with("start", json!("soon")), "start"),
        (with("tz", json!("Mars/Base")), "start"),
        (
            with("invitees", json!([{ "name": "7", "email": "x" }])),
            "invitees",
        ),
        (
            with(
                "invitees",
                json!([{ "name": "Al", "email": "a@b.org" }, { "name": "Al", "email": "A@b.org" }]),
            ),
            "invitees",
        ),
    ] {
        let refused = ada.send("POST", "/api/v1/bookings", body).await;
        assert_eq!(
            (refused.status, &refused.body["fields"][0]["name"]),
            (422, &json!(field)),
            "{}",
            refused.body
        );
    }
    for body in [
        with("surprise", json!(1)),
        with("account", json!("1")),
        json!([]),
        json!([
            1,
            "Budget",
            "2026-12-01T09:00Z",
            "2026-12-01T10:00Z",
            null,
            null,
            [],
            null,
            [],
            false
        ]),
        Value::Null,
    ] {
        assert_eq!(ada.send("POST", "/api/v1/bookings", body).await.status, 422);
    }
    for path in [
        "/api/v1/bookings?account=1&limit=0",
        "/api/v1/bookings?account=1&limit=201",
        "/api/v1/bookings?account=1&all=perhaps",
        "/api/v1/accounts?limit=1&limit=2",
        "/api/v1/accounts?cursor=-1",
        "/api/v1/conferences?account=1&from=x",
    ] {
        assert_eq!(ada.get(path).await.status, 422, "{path}");
    }
    let much = with("title", json!("x".repeat(300_000)));
    assert_eq!(ada.send("POST", "/api/v1/bookings", much).await.status, 413);
    let limits = ada
        .send(
            "PATCH",
            "/api/v1/accounts/1",
            json!({ "terms": { "max_callers": 10 } }),
        )
        .await;
    assert_eq!(limits.status, 403);
    let terms = json!({ "terms": { "lock": false, "host_leaves": "hangup", "host_grace": 20 } });
    let changed = ada.send("PATCH", "/api/v1/accounts/1", terms).await;
    assert_eq!(
        (
            &changed.body["terms"]["lock"],
            &changed.body["terms"]["host_grace"]
        ),
        (&json!(false), &json!(20))
    );
    let grace = json!({ "terms": { "host_grace": 121 } });
    assert_eq!(
        ada.send("PATCH", "/api/v1/accounts/1", grace).await.body["fields"][0]["name"],
        "terms.host_grace"
    );

    let mut browser = bed.browser();
    let nowhere = browser.get("/api/v1/nowhere").await;
    assert_eq!(
        nowhere.header(header::CONTENT_TYPE),
        "application/problem+json"
    );
    let request = browser
        .request("PUT", "/api/v1/accounts")
        .body(Body::empty())
        .unwrap();
    let answer = browser.ask(request).await;
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "application/problem+json",
        "{}",
        answer.status
    );
}

/// Every entrance of the API with every role and with each scope alone: what the table says, and an answer that the document has.
#[tokio::test]
async fn every_entrance_asks_for_its_role_and_its_scope() {
    let bed = Bed::new().await;
    let ada = bed.account("Ada", ["111111", "222222"]).await;
    bed.held(ada, "+4930123456").await;
    bed.booked(ada).await;
    for role in UserRole::ALL {
        let email = match role {
            UserRole::Host => "ada@example.org".to_owned(),
            other => format!("{other}@example.org"),
        };
        for scope in Scope::ALL {
            let program = bed.program(&email, role, &[scope]).await;
            for entrance in ENTRANCES {
                let Access::Token(needed, roles) = entrance.access else {
                    continue;
                };
                // What changes users would change who asks here.
                let id = if entrance.path.contains("/users/") {
                    "999"
                } else {
                    "1"
                };
                let path = entrance
                    .path
                    .replace("{id}", id)
                    .replace("{invitee}", "999");
                let path = match (entrance.method, path.as_str()) {
                    ("GET", "/api/v1/bookings" | "/api/v1/conferences") => {
                        format!("{path}?account=1")
                    }
                    _ => path,
                };
                // An empty body: nothing is made or changed by a walk.
                let body = (entrance.method != "GET").then(|| json!("nothing"));
                if entrance.method == "DELETE" && scope == needed {
                    continue;
                }
                let reply = program.ask(entrance.method, &path, body, None).await;
                let may = roles.contains(&role) && scope == needed;
                let said = format!("{role} {scope} {} {path}: {}", entrance.method, reply.body);
                assert_eq!(reply.status == 403, !may, "{said}");
                assert!(reply.status < 500 && reply.status != 401, "{said}");
                assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
            }
        }
    }
}

#[tokio::test]
async fn nothing_answers_without_a_good_token() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let good = bed
        .program("ada@example.org", UserRole::Host, &[Scope::AccountsRead])
        .await;
    assert_eq!(good.get("/api/v1/accounts").await.status, 200);
    let with = |token: &str| Program {
        router: bed.router.clone(),
        token: token.to_owned(),
        document: good.document.clone(),
    };
    let unknown = format!("conclave_{}", "0".repeat(64));
    for token in [
        "",
        "x",
        &good.token[..20],
        &good.token["conclave_".len()..],
        &unknown,
    ] {
        let refused = with(token).get("/api/v1/accounts").await;
        assert_eq!(
            (refused.status, &refused.headers[header::WWW_AUTHENTICATE]),
            (401, &"Bearer".parse().unwrap())
        );
    }
    bed.pass(86_400);
    assert_eq!(
        good.get("/api/v1/accounts").await.status,
        401,
        "it has ended"
    );
    let good = bed
        .program("ada@example.org", UserRole::Host, &[Scope::AccountsRead])
        .await;
    let (ada, _) = bed.store.user("ada@example.org").await.unwrap().unwrap();
    bed.store
        .suspend_user(ada.id, true, &bed.act())
        .await
        .unwrap();
    assert_eq!(
        good.get("/api/v1/accounts").await.status,
        401,
        "its user is shut out"
    );
    let mut browser = bed.browser();
    assert_eq!(browser.get("/api/v1").await.status, StatusCode::OK);
    let document = browser.get("/api/v1/openapi.json").await;
    assert!(
        document.text.contains("\"openapi\":\"3.1"),
        "{}",
        document.text
    );
}

#[tokio::test]
async fn another_accounts_things_are_as_good_as_none() {
    let bed = Bed::new().await;
    let (ada, bob) = (
        bed.account("Ada", ["111111", "222222"]).await,
        bed.account("Bob", ["333333", "444444"]).await,
    );
    bed.held(ada, "+4930123456").await;
    bed.booked(ada).await;
    let program = bed
        .program("bob@example.org", UserRole::Host, &Scope::ALL)
        .await;
    for (method, path, body) in [
        ("GET", "accounts/{}", Value::Null),
        (
            "PATCH",
            "accounts/{}",
            json!({ "terms": { "lock": false } }),
        ),
        ("POST", "accounts/{}/pins", json!({ "which": "guest" })),
        ("GET", "bookings?account={}", Value::Null),
        ("GET", "bookings/{}", Value::Null),
        ("PATCH", "bookings/{}", json!({ "title": "x" })),
        ("DELETE", "bookings/{}", Value::Null),
        (
            "POST",
            "bookings/{}/invitees",
            json!({ "name": "Eve", "email": "eve@example.org" }),
        ),
        ("DELETE", "bookings/{}/invitees/1", Value::Null),
        ("GET", "bookings/{}/invitation", Value::Null),
        ("GET", "conferences?account={}", Value::Null),
        ("GET", "conferences/{}", Value::Null),
    ] {
        let ask = async |id: &str| {
            let path = format!("/api/v1/{}", path.replace("{}", id));
            program.send(method, &path, body.clone()).await
        };
        let (others, nobodys) = (ask("1").await, ask("999").await);
        assert_eq!(
            (others.status, &others.body),
            (404, &nobodys.body),
            "{method} {path}"
        );
    }
    assert_eq!(
        program
            .send("POST", "/api/v1/bookings", booking(1))
            .await
            .status,
        404
    );
    assert_eq!(
        program.get("/api/v1/accounts").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(program.get("/api/v1/bookings").await.status, 422);
    assert!(bed.opens("222222", Role::Guest).await);
    assert_eq!(
        program
            .send("POST", "/api/v1/bookings", booking(bob.0))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn an_administrators_program_makes_accounts_and_users_and_reads_the_books() {
    let bed = Bed::new().await;
    let admin = bed
        .program("admin@example.org", UserRole::Administrator, &Scope::ALL)
        .await;
    let new = json!({ "owner": { "name": "Ada Byron", "email": "ada@example.org" }, "department": "R", "terms": { "entry": "name" } });
    let made = admin
        .ask("POST", "/api/v1/accounts", Some(new.clone()), Some("k"))
        .await;
    assert_eq!(made.status, 201);
    assert!(
        bed.opens(made.body["host_pin"].as_str().unwrap(), Role::Host)
            .await
    );
    let again = admin
        .ask("POST", "/api/v1/accounts", Some(new), Some("k"))
        .await;
    assert_eq!(
        (again.status, again.body.get("host_pin"), &again.body["id"]),
        (200, None, &made.body["id"])
    );
    let service = bed
        .program("service@example.org", UserRole::Service, &Scope::ALL)
        .await;
    let drawn = service
        .send(
            "POST",
            "/api/v1/accounts/1/pins",
            json!({ "which": "host" }),
        )
        .await;
    assert_eq!(
        drawn.body,
        json!({ "which": "host" }),
        "customer service sees no PIN"
    );
    let closed = service
        .send(
            "PATCH",
            "/api/v1/accounts/1",
            json!({ "state": "suspended" }),
        )
        .await;
    assert_eq!(closed.body["state"], "suspended");

    let bob = json!({ "email": "bob@example.org", "role": "host" });
    let made = admin
        .ask("POST", "/api/v1/users", Some(bob.clone()), Some("u"))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(
        admin
            .ask("POST", "/api/v1/users", Some(bob.clone()), Some("u"))
            .await
            .status,
        200
    );
    assert_eq!(admin.send("POST", "/api/v1/users", bob).await.status, 409);
    let id = made.body["id"].as_u64().unwrap();
    let link = admin
        .send("POST", &format!("/api/v1/users/{id}/link"), Value::Null)
        .await;
    assert!(link.body["path"].as_str().unwrap().starts_with("/set-up#"));
    let wish = json!({ "role": "auditor", "suspended": true });
    let changed = admin
        .send("PATCH", &format!("/api/v1/users/{id}"), wish.clone())
        .await;
    assert_eq!(
        (&changed.body["role"], &changed.body["suspended"]),
        (&json!("auditor"), &json!(true))
    );
    assert_eq!(
        admin.send("PATCH", "/api/v1/users/1", wish).await.status,
        403,
        "nobody shuts themselves out"
    );
    bed.held(AccountId(1), "+4930123456").await;
    let usage = admin.get("/api/v1/reports/usage").await;
    assert_eq!(usage.body["items"][0]["seconds"], 600);
    let held = admin.get("/api/v1/conferences/1").await;
    assert_eq!(held.body["participants"][0]["number"], "+4930123456");
    let held = service.get("/api/v1/conferences/1").await;
    assert_eq!(held.body["participants"][0]["number"], "+4930***56");
    let audit = admin.get("/api/v1/audit?limit=2").await;
    assert_eq!(audit.body["items"].as_array().unwrap().len(), 2);
    assert!(audit.body["next"].is_string());
    for page in [
        "/api/v1/audit",
        "/api/v1/users",
        "/api/v1/accounts",
        "/api/v1/conferences",
    ] {
        assert_eq!(admin.get(page).await.status, 200);
    }
}
