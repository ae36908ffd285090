//! A small user agent over UDP, for demonstrations, tests and load: it calls, it does not register.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conclave_media::Codec;
use rsipstack::sip::{
    Headers, Host, Method, Request, Response, SipMessage, Transport, Uri, Version,
};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::random_text;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::drive_on;
use crate::config::EndpointSecret;
use crate::dialog::{
    Dialog, DialogKey, Path, begin, final_response, is_invite_success, session_headers, transact,
};
use crate::digest;
use crate::event::CallMedia;
use crate::guard::{self, Verdict};
use crate::listener::{MAX_MESSAGE, bind_udp, towards};
use crate::message::{ALLOW, With, all, header, response};
use crate::sdp::read_answer;
use crate::server::endpoint;
use crate::task;

/// How a [`SipClient`] calls.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The local address; port 0 picks a free one.
    pub bind: SocketAddr,
    /// User name and password for servers that ask.
    pub credentials: Option<(String, EndpointSecret)>,
    /// The codecs that are understood in answers.
    pub codecs: Vec<Codec>,
    /// The words of `User-Agent`.
    pub product: String,
}

impl Default for ClientConfig {
    /// Loopback, a free port, no credentials.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            credentials: None,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            product: concat!("conclave-client/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// Why a call or a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The socket failed.
    #[error("the SIP socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The URI names no `sip:` host that can be reached.
    #[error("`{0}` is no SIP URI that can be called")]
    Uri(String),
    /// The peer refused, or nobody answered: a final status from 300 to 699.
    #[error("refused with {status}")]
    Refused {
        /// The final status.
        status: u16,
        /// What `Retry-After` said.
        retry_after: Option<Duration>,
    },
    /// The peer's answer is no dialog, or its session description can't be used.
    #[error("the answer can't be used")]
    Answer,
    /// The client is shut down.
    #[error("the client is closed")]
    Closed,
}

/// A user agent; clones share its socket.
#[derive(Clone)]
pub struct SipClient {
    core: Arc<Core>,
}

/// What an INVITE is made of.
#[derive(Debug, Clone, Default)]
pub struct Invite {
    /// The user in From, and its display name.
    pub name: String,
    /// The offer; without one the peer makes it.
    pub offer: Option<String>,
    /// Further headers, such as `P-Asserted-Identity`.
    pub headers: Vec<(String, String)>,
}

/// The final response to a request within a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status: 200 to 699. 408 also if nobody answered.
    pub status: u16,
    /// The body, such as a session description.
    pub body: String,
    headers: Vec<(String, String)>,
}

impl Reply {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn new(response: &Response) -> Self {
        Self {
            status: response.status_code.code(),
            body: String::from_utf8_lossy(&response.body).into_owned(),
            headers: response
                .headers
                .iter()
                .map(|h| (h.name().to_owned(), h.value().to_owned()))
                .collect(),
        }
    }
}

struct Core {
    config: ClientConfig,
    endpoint: EndpointInnerRef,
    connection: SipConnection,
    local: SocketAddr,
    calls: Mutex<HashMap<DialogKey, Arc<Shared>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl SipClient {
    /// Opens the socket.
    pub async fn start(config: ClientConfig) -> Result<Self, ClientError> {
        let (socket, connection, local) = bind_udp(config.bind).await?;
        let stop = CancellationToken::new();
        let endpoint = endpoint(&config.product, stop.clone());
        let core = Core {
            config,
            endpoint,
            connection,
            local,
            calls: Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
        };
        let core = Arc::new(core);
        let timers = core.clone();
        core.spawn(async move {
            let _ = timers.endpoint.serve().await;
        });
        core.spawn(receive(core.clone(), socket));
        Ok(Self { core })
    }

    /// The address of its socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.core.local
    }

