//! The front door: every message is judged here before it costs more than its own bytes.
//!
//! What is refused is refused without state: no transaction, no task. Only a call that was admitted gets them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rsipstack::sip::{Header, HeadersExt, Method, Request, Response, Scheme, SipMessage};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use tracing::warn;

use crate::admission::{Crowded, Source, is_emergency};
use crate::call::{self, Input};
use crate::config::Strangers;
use crate::dialog::{Dialog, DialogKey, Path, is_invite_success, session_headers};
use crate::digest::Proof;
use crate::event::{CallMedia, IncomingCall, SipEvent};
use crate::message::{ALLOW, NameAddr, With, all, header, is_sdp, response, tag, words};
use crate::number::e164;
use crate::sdp::{NegotiateError, Negotiated, negotiate};
use crate::server::{Core, Place};
use crate::stats::Refused;
use crate::timer::{Refresh, TooSmall};

/// The longest body of an INFO.
pub(crate) const MAX_INFO: usize = 1_024;

/// Takes a message that passed the guard.
pub(crate) async fn receive(core: &Arc<Core>, message: SipMessage, path: Path, place: &Place) {
    let request = match message {
        SipMessage::Response(response) => return receive_response(core, response, path).await,
        SipMessage::Request(request) => request,
    };
    let Ok(key) = TransactionKey::from_request(&request, TransactionRole::Server) else {
        // Without a From tag (RFC 2543) nothing can be matched.
        return refuse(core, &request, &path, Refusal::new(400, Refused::Malformed)).await;
    };
    let known = core.endpoint.transactions.get(&key).is_some()
        || core.endpoint.finished_transactions.get(&key).is_some();
    if known || matches!(request.method, Method::Ack | Method::Cancel) {
        let from = path.destination();
        let _ = core
            .endpoint
            .on_received_message(request.into(), path.connection.clone(), &from)
            .await;
        return;
    }
    let verdict = match DialogKey::of_request(&request) {
        Some(dialog) => in_dialog(core, request, key, dialog, &path),
        None => match judge(core, &request, &path, place) {
            Ok(admitted) => admit(core, request, key, admitted, path.clone(), place),
            Err(refusal) => Err(Box::new((request, refusal))),
        },
    };
    if let Err(refused) = verdict {
        let (request, refusal) = *refused;
        refuse(core, &request, &path, refusal).await;
    }
}

/// A response to a request of ours. The ACK of a repeated 2xx is the dialog's: the stack doesn't know it any more.
async fn receive_response(core: &Arc<Core>, response: Response, path: Path) {
    let ended = TransactionKey::from_response(&response, TransactionRole::Client)
        .is_ok_and(|key| core.endpoint.transactions.get(&key).is_none());
    if ended && is_invite_success(&response) {
        let call = DialogKey::of_response(&response)
            .and_then(|key| core.registry().dialogs.get(&key).copied());
        let seq = response.cseq_header().ok().and_then(|c| c.seq().ok());
        if let (Some(call), Some(seq)) = (call, seq) {
            core.input(call, Input::Repeated(seq));
        }
        return;
    }
    let from = path.destination();
    let _ = core
        .endpoint
        .on_received_message(response.into(), path.connection.clone(), &from)
        .await;
}

/// A refusal without state.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    counts_as: Refused,
    headers: Vec<(&'static str, String)>,
    silent: bool,
}

