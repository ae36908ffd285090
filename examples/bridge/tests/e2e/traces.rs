//! Traces, as a collector gets them: of a real call and what else the bridge does, and what must not be in them.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use chrono::{SecondsFormat, TimeDelta};
use conclave_conference::Prompt;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;

use crate::{
    bridge::{Bridge, free_port},
    ear::Ear,
    journey::{enter, first_host},
    tones,
};

/// All that a collector was sent.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    from: BTreeMap<String, String>,
}

/// A collector on loopback that takes OTLP.
struct Collector {
    port: u16,
    sent: Arc<Mutex<Sent>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let sent = Arc::<Mutex<Sent>>::default();
        let takes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&sent));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, takes).await.unwrap();
            });
        });
        Self { port, sent }
    }

    /// Waits until it has such a span.
    #[track_caller]
    fn has(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let sent = self.sent.lock().unwrap();
            if let Some(span) = sent.spans.iter().find(|span| wanted(span)) {
                return span.clone();
            }
            assert!(
                Instant::now() < until,
                "not sent: {what}\n{:#?}",
                sent.spans
            );
            drop(sent);
            thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn take(State(sent): State<Arc<Mutex<Sent>>>, head: HeaderMap, body: Bytes) {
    assert_eq!(head["content-type"], "application/x-protobuf");
    let mut sent = sent.lock().unwrap();
    sent.bytes.extend_from_slice(&body);
    for of_resource in ExportTraceServiceRequest::decode(body)
        .unwrap()
        .resource_spans
    {
        for of_scope in of_resource.scope_spans {
            sent.spans.extend(of_scope.spans);
        }
        for said in of_resource.resource.unwrap().attributes {
            sent.from.insert(said.key, word(said.value));
        }
    }
}

fn word(value: Option<AnyValue>) -> String {
    match value.unwrap().value.unwrap() {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => panic!("{other:?}"),
    }
}

/// What a span says under that name; nothing is the empty word.
fn said(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|said| said.key == key);
    found.map_or_else(String::new, |said| word(said.value.clone()))
}

fn is_part_of(part: &Span, whole: &Span) -> bool {
    part.parent_span_id == whole.span_id && part.trace_id == whole.trace_id
}

fn failed(span: &Span) -> bool {
    span.status
        .as_ref()
        .is_some_and(|status| status.code() == StatusCode::Error)
}