    /// Calls, and waits until the call is answered. With an offer the ACK is sent; without one the peer's offer
    /// waits for [`ClientCall::acknowledge`].
    pub async fn call(
        &self,
        uri: &str,
        name: &str,
        offer: Option<&str>,
    ) -> Result<ClientCall, ClientError> {
        let invite = Invite {
            name: name.into(),
            offer: offer.map(Into::into),
            headers: Vec::new(),
        };
        self.invite(uri, invite).await?.answered().await
    }

    /// Sends an INVITE and returns at once.
    pub async fn invite(&self, uri: &str, invite: Invite) -> Result<PendingCall, ClientError> {
        let bad = || ClientError::Uri(uri.to_owned());
        let target = Uri::try_from(uri).map_err(|_| bad())?;
        let port = target
            .host_with_port
            .port
            .as_ref()
            .map_or(5060, |port| port.value());
        let peer = match &target.host_with_port.host {
            Host::IpAddr(ip) => SocketAddr::new(*ip, port),
            Host::Domain(name) => {
                let mut found = tokio::net::lookup_host((name.0.as_str(), port))
                    .await
                    .map_err(|_| bad())?;
                found.next().ok_or_else(bad)?
            }
        };
        let mut local = self.core.local;
        if local.ip().is_unspecified() {
            local.set_ip(towards(peer).ok_or_else(bad)?);
        }
        let path = Path {
            connection: self.core.connection.clone(),
            peer,
            local,
            transport: "UDP",
        };
        let request = build(&self.core.config.product, target, &path, &invite);
        let transaction = begin(self.core.endpoint.clone(), request, path.clone())
            .await
            .ok_or(ClientError::Closed)?;
        Ok(PendingCall {
            core: self.core.clone(),
            path,
            transaction,
            offer: invite.offer,
        })
    }

    /// Closes the socket. Calls that go on are not hung up.
    pub async fn shutdown(&self) {
        self.core.stop.cancel();
        self.core.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.core.tasks.wait()).await;
    }
}

impl std::fmt::Debug for SipClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipClient")
            .field("local", &self.core.local)
            .finish_non_exhaustive()
    }
}

fn build(product: &str, target: Uri, path: &Path, invite: &Invite) -> Request {
    let user: String = invite
        .name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+-_.".contains(*c))
        .collect();
    let display: String = invite
        .name
        .chars()
        .filter(|c| !c.is_control() && !"\"\\".contains(*c))
        .collect();
    let to = format!("<{target}>");
    let mut request = Request {
        method: Method::Invite,
        uri: target,
        version: Version::V2,
        headers: Headers::default(),
        body: Vec::new(),
    }
    .with("Via", path.via())
    .with("Max-Forwards", "70")
    .with(
        "From",
        format!(
            "\"{display}\" <sip:{user}@{}>;tag={}",
            path.local,
            random_text(12)
        ),
    )
    .with("To", to)
    .with(
        "Call-ID",
        format!("{}@{}", random_text(20), path.local.ip()),
    )
    .with("CSeq", "1 INVITE")
    .with("Contact", format!("<sip:{user}@{}>", path.local))
    .with("Allow", ALLOW)
    .with("User-Agent", product)
    .with("Content-Length", "0");
    for (name, value) in &invite.headers {
        request = request.with(name, value.clone());
    }
    match &invite.offer {
        Some(offer) => request.with_body("application/sdp", offer.clone()),
        None => request,
    }
}

/// A call that nobody has answered yet.
pub struct PendingCall {
    core: Arc<Core>,
    path: Path,
    transaction: Transaction,
    offer: Option<String>,
}

impl std::fmt::Debug for PendingCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingCall")
            .field("peer", &self.path.peer)
            .finish_non_exhaustive()
    }
}