impl Refusal {
    fn new(status: u16, counts_as: Refused) -> Self {
        Self {
            status,
            counts_as,
            headers: Vec::new(),
            silent: false,
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

type Judged = Result<(), Box<(Request, Refusal)>>;

async fn refuse(core: &Arc<Core>, request: &Request, path: &Path, refusal: Refusal) {
    core.counters.refuse(refusal.counts_as);
    if refusal.silent {
        return;
    }
    let mut response = response(
        request,
        refusal.status,
        &core.stateless_tag(request),
        &core.config.product,
    );
    for (name, value) in refusal.headers {
        response = response.with(name, value);
    }
    path.send(response.into()).await;
}

/// Whether strangers get answers at all, and this one still does in this second.
pub(crate) fn answers_strangers(core: &Core) -> bool {
    core.config.strangers == Strangers::Forbidden
        && core
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(core.now())
}

fn in_dialog(
    core: &Arc<Core>,
    request: Request,
    key: TransactionKey,
    dialog: DialogKey,
    path: &Path,
) -> Judged {
    let slot = {
        let registry = core.registry();
        let call = registry.dialogs.get(&dialog);
        call.and_then(|call| registry.calls.get(call))
            .map(|slot| slot.inputs.clone())
    };
    let Some(inputs) = slot else {
        return Err(Box::new((request, Refusal::new(481, Refused::NoDialog))));
    };
    let Ok(place) = inputs.try_reserve() else {
        let busy = Refusal::new(503, Refused::Overload).with("Retry-After", "1");
        return Err(Box::new((request, busy)));
    };
    let transaction = transaction(core, request, key, path);
    place.send(Input::Request(Box::new((transaction, path.clone()))));
    Ok(())
}

fn transaction(
    core: &Arc<Core>,
    request: Request,
    key: TransactionKey,
    path: &Path,
) -> Transaction {
    let connection = Some(path.connection.clone());
    let mut transaction = Transaction::new_server(key, request, core.endpoint.clone(), connection);
    transaction.destination = Some(path.destination());
    transaction
}

/// What may go on: a call, or a question about what is served here.
enum Admitted {
    Options,
    Call(Box<Call>),
}

struct Call {
    source: Source,
    called: String,
    offer: Option<Negotiated>,
    refresh: Option<Refresh>,
}

/// Judges a request outside of any dialog.
fn judge(
    core: &Arc<Core>,
    request: &Request,
    path: &Path,
    place: &Place,
) -> Result<Admitted, Refusal> {
    let source = source(core, request, path, place)?;
    if request
        .to_header()
        .is_ok_and(|to| tag(to.value()).is_some())
    {
        return Err(Refusal::new(481, Refused::NoDialog));
    }
    match request.method {
        Method::Invite | Method::Options => {}
        Method::Bye | Method::Info | Method::Update | Method::PRack | Method::Notify => {
            return Err(Refusal::new(481, Refused::NoDialog));
        }
        Method::Refer => return Err(Refusal::new(603, Refused::Unsupported)),
        _ => return Err(Refusal::new(405, Refused::Unsupported).with("Allow", ALLOW)),
    }
    let called = called(request)?;
    unsupported_extensions(request)?;
    if request.method == Method::Options {
        return Ok(Admitted::Options);
    }
    if is_emergency(&called) {
        let (number, _) = caller(request, &source);
        warn!(source = %source.name, %called, "an emergency number was called: refused with 404, check the routing");
        let event = SipEvent::EmergencyCall {
            trunk: source.name,
            number,
            called,
        };
        // The refusal matters more than the report.
        let _ = core.events.try_send(event);
        return Err(Refusal::new(404, Refused::Emergency));
    }
    body(request)?;
    let refresh = Refresh::decide(&request.headers, &core.config.timers)
        .map_err(|TooSmall| too_small(core))?;
    let offer = offer(core, request, place)?;
    if core.draining.load(Ordering::Relaxed) {
        return Err(Refusal::new(503, Refused::Draining).with("Retry-After", "30"));
    }
    if core.busy.load(Ordering::Relaxed) {
        return Err(Refusal::new(503, Refused::Busy).with("Retry-After", "5"));
    }
    // Last, for what takes a place must give it back.
    match core.gate().enter(&source.name, core.now()) {
        Ok(()) => {}
        Err(Crowded::TooFast) => {
            return Err(Refusal::new(503, Refused::TooFast).with("Retry-After", "1"));
        }
        Err(Crowded::Full) => {
            return Err(Refusal::new(503, Refused::Full).with("Retry-After", "10"));
        }
    }
    Ok(Admitted::Call(Box::new(Call {
        source,
        called,
        offer,
        refresh,
    })))
}

fn too_small(core: &Core) -> Refusal {
    let least = core.config.timers.min.as_secs().to_string();
    Refusal::new(422, Refused::IntervalTooSmall).with("Min-SE", least)
}

/// Who asks: a trunk by its address, everybody on an open listener, or an endpoint by its credentials.
fn source(core: &Core, request: &Request, path: &Path, place: &Place) -> Result<Source, Refusal> {
    let address = path.peer.ip();
    if let Some(trunk) = Source::trunk(&core.config.trunks, address) {
        return Ok(trunk);
    }
    if let Some(name) = &place.anyone {
        return Ok(Source {
            name: name.clone(),
            dialling: None,
            trust_identity: false,
        });
    }
    let endpoints = &core.config.endpoints;
    let answers = answers_strangers(core);
    if endpoints.users.is_empty() {
        let mut refusal = Refusal::new(403, Refused::Stranger);
        refusal.silent = !answers;
        return Err(refusal);
    }
    let mut auth = core.auth.lock().unwrap_or_else(PoisonError::into_inner);
    let mut stale = false;
    // Two at most: a phone may answer both challenges.
    for value in all(&request.headers, "Authorization").take(2) {
        let method = request.method.to_string();
        match auth.check(
            value,
            &method,
            |uri| same_target(request, uri),
            address,
            core.now(),
        ) {
            Proof::User(name) => {
                let dialling = endpoints
                    .users
                    .get(&name)
                    .and_then(|user| user.dialling.clone());
                return Ok(Source {
                    name,
                    dialling,
                    trust_identity: false,
                });
            }
            Proof::Stale => stale = true,
            Proof::None => {}
        }
    }
    let mut refusal = Refusal::new(401, Refused::Unauthorised);
    for challenge in auth.challenge(address, stale, core.now()) {
        refusal = refusal.with("WWW-Authenticate", challenge);
    }
    // A phone that knows its password is always asked again.
    refusal.silent = !answers && !stale && core.config.strangers == Strangers::Forbidden;
    Err(refusal)
}

fn same_target(request: &Request, uri: &str) -> bool {
    rsipstack::sip::Uri::try_from(uri).is_ok_and(|uri| {
        uri.host_with_port == request.uri.host_with_port && uri.user() == request.uri.user()
    })
}

/// The user part of the Request-URI.
fn called(request: &Request) -> Result<String, Refusal> {
    match &request.uri.scheme {
        Some(Scheme::Sip) => Ok(request.uri.user().unwrap_or("").to_owned()),
        Some(Scheme::Other(tel)) if tel.eq_ignore_ascii_case("tel") => {
            Ok(request.uri.host_with_port.host.to_string())
        }
        // sips promises TLS on every hop, which isn't here yet.
        _ => Err(Refusal::new(416, Refused::Unsupported)),
    }
}

/// RFC 3261 section 8.2.2.3: what is required and not known is named in a 420. Reliable provisional responses
/// (100rel) aren't needed where a call is answered at once.
fn unsupported_extensions(request: &Request) -> Result<(), Refusal> {
    let mut required = words(&request.headers, "Require");
    required.retain(|word| !word.eq_ignore_ascii_case("timer"));
    if required.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(420, Refused::Unsupported).with("Unsupported", required.join(", ")))
}

fn body(request: &Request) -> Result<(), Refusal> {
    let encoded = words(&request.headers, "Content-Encoding")
        .iter()
        .any(|e| !e.eq_ignore_ascii_case("identity"));
    if encoded {
        return Err(Refusal::new(415, Refused::Unsupported).with("Accept-Encoding", "identity"));
    }
    if !request.body.is_empty() && !is_sdp(&request.headers) {
        return Err(Refusal::new(415, Refused::Unsupported).with("Accept", "application/sdp"));
    }
    let accepted = words(&request.headers, "Accept");
    let understood = ["application/sdp", "application/*", "*/*"];
    let range = |accepted: &&str| {
        accepted
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase()
    };
    if !accepted.is_empty()
        && !accepted
            .iter()
            .any(|a| understood.contains(&range(a).as_str()))
    {
        return Err(Refusal::new(406, Refused::Unsupported).with("Accept", "application/sdp"));
    }
    Ok(())
}

fn offer(core: &Core, request: &Request, place: &Place) -> Result<Option<Negotiated>, Refusal> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let agreed = negotiate(&request.body, &core.config.codecs).and_then(|agreed| {
        let same = agreed.media().remote.is_ipv4() == place.local_ip.is_ipv4();
        if same {
            Ok(agreed)
        } else {
            Err(NegotiateError::Address)
        }
    });
    agreed.map(Some).map_err(not_acceptable)
}

fn not_acceptable(error: NegotiateError) -> Refusal {
    if error == NegotiateError::Malformed {
        return Refusal::new(400, Refused::Malformed);
    }
    // RFC 3261 section 20.43.
    let code = match error {
        NegotiateError::NoPlainRtp => 302,
        NegotiateError::Address => 300,
        NegotiateError::NoAudio => 304,
        NegotiateError::NoCommonCodec | NegotiateError::Malformed => 305,
    };
    Refusal::new(488, Refused::NoCodec).with("Warning", format!("{code} conclave \"{error}\""))
}

/// The caller's number in E.164 and name: from P-Asserted-Identity of a trusted trunk, else from From.
fn caller(request: &Request, source: &Source) -> (Option<String>, Option<String>) {
    let withheld = words(&request.headers, "Privacy")
        .iter()
        .flat_map(|w| w.split(';'))
        .any(|w| {
            ["id", "user", "header"]
                .iter()
                .any(|p| w.trim().eq_ignore_ascii_case(p))
        });
    if withheld {
        return (None, None);
    }
    let from = request.from_header().map_or("", |from| from.value());
    let mut identities: Vec<&str> = Vec::new();
    if source.trust_identity {
        identities.extend(all(&request.headers, "P-Asserted-Identity").take(4));
    }
    if identities.is_empty() {
        identities.push(from);
    }
    let parsed: Vec<NameAddr<'_>> = identities.into_iter().filter_map(NameAddr::parse).collect();
    let number = |who: &NameAddr<'_>| e164(who.user()?, source.dialling.as_ref());
    let name = parsed.iter().find_map(NameAddr::display_name);
    let anonymous = name
        .as_deref()
        .is_some_and(|n| n.eq_ignore_ascii_case("anonymous"));
    (parsed.iter().find_map(number), name.filter(|_| !anonymous))
}

/// Gives an admitted request what it needs: an answer, or a call of its own.
fn admit(
    core: &Arc<Core>,
    request: Request,
    key: TransactionKey,
    admitted: Admitted,
    path: Path,
    place: &Place,
) -> Judged {
    let call = match admitted {
        Admitted::Options => {
            let mut transaction = transaction(core, request, key, &path);
            let core = core.clone();
            core.clone().spawn(async move {
                let reply = options(&core, &transaction.original, &path);
                let _ = transaction.respond(reply).await;
            });
            return Ok(());
        }
        Admitted::Call(call) => call,
    };
    let Some(dialog) = Dialog::called(&request, path.clone(), &core.config.product) else {
        let mut gate = core.gate();
        gate.settled(&call.source.name);
        gate.left();
        return Err(Box::new((request, Refusal::new(400, Refused::Malformed))));
    };
    let (number, display_name) = caller(&request, &call.source);
    let media: Option<CallMedia> = call.offer.as_ref().map(|offer| *offer.media());
    let incoming = IncomingCall {
        call: core.new_call(),
        trunk: call.source.name.clone(),
        number,
        display_name,
        called: call.called,
        media,
        remote: path.peer,
        local_ip: place.local_ip,
        call_id: header(&request.headers, "Call-ID").unwrap_or("").to_owned(),
    };
    let invite = transaction(core, request, key, &path);
    call::start(
        core,
        incoming,
        dialog,
        invite,
        call.offer,
        call.refresh,
        place.advertise,
    );
    Ok(())
}

/// The answer to OPTIONS (RFC 3261 section 11.2).
pub(crate) fn options(core: &Core, request: &Request, path: &Path) -> Response {
    let status = if core.draining.load(Ordering::Relaxed) {
        503
    } else {
        200
    };
    let reply = response(
        request,
        status,
        &core.stateless_tag(request),
        &core.config.product,
    );
    session_headers(reply, path)
        .with("Accept", "application/sdp")
        .with("Accept-Encoding", "identity")
}

/// A refusal of a request within a dialog, by the same rules as outside.
pub(crate) fn unfit(core: &Core, request: &Request) -> Option<(u16, Vec<Header>)> {
    let refusal = unsupported_extensions(request).and_then(|()| match request.method {
        Method::Invite | Method::Update => body(request),
        _ => Ok(()),
    });
    let refusal = refusal.err()?;
    core.counters.refuse(refusal.counts_as);
    let headers = refusal
        .headers
        .into_iter()
        .map(|(n, v)| rsipstack::sip::headers::make_header(n, v));
    Some((refusal.status, headers.collect()))
}