/// What comes to that port is taken, and never answered.
fn mute() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_call_and_all_around_it_is_traced_and_no_secret_is_told() {
    let collector = Collector::start();
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    let nobody = free_port();
    let config = format!(
        "[telemetry]\nendpoint = 'http://127.0.0.1:{}'\nservice-name = 'conclave-test'\n[limits]\ndrain-seconds = 1\n\
         [mail]\nserver = '127.0.0.1'\nport = {nobody}\nsecurity = 'none'\nfrom = 'Conferences <conferences@example.org>'\n",
        collector.port
    );
    std::fs::write(directory.path().join("bridge.toml"), config).unwrap();
    let at = format!("127.0.0.1:{}", free_port());
    let arguments = [
        "--prompts",
        "prompts",
        "--config",
        "bridge.toml",
        "--http",
        &at,
    ];
    let mut bridge = Bridge::start_in(directory, &arguments);

    let account = bridge.account(&[]);
    bridge.json(&["user", "add", "root@example.org", "--role", "administrator"]);
    let url = format!("http://127.0.0.1:{nobody}/hook-with-a-secret");
    let add = ["webhook", "add", "root@example.org", "--url", &url];
    let hook = bridge.json(&[&add[..], &["--event", "conference.started"]].concat());
    let token = ["token", "add", "root@example.org", "--name", "a program"];
    let token = bridge.json(&[&token[..], &["--scope", "accounts:read"]].concat());
    let start = bridge.now() + TimeDelta::days(1);
    let moment = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let id = account.id.to_string();
    let booking = [
        "booking",
        "add",
        "--account",
        &id,
        "--title",
        "Board meeting",
    ];
    let when = [
        "--start",
        &moment(start),
        "--end",
        &moment(start + TimeDelta::hours(1)),
    ];
    let who = [
        "--invite",
        "Grace Hopper=grace@example.org",
        "--config",
        "bridge.toml",
    ];
    let booking = bridge.json(&[&booking[..], &when[..], &who[..]].concat());

    // A caller who mistypes first, and then is the Host.
    let mut phone = enter(&bridge, 0, "1234567890", &[]);
    phone.hears(Prompt::EnterPin);
    phone.press(&format!("{}#", account.host_pin));
    phone.hears(Prompt::YouAreTheFirst);
    phone.sipp.hang_up();
    // A program that is traced itself asks for an account.
    let token = token["token"].as_str().unwrap();
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let mut asked = ureq::get(format!(
        "http://{at}/api/v1/accounts/{id}?by=grace@example.org"
    ))
    .header("authorization", format!("Bearer {token}"))
    .header("traceparent", format!("00-{trace}-{parent}-01"))
    .call()
    .unwrap();
    assert_eq!(
        asked
            .body_mut()
            .read_to_string()
            .unwrap()
            .matches("Ada")
            .count(),
        1
    );

    let call = collector.has("the call", |span| span.name == "call");
    assert!(call.parent_span_id.is_empty() && call.kind() == SpanKind::Server);
    for (key, expected) in [
        ("conclave.trunk", "loopback"),
        ("conclave.codec", "PCMU"),
        ("conclave.conference", "1"),
        ("conclave.role", "host"),
        ("conclave.ended", "hung-up"),
    ] {
        assert_eq!(said(&call, key), expected, "{key}: {call:?}");
    }
    assert!(call.end_time_unix_nano - call.start_time_unix_nano > 1_000_000_000);
    let look_up = |outcome: &str| {
        let found = collector.has(outcome, |span| said(span, "conclave.outcome") == outcome);
        assert_eq!(found.name, "PIN look-up");
        assert!(is_part_of(&found, &call), "{found:?}");
        found
    };
    look_up("admitted");
    // What is known of a guess is written down before the caller hears a word.
    let wrong = look_up("mistyped");
    let noted = |span: &Span| span.name == "transaction" && is_part_of(span, &wrong);
    let noted = collector.has("the transaction of the wrong PIN", noted);
    assert_eq!(said(&noted, "db.system.name"), "sqlite");
    assert_eq!(said(&noted, "committed"), "true");
    let entries = collector.has("entries", |span| span.name == "entries");
    collector.has("their transaction", |span| is_part_of(span, &entries));

    let request = collector.has("the request", |span| span.name.starts_with("GET"));
    assert_eq!(request.name, "GET /api/v1/accounts/{id}");
    assert_eq!(hex(&request.trace_id), trace);
    assert_eq!(hex(&request.parent_span_id), parent);
    assert_eq!(said(&request, "http.route"), "/api/v1/accounts/{id}");
    assert_eq!(said(&request, "http.response.status_code"), "200");

    for name in ["webhook delivery", "letter"] {
        let lost = collector.has(name, |span| span.name == name);
        assert!(failed(&lost) && lost.parent_span_id.is_empty(), "{lost:?}");
        assert!(lost.kind() == SpanKind::Client, "{lost:?}");
    }

    // Who stops a bridge gets what is left: here a call that is still on.
    let host = first_host(&bridge, &account, 1);
    assert!(bridge.terminate().success());
    collector.has("the call that was cut", |span| {
        said(span, "conclave.ended") == "shutdown"
    });
    drop(host);
    let sent = collector.sent.lock().unwrap();
    assert_eq!(sent.from["service.name"], "conclave-test");
    let secrets = [
        &account.host_pin,
        &account.guest_pin,
        "1234567890",
        "79460010",
        "79460011",
        "Ada",
        "Byron",
        "Grace",
        "example.org",
        "Board",
        "secret",
        token,
        hook["secret"].as_str().unwrap(),
        booking["invitees"][0]["pin"].as_str().unwrap(),
    ];
    for secret in secrets {
        let mut places = sent.bytes.windows(secret.len());
        assert!(places.all(|place| place != secret.as_bytes()), "{secret}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_collector_that_is_down_or_mute_is_nobodys_concern() {
    let mute = mute();
    for port in [free_port(), mute.local_addr().unwrap().port()] {
        let config = format!("[telemetry]\nendpoint = 'http://127.0.0.1:{port}'\n");
        let mut bridge = Bridge::start_configured(&config);
        let account = bridge.account(&[]);
        // Each call leaves spans; batches of them fail one after the other.
        for voice in [0, 1] {
            let mut host = first_host(&bridge, &account, voice);
            thread::sleep(Duration::from_secs(3));
            host.sipp.hang_up();
        }
        let complaint = "traces are lost";
        let until = Instant::now() + Duration::from_secs(15);
        while !bridge.log().contains(complaint) {
            assert!(Instant::now() < until, "nobody says that traces are lost");
            thread::sleep(Duration::from_millis(50));
        }
        let began = Instant::now();
        assert!(bridge.terminate().success());
        assert!(
            began.elapsed() < Duration::from_secs(12),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(
            bridge.log().matches(complaint).count(),
            1,
            "{}",
            bridge.log()
        );
    }
}