impl PendingCall {
    /// Waits for the answer; gives the password where it is asked for.
    pub async fn answered(mut self) -> Result<ClientCall, ClientError> {
        let mut answer = final_response(&mut self.transaction)
            .await
            .ok_or(ClientError::Closed)?;
        if answer.status_code.code() == 401
            && let Some(request) = self.authorised(&answer)
        {
            let again = begin(self.core.endpoint.clone(), request, self.path.clone()).await;
            self.transaction = again.ok_or(ClientError::Closed)?;
            answer = final_response(&mut self.transaction)
                .await
                .ok_or(ClientError::Closed)?;
        }
        if answer.status_code.code() >= 300 {
            return Err(refused(&answer));
        }
        let request = &self.transaction.original;
        let dialog = Dialog::calling(
            request,
            &answer,
            self.path.clone(),
            &self.core.config.product,
        );
        let dialog = dialog.ok_or(ClientError::Answer)?;
        let key = dialog.key.clone();
        let media = read_answer(&answer.body, &self.core.config.codecs).ok();
        let shared = Arc::new(Shared {
            dialog: Mutex::new(dialog),
            answer: Reply::new(&answer),
            media: Mutex::new(media),
            local_sdp: Mutex::new(self.offer.clone()),
            ack: Mutex::new(None),
            ended: CancellationToken::new(),
        });
        lock(&self.core.calls).insert(key, shared.clone());
        let call = ClientCall {
            core: self.core.clone(),
            shared,
        };
        if self.offer.is_some() {
            call.send_ack(None).await;
        }
        Ok(call)
    }

    /// Takes the INVITE back once the peer has it; the final status is 487 if that came in time.
    pub async fn cancel(mut self) -> Result<u16, ClientError> {
        let first = self
            .transaction
            .receive()
            .await
            .ok_or(ClientError::Closed)?;
        if let SipMessage::Response(response) = first
            && response.status_code.code() >= 200
        {
            return Ok(response.status_code.code());
        }
        let invite = &self.transaction.original;
        let mut cancel = Request {
            method: Method::Cancel,
            body: Vec::new(),
            ..invite.clone()
        };
        let keep = ["via", "from", "to", "call-id", "max-forwards", "route"];
        cancel
            .headers
            .retain(|h| keep.iter().any(|name| h.name().eq_ignore_ascii_case(name)));
        let cancel = cancel.with("CSeq", "1 CANCEL").with("Content-Length", "0");
        self.transaction
            .send_cancel(cancel)
            .await
            .map_err(|_| ClientError::Closed)?;
        let last = final_response(&mut self.transaction)
            .await
            .ok_or(ClientError::Closed)?;
        Ok(last.status_code.code())
    }

    /// The same INVITE with credentials (RFC 3261 section 22.2).
    fn authorised(&self, challenged: &Response) -> Option<Request> {
        let (user, secret) = self.core.config.credentials.as_ref()?;
        let EndpointSecret::Password(password) = secret else {
            return None;
        };
        let invite = &self.transaction.original;
        let uri = invite.uri.to_string();
        let cnonce = random_text(12);
        let value = all(&challenged.headers, "WWW-Authenticate").find_map(|challenge| {
            digest::answer(challenge, user, password, "INVITE", &uri, &cnonce)
        })?;
        let mut request = invite.clone();
        request.headers.retain(|h| {
            !["via", "cseq"]
                .iter()
                .any(|name| h.name().eq_ignore_ascii_case(name))
        });
        let mut request = request
            .with("CSeq", "2 INVITE")
            .with("Authorization", value);
        request
            .headers
            .push_front(rsipstack::sip::headers::make_header("Via", self.path.via()));
        Some(request)
    }
}

fn refused(response: &Response) -> ClientError {
    let after = header(&response.headers, "Retry-After");
    let seconds = after.and_then(|value| value.split([';', ' ', '(']).next()?.parse().ok());
    ClientError::Refused {
        status: response.status_code.code(),
        retry_after: seconds.map(Duration::from_secs),
    }
}

struct Shared {
    dialog: Mutex<Dialog>,
    answer: Reply,
    media: Mutex<Option<CallMedia>>,
    local_sdp: Mutex<Option<String>>,
    /// The last ACK, for 2xx that come again.
    ack: Mutex<Option<Request>>,
    ended: CancellationToken,
}

