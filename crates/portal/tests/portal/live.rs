//! Conferences that go on, as programs see them and act in them.

use conclave_store::Scope;
use serde_json::{Value, json};

use super::api::Program;
use super::*;

fn order(what: &str, call: Option<u64>) -> Value {
    let mut order = json!({ "started": start(), "what": what });
    if let Some(call) = call {
        order["call"] = json!(call);
    }
    order
}

/// The next event's name and data.
async fn told(body: &mut Body) -> Option<(String, Value)> {
    let text = event(body).await?;
    let (name, data) = text.split_once('\n').unwrap();
    let data = data.strip_prefix("data: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let name = name.strip_prefix("event: ").unwrap();
    assert_eq!(data["what"], name);
    Some((name.to_owned(), data))
}

async fn listens(program: &Program, path: &str) -> Body {
    let response = program.listen(path).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    response.into_body()
}

#[tokio::test]
async fn a_program_sees_who_is_in_with_numbers_as_its_user_may() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    for (email, role, number) in [
        ("ada@example.org", UserRole::Host, "+4930***11"),
        ("service@example.org", UserRole::Service, "+4930***11"),
        ("admin@example.org", UserRole::Administrator, "+49301234511"),
        ("auditor@example.org", UserRole::Auditor, "+49301234511"),
    ] {
        let program = bed.program(email, role, &[Scope::LiveRead]).await;
        let list = program.get("/api/v1/live").await;
        let listed = &list.body["items"][0];
        assert_eq!(
            (&listed["title"], &listed["stage"], &listed["asking"]),
            (&json!("Conference of Ada"), &json!("open"), &json!(1))
        );
        let one = program.get("/api/v1/live/1").await.body;
        assert_eq!(&one["conference"], listed);
        assert_eq!(one["floor"], "lecture");
        let [host, guest, asks] = [0, 1, 2].map(|n| &one["callers"][n]);
        assert_eq!(host["number"], number, "{email}");
        assert_eq!(
            host["reception"],
            json!({ "lost": 3, "jitter_ms": 12, "quality": "fair" })
        );
        assert_eq!(
            (&guest["muted"], &guest["noisy"], &asks["place"]),
            (&json!("by-host"), &json!(true), &json!("awaits-consent"))
        );
        assert_eq!(
            program.get("/api/v1/live?cursor=1").await.body["items"],
            json!([])
        );
    }
}

#[tokio::test]
async fn a_program_acts_in_its_users_name() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let ada = bed
        .program("ada@example.org", UserRole::Host, &[Scope::LiveAct])
        .await;
    let path = "/api/v1/live/1/orders";
    let call = CallId(12);
    let named = json!({ "started": start(), "what": "name", "call": 12, "name": "Grace" });
    for (wish, deed) in [
        (
            order("mute", Some(12)),
            Deed::Command(Command::MuteCall { call, muted: true }),
        ),
        (
            order("quiet", Some(12)),
            Deed::Command(Command::QuietCall {
                call,
                quieted: true,
            }),
        ),
        (
            order("strict-lecture", None),
            Deed::Command(Command::SetFloor {
                floor: Floor::StrictLecture,
            }),
        ),
        (order("end", None), Deed::Command(Command::EndForAll)),
        (
            named,
            Deed::Name {
                call,
                name: "Grace".to_owned(),
            },
        ),
    ] {
        let done = ada.send("POST", path, wish.clone()).await;
        assert_eq!(done.status, 204, "{wish}: {}", done.body);
        let given = bed.bridge.lock().unwrap().orders.pop().unwrap();
        let user = bed.store.user("ada@example.org").await.unwrap().unwrap().0;
        assert_eq!(
            given,
            Order {
                conference: ConferenceId(1),
                started: start(),
                by: OperatorId(user.id.0),
                deed,
            }
        );
    }
    for (wish, field) in [
        (order("mute", None), "call"),
        (order("end", Some(12)), "call"),
        (
            json!({ "started": start(), "what": "lock", "name": "Grace" }),
            "name",
        ),
        (order("name", Some(12)), "name"),
    ] {
        let refused = ada.send("POST", path, wish).await;
        assert_eq!(
            (refused.status, &refused.body["fields"][0]["name"]),
            (422, &json!(field))
        );
    }
    let unknown = ada.send("POST", path, order("destroy", None)).await;
    assert_eq!(unknown.status, 422);
    assert!(bed.bridge.lock().unwrap().orders.is_empty());
    for (why, status) in [
        (Refusal::Unknown, 409),
        (Refusal::NothingToDo, 409),
        (Refusal::NotAName, 422),
    ] {
        bed.bridge.lock().unwrap().refuses = Some(why);
        let refused = ada.send("POST", path, order("lock", None)).await;
        assert_eq!(refused.status, status, "{}", refused.body);
    }
}

