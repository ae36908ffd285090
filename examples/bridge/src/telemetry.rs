//! Traces for an OpenTelemetry collector, where one is configured. What is told to it is in `spans.rs`.
//!
//! Spans wait in a queue with a bound; a thread of its own sends them in batches. Who ends a span never waits: of a collector that
//! is down or slow nobody here notices anything but a line in the log, now and then.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::http::{HeaderMap, Uri, header};
use http_body_util::Full;
use hyper::{Request, Response, body::Bytes};
use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator,
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tokio::{net::lookup_host, runtime::Handle, task::spawn_blocking, time::timeout};
use tokio_rustls::TlsConnector;
use tracing::{Level, Span, info, level_filters::LevelFilter, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};

use crate::{
    config::{self, Config},
    post, tls,
};

/// Spans that wait: of some hundred calls. Further ones are dropped.
const QUEUE: usize = 4096;
const BATCH: usize = 512;
const EVERY: Duration = Duration::from_secs(2);

/// From the look-up of the collector's name to its answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// What is left when the bridge stops has so long.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// A collector that takes nothing is complained of so often.
const COMPLAINED_EVERY: Duration = Duration::from_secs(600);

/// Our own crates'.
const TRACED: &str = "conclave";

/// The way to the collector, while the bridge runs.
pub(crate) struct Telemetry {
    provider: SdkTracerProvider,
}

/// What is wrong with the configuration: the key and why.
pub(crate) fn check(telemetry: &config::Telemetry) -> Result<(), (&'static str, String)> {
    if let Some(endpoint) = &telemetry.endpoint {
        collector(endpoint).map_err(|problem| ("telemetry.endpoint", problem))?;
    }
    if telemetry.service_name.is_empty() {
        return Err(("telemetry.service-name", "can't be empty".into()));
    }
    if !(0.0..=1.0).contains(&telemetry.sampling_ratio) {
        return Err(("telemetry.sampling-ratio", "from 0.0 to 1.0".into()));
    }
    Ok(())
}

/// Where its traces are taken.
fn collector(endpoint: &str) -> Result<String, String> {
    // It isn't shown: somebody may have put a password into it.
    let wrong = || "an address such as http://127.0.0.1:4318, without user and query".to_owned();
    let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if !is_http || has_user || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
}