/// An answered call. Dropping it leaves the call as it is.
#[derive(Clone)]
pub struct ClientCall {
    core: Arc<Core>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for ClientCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCall")
            .field("ended", &self.shared.ended.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl ClientCall {
    /// The final response to the INVITE, with the peer's session description.
    pub fn answer(&self) -> &Reply {
        &self.shared.answer
    }

    /// Where the peer wants RTP; unspecified if its description can't be used.
    pub fn remote_rtp(&self) -> SocketAddr {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        lock(&self.shared.media).map_or(nowhere, |media| media.remote)
    }

    /// Acknowledges a call that was made without an offer, with the answer to the peer's.
    pub async fn acknowledge(&self, answer: &str) {
        *lock(&self.shared.local_sdp) = Some(answer.to_owned());
        self.send_ack(Some(answer)).await;
    }

    /// Hangs up.
    pub async fn bye(&self) -> Result<Reply, ClientError> {
        let reply = self.request(Method::Bye, &[], None).await?;
        self.over();
        Ok(reply)
    }

    /// Sends an INFO.
    pub async fn info(&self, content_type: &str, body: &str) -> Result<Reply, ClientError> {
        self.request(Method::Info, &[], Some((content_type, body)))
            .await
    }

    /// Sends OPTIONS within the call.
    pub async fn options(&self) -> Result<Reply, ClientError> {
        self.request(Method::Options, &[], None).await
    }

    /// Sends an UPDATE, with an offer or to refresh alone; further headers as name and value.
    pub async fn update(
        &self,
        offer: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Reply, ClientError> {
        self.request(
            Method::Update,
            headers,
            offer.map(|sdp| ("application/sdp", sdp)),
        )
        .await
    }

    /// Sends a REFER, which a conference refuses.
    pub async fn refer(&self, target: &str) -> Result<Reply, ClientError> {
        self.request(Method::Refer, &[("Refer-To", target)], None)
            .await
    }

    /// Sends a re-INVITE with an offer and acknowledges what comes.
    pub async fn reinvite(&self, offer: &str) -> Result<Reply, ClientError> {
        let reply = self
            .request(Method::Invite, &[], Some(("application/sdp", offer)))
            .await?;
        if reply.status < 300 {
            *lock(&self.shared.local_sdp) = Some(offer.to_owned());
            let media = read_answer(reply.body.as_bytes(), &self.core.config.codecs).ok();
            *lock(&self.shared.media) = media;
            self.send_ack(None).await;
        }
        Ok(reply)
    }

    /// Waits until either side has hung up.
    pub async fn ended(&self) {
        self.shared.ended.cancelled().await;
    }

    /// Whether either side has hung up.
    pub fn is_ended(&self) -> bool {
        self.shared.ended.is_cancelled()
    }

    async fn request(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: Option<(&str, &str)>,
    ) -> Result<Reply, ClientError> {
        let (mut request, path) = {
            let mut dialog = lock(&self.shared.dialog);
            (dialog.request(method), dialog.path.clone())
        };
        for (name, value) in headers {
            request = request.with(name, *value);
        }
        if let Some((content_type, body)) = body {
            request = request.with_body(content_type, body);
        }
        let response = transact(self.core.endpoint.clone(), request, path).await;
        Ok(Reply::new(&response.ok_or(ClientError::Closed)?))
    }

    async fn send_ack(&self, answer: Option<&str>) {
        let (ack, path) = {
            let dialog = lock(&self.shared.dialog);
            (dialog.ack(dialog.last_seq()), dialog.path.clone())
        };
        let ack = match answer {
            Some(sdp) => ack.with_body("application/sdp", sdp),
            None => ack,
        };
        *lock(&self.shared.ack) = Some(ack.clone());
        path.send(ack.into()).await;
    }

    fn over(&self) {
        let key = lock(&self.shared.dialog).key.clone();
        lock(&self.core.calls).remove(&key);
        self.shared.ended.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        task::spawn(&self.tasks, &self.stop, task);
    }

    fn call(self: &Arc<Self>, key: Option<DialogKey>) -> Option<ClientCall> {
        let shared = lock(&self.calls).get(&key?)?.clone();
        Some(ClientCall {
            core: self.clone(),
            shared,
        })
    }
}

async fn receive(core: Arc<Core>, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            // The echo of something sent before (ICMP): the peer is gone, which its transaction will tell.
            tokio::task::yield_now().await;
            continue;
        };
        let Verdict::Pass(bytes) = guard::check(&buffer[..length], false) else {
            continue;
        };
        let message = guard::parse(&bytes)
            .and_then(|m| SipConnection::update_msg_received(m, peer, Transport::Udp).ok());
        if let Some(message) = message {
            take(&core, message, peer).await;
        }
    }
}

async fn take(core: &Arc<Core>, message: SipMessage, peer: SocketAddr) {
    let path = Path {
        connection: core.connection.clone(),
        peer,
        local: core.local,
        transport: "UDP",
    };
    let from = path.destination();
    let request = match message {
        SipMessage::Response(response) => {
            let gone = TransactionKey::from_response(&response, TransactionRole::Client)
                .is_ok_and(|key| core.endpoint.transactions.get(&key).is_none());
            if gone && is_invite_success(&response) {
                let call = core.call(DialogKey::of_response(&response));
                let ack = call.and_then(|call| lock(&call.shared.ack).clone());
                if let Some(ack) = ack {
                    path.send(ack.into()).await;
                }
                return;
            }
            let _ = core
                .endpoint
                .on_received_message(response.into(), path.connection, &from)
                .await;
            return;
        }
        SipMessage::Request(request) => request,
    };
    let Ok(key) = TransactionKey::from_request(&request, TransactionRole::Server) else {
        return;
    };
    let known = core.endpoint.transactions.get(&key).is_some()
        || core.endpoint.finished_transactions.get(&key).is_some();
    if known || matches!(request.method, Method::Ack | Method::Cancel) {
        let _ = core
            .endpoint
            .on_received_message(request.into(), path.connection, &from)
            .await;
        return;
    }
    let call = core.call(DialogKey::of_request(&request));
    let connection = Some(path.connection.clone());
    let mut transaction = Transaction::new_server(key, request, core.endpoint.clone(), connection);
    transaction.destination = Some(from);
    let (reply, tag) = reply(core, call.as_ref(), &transaction.original, &path);
    let product = core.config.product.clone();
    let ends = transaction.original.method == Method::Bye;
    core.spawn(async move {
        let _ = transaction.respond(reply).await;
        if let (true, Some(call)) = (ends, call) {
            call.over();
        }
        if transaction.original.method == Method::Invite {
            drive_on(transaction, tag, product).await;
        }
    });
}

/// The answer to a request of the peer's, and the tag in it.
fn reply(
    core: &Core,
    call: Option<&ClientCall>,
    request: &Request,
    path: &Path,
) -> (Response, String) {
    let tag = call.map_or_else(
        || "none".to_owned(),
        |call| lock(&call.shared.dialog).local_tag.clone(),
    );
    let with = |status| response(request, status, &tag, &core.config.product);
    let Some(call) = call else {
        let status = if request.method == Method::Options {
            200
        } else {
            481
        };
        return (with(status), tag);
    };
    if !lock(&call.shared.dialog).receive(request, path) {
        return (with(500), tag);
    }
    let reply = match request.method {
        Method::Bye | Method::Options | Method::Info => with(200),
        Method::Invite | Method::Update => {
            let mut ok = session_headers(with(200), path);
            if let Some(expires) = header(&request.headers, "Session-Expires") {
                ok = ok.with("Session-Expires", expires).with("Require", "timer");
            }
            let description = lock(&call.shared.local_sdp).clone();
            match description
                .filter(|_| !request.body.is_empty() || request.method == Method::Invite)
            {
                Some(sdp) => ok.with_body("application/sdp", sdp),
                None => ok,
            }
        }
        _ => with(405).with("Allow", ALLOW),
    };
    (reply, tag)
}