#[tokio::test]
async fn another_accounts_conference_is_as_good_as_none() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let bob = bed
        .program("bob@example.org", UserRole::Host, &Scope::ALL)
        .await;
    assert_eq!(bob.get("/api/v1/live").await.body, json!({ "items": [] }));
    for (method, path, body) in [
        ("GET", "live/{}", Value::Null),
        ("GET", "live/{}/events", Value::Null),
        ("POST", "live/{}/orders", order("end", None)),
    ] {
        let ask = async |id: &str| {
            let path = format!("/api/v1/{}", path.replace("{}", id));
            bob.send(method, &path, body.clone()).await
        };
        let (others, nobodys) = (ask("1").await, ask("999").await);
        assert_eq!((others.status, &others.body), (404, &nobodys.body));
    }
    assert!(bed.bridge.lock().unwrap().orders.is_empty());
    // Nothing is told of it, either, to the end of the list.
    let mut all = listens(&bob, "/api/v1/events").await;
    assert_eq!(told(&mut all).await, None);
}

#[tokio::test]
async fn a_program_hears_what_happens() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let ada = bed
        .program("ada@example.org", UserRole::Host, &[Scope::LiveRead])
        .await;
    let (mut now, shown) = {
        let mut bridge = bed.bridge.lock().unwrap();
        bridge.shown = Some(watch::Sender::new(Arc::new(bridge.now.clone())));
        (bridge.now.clone(), bridge.shown.clone().unwrap())
    };
    let mut streams = [
        listens(&ada, "/api/v1/live/1/events").await,
        listens(&ada, "/api/v1/events").await,
    ];
    for body in &mut streams {
        let (name, data) = told(body).await.unwrap();
        assert_eq!(
            (name.as_str(), data["callers"].as_array().unwrap().len()),
            ("snapshot", 3)
        );
        assert_eq!(data["callers"][0]["number"], "+4930***11");
    }
    now.callers[2].place = Place::Room;
    now.callers[2].noisy = true;
    now.summary.locked = false;
    now.callers.remove(0);
    shown.send_replace(Arc::new(now.clone()));
    for body in &mut streams {
        let mut heard = Vec::new();
        for _ in 0..4 {
            let (name, data) = told(body).await.unwrap();
            heard.push((name, data["caller"]["call"].as_u64()));
        }
        let heard: Vec<_> = heard.iter().map(|(name, call)| (&**name, *call)).collect();
        assert_eq!(
            heard,
            [
                ("unlocked", None),
                ("joined", Some(13)),
                ("noisy", Some(13)),
                ("left", Some(11))
            ]
        );
    }

    // Who reads nothing misses steps, and not the outcome.
    for n in 0..1_000 {
        now.callers[0].name = Some(format!("Grace {n}"));
        shown.send_replace(Arc::new(now.clone()));
        tokio::task::yield_now().await;
    }
    for body in &mut streams {
        let mut steps = 0;
        loop {
            let (name, data) = told(body).await.unwrap();
            assert_eq!(name, "named");
            steps += 1;
            if data["caller"]["name"] == "Grace 999" {
                break;
            }
        }
        assert!(steps <= 8, "{steps} events");
    }
    bed.bridge.lock().unwrap().shown = None;
    drop(shown);
    for body in &mut streams {
        assert_eq!(told(body).await.unwrap().0, "ended");
    }
    assert_eq!(
        told(&mut streams[0]).await,
        None,
        "there is no more to tell"
    );
}

#[tokio::test]
async fn there_are_not_too_many_streams() {
    let bed = Bed::new().await;
    bed.account("Ada", ["111111", "222222"]).await;
    let ada = bed
        .program("ada@example.org", UserRole::Host, &[Scope::LiveRead])
        .await;
    let bridge = bed.bridge.lock().unwrap().now.clone();
    bed.bridge.lock().unwrap().shown = Some(watch::Sender::new(Arc::new(bridge)));
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(listens(&ada, "/api/v1/live/1/events").await);
    }
    assert_eq!(ada.get("/api/v1/events").await.status, 503);
    drop(streams.pop());
    let mut body = loop {
        // The place is free as soon as it is noticed that nobody reads.
        let response = ada.listen("/api/v1/live/1/events").await;
        if response.status() == StatusCode::OK {
            break response.into_body();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(told(&mut body).await.unwrap().0, "snapshot");
}