impl Telemetry {
    /// Nothing, where no collector is configured.
    pub(crate) fn start(config: &Config) -> Result<Option<Self>, String> {
        let Some(endpoint) = &config.telemetry.endpoint else {
            return Ok(None);
        };
        let collector = collector(endpoint)?;
        let client = Client {
            runtime: Handle::current(),
            tls: collector
                .starts_with("https:")
                .then(|| TlsConnector::from(tls::client())),
            failing: Mutex::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(client)
            .with_endpoint(collector)
            .with_timeout(ANSWERS_WITHIN)
            .build()
            .map_err(|error| format!("[telemetry]: {error}"))?;
        let pace = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .build();
        let batches = BatchSpanProcessor::builder(exporter)
            .with_batch_config(pace)
            .build();
        let all = Sampler::TraceIdRatioBased(config.telemetry.sampling_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches)
            .with_sampler(Sampler::ParentBased(Box::new(all)))
            .with_resource(this(config))
            .build();
        Ok(Some(Self { provider }))
    }

    /// Of the log's subscriber: takes the spans of our own crates, and no line of the log.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let traced = FilterFn::new(|metadata| {
            metadata.is_span()
                && *metadata.level() <= Level::DEBUG
                && metadata.target().starts_with(TRACED)
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("conclave-bridge"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_context_activation(false)
            .with_tracked_inactivity(false)
            .with_filter(traced.with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Sends what is left, as far as the collector takes it in time.
    pub(crate) async fn finish(self) {
        let finished = spawn_blocking(move || self.provider.shutdown_with_timeout(FINISH_WITHIN));
        if !matches!(finished.await, Ok(Ok(()))) {
            warn!("the last traces could not be handed to the collector");
        }
    }
}

/// What all spans are said to come from.
fn this(config: &Config) -> Resource {
    let about = Resource::builder()
        .with_service_name(config.telemetry.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    match &config.database.bridge {
        Some(name) => about.with_attribute(KeyValue::new("service.instance.id", name.clone())),
        None => about,
    }
    .build()
}

/// A request belongs to the trace that it names by `traceparent` (W3C Trace Context).
pub(crate) fn join(request: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if parent.span().span_context().is_valid() {
        // It fails for a span that is nobody's or has begun: neither is so here.
        let _ = request.set_parent(parent);
    }
}

/// Hands batches over, each on a connection of its own.
struct Client {
    runtime: Handle,
    tls: Option<TlsConnector>,
    failing: Mutex<Failing>,
}

/// How the collector fares.
#[derive(Default)]
struct Failing {
    /// Batches that it has not taken since it took one.
    lost: u64,
    /// Whether this was said.
    complained: bool,
    /// When such a thing was said last.
    last: Option<Instant>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The thread of the batches has no runtime: the connection is made in ours.
        let sent = self.runtime.spawn(send(self.tls.clone(), request)).await;
        let done = sent.unwrap_or_else(|_| Err("the bridge is going down".to_owned()));
        self.note(done.as_ref().err());
        done.map_err(Into::into)
    }
}

impl Client {
    fn note(&self, problem: Option<&String>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(problem) = problem else {
            let lost = std::mem::take(&mut failing.lost);
            if std::mem::take(&mut failing.complained) {
                info!(batches_lost = lost, "the collector takes traces again");
            }
            return;
        };
        failing.lost += 1;
        let is_due = |last: Instant| last.elapsed() >= COMPLAINED_EVERY;
        if failing.last.is_none_or(is_due) {
            failing.last = Some(Instant::now());
            failing.complained = true;
            warn!("traces are lost, for the collector takes none: {problem}");
        }
    }
}

async fn send(
    tls: Option<TlsConnector>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, String> {
    let status = timeout(ANSWERS_WITHIN, post(tls, request)).await;
    let status =
        status.map_err(|_| format!("no answer within {} s", ANSWERS_WITHIN.as_secs()))??;
    if !status.is_success() {
        return Err(format!("HTTP {}", status.as_u16()));
    }
    Ok(Response::new(Bytes::new()))
}

async fn post(
    tls: Option<TlsConnector>,
    request: Request<Bytes>,
) -> Result<hyper::StatusCode, String> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or("it has no address")?.clone();
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let usual = if tls.is_some() { 443 } else { 80 };
    let port = authority.port_u16().unwrap_or(usual);
    let path = head.uri.path().parse::<Uri>();
    head.uri = path.map_err(|error| error.to_string())?;
    let name = authority.as_str().parse();
    head.headers
        .insert(header::HOST, name.map_err(|_| "its name is none")?);
    let found = lookup_host((host, port)).await;
    let found = found
        .map_err(|error| format!("cannot look up {host}: {error}"))?
        .next();
    let address = found.ok_or_else(|| format!("{host} has no address"))?;
    let tls = tls.as_ref().map(|tls| (tls, host));
    post::send(address, tls, Request::from_parts(head, Full::new(body))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_of_http() {
        let at = "http://127.0.0.1:4318/v1/traces";
        assert_eq!(collector("http://127.0.0.1:4318").unwrap(), at);
        assert_eq!(collector("http://127.0.0.1:4318/").unwrap(), at);
        let below = "https://traces.example.org/otlp/v1/traces";
        assert_eq!(collector("https://traces.example.org/otlp").unwrap(), below);
        for wrong in [
            "",
            "/v1/traces",
            "127.0.0.1:4318",
            "grpc://a:4317",
            "http://a/?b",
            "http://user:4711@a",
        ] {
            let said = collector(wrong).unwrap_err();
            assert!(!said.contains("4711"), "{said}");
        }
    }
}
