//! One dialog (RFC 3261 section 12): what its requests are made of and how they travel.

use std::net::SocketAddr;

use rsipstack::sip::{
    Headers, HeadersExt, Method, Request, Response, Scheme, SipMessage, Uri, Version,
};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::random_text;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};

use crate::message::{ALLOW, NameAddr, With, all, header, identity, tag};

/// A way to one peer: requests of a dialog go back to where its requests come from, so that no Contact can turn
/// this side against a third party.
#[derive(Clone)]
pub(crate) struct Path {
    pub(crate) connection: SipConnection,
    pub(crate) peer: SocketAddr,
    /// This side's address as the peer sees it.
    pub(crate) local: SocketAddr,
    /// `UDP` or `TCP`, as in Via.
    pub(crate) transport: &'static str,
}

impl Path {
    pub(crate) fn destination(&self) -> SipAddr {
        SipAddr::from(self.peer)
    }

    /// The value of a Via header of ours.
    pub(crate) fn via(&self) -> String {
        format!(
            "SIP/2.0/{} {};branch=z9hG4bK{};rport",
            self.transport,
            self.local,
            random_text(16)
        )
    }

    /// The value of our Contact header.
    pub(crate) fn contact(&self) -> String {
        match self.transport {
            "TCP" => format!("<sip:conclave@{};transport=tcp>", self.local),
            _ => format!("<sip:conclave@{}>", self.local),
        }
    }

    /// Sends one message outside of any transaction.
    pub(crate) async fn send(&self, message: SipMessage) {
        let _ = self
            .connection
            .send(message, Some(&self.destination()))
            .await;
    }
}

/// Names a dialog among those of this side: Call-ID, local tag, remote tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DialogKey {
    call_id: String,
    local: String,
    remote: String,
}

impl DialogKey {
    /// The dialog that a request of the peer belongs to, if it has both tags.
    pub(crate) fn of_request(request: &Request) -> Option<Self> {
        let (from, to, call_id, _) = identity(request);
        Self::new(call_id, tag(to)?, tag(from)?)
    }

    /// The dialog that a response to a request of ours belongs to.
    pub(crate) fn of_response(response: &Response) -> Option<Self> {
        let (from, to, call_id, _) = identity(response);
        Self::new(call_id, tag(from)?, tag(to)?)
    }

    pub(crate) fn local_tag(&self) -> &str {
        &self.local
    }

    fn new(call_id: &str, local: &str, remote: &str) -> Option<Self> {
        let (call_id, local, remote) = (call_id.to_owned(), local.to_owned(), remote.to_owned());
        Some(Self {
            call_id,
            local,
            remote,
        })
    }
}

/// The state of one dialog.
pub(crate) struct Dialog {
    pub(crate) key: DialogKey,
    pub(crate) path: Path,
    pub(crate) local_tag: String,
    from: String,
    to: String,
    local_seq: u32,
    remote_seq: u32,
    target: Uri,
    routes: Vec<String>,
    product: String,
    /// The methods that the peer says it takes.
    pub(crate) allows: Vec<String>,
}

impl Dialog {
    /// The called side's dialog of an INVITE; `None` if the INVITE lacks what a dialog needs.
    pub(crate) fn called(invite: &Request, path: Path, product: &str) -> Option<Self> {
        let (from, to, call_id, seq) = identity(invite);
        let local_tag = random_text(16);
        Some(Self {
            key: DialogKey::new(call_id, &local_tag, tag(from)?)?,
            path,
            from: format!("{};tag={local_tag}", to.trim()),
            to: from.to_owned(),
            local_tag,
            local_seq: 0,
            remote_seq: seq,
            target: contact_uri(&invite.headers)?,
            routes: routes(&invite.headers),
            product: product.to_owned(),
            allows: allows(&invite.headers),
        })
    }

    /// The calling side's dialog, from our INVITE and its 2xx.
    pub(crate) fn calling(
        invite: &Request,
        answer: &Response,
        path: Path,
        product: &str,
    ) -> Option<Self> {
        let (from, to, _, seq) = identity(answer);
        let mut routes = routes(&answer.headers);
        routes.reverse();
        let (invite_from, ..) = identity(invite);
        Some(Self {
            key: DialogKey::of_response(answer)?,
            path,
            local_tag: tag(from)?.to_owned(),
            from: invite_from.to_owned(),
            to: to.to_owned(),
            local_seq: seq,
            remote_seq: 0,
            target: contact_uri(&answer.headers)?,
            routes,
            product: product.to_owned(),
            allows: allows(&answer.headers),
        })
    }

    /// Notes a request of the peer; `false` if it is older than what came before (RFC 3261 section 12.2.2).
    pub(crate) fn receive(&mut self, request: &Request, path: &Path) -> bool {
        let (.., seq) = identity(request);
        if seq <= self.remote_seq {
            return false;
        }
        self.remote_seq = seq;
        self.path = path.clone();
        let refreshes = matches!(request.method, Method::Invite | Method::Update);
        if refreshes && let Some(target) = contact_uri(&request.headers) {
            self.target = target;
        }
        true
    }

    /// The next request of this side.
    pub(crate) fn request(&mut self, method: Method) -> Request {
        self.local_seq += 1;
        let mut request = self.build(method, self.local_seq);
        if matches!(method, Method::Invite | Method::Update) {
            request = request
                .with("Contact", self.path.contact())
                .with("Allow", ALLOW)
                .with("Supported", "timer");
        }
        request
    }

    /// The ACK of the 2xx to this side's INVITE with this CSeq number.
    pub(crate) fn ack(&self, seq: u32) -> Request {
        self.build(Method::Ack, seq)
    }

    /// The CSeq number of the last request of this side.
    pub(crate) fn last_seq(&self) -> u32 {
        self.local_seq
    }

    fn build(&self, method: Method, seq: u32) -> Request {
        let mut request = Request {
            method,
            uri: self.target.clone(),
            version: Version::V2,
            headers: Headers::default(),
            body: Vec::new(),
        }
        .with("Via", self.path.via())
        .with("Max-Forwards", "70")
        .with("From", &*self.from)
        .with("To", &*self.to)
        .with("Call-ID", &*self.key.call_id)
        .with("CSeq", format!("{seq} {method}"));
        for route in &self.routes {
            request = request.with("Route", &**route);
        }
        request
            .with("User-Agent", &*self.product)
            .with("Content-Length", "0")
    }
}

/// Sends a request and waits for its final response; the stack repeats it and gives up with a 408 of its own.
/// A dead connection gives 503.
pub(crate) async fn transact(
    endpoint: EndpointInnerRef,
    request: Request,
    path: Path,
) -> Option<Response> {
    let mut transaction = begin(endpoint, request, path).await?;
    final_response(&mut transaction).await
}

/// Sends a request; provisional and final responses are the transaction's to receive.
pub(crate) async fn begin(
    endpoint: EndpointInnerRef,
    request: Request,
    path: Path,
) -> Option<Transaction> {
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let destination = path.destination();
    let mut transaction = Transaction::new_client(key, request, endpoint, Some(path.connection));
    transaction.destination = Some(destination);
    transaction.send().await.ok()?;
    Some(transaction)
}

/// The transaction's final response.
pub(crate) async fn final_response(transaction: &mut Transaction) -> Option<Response> {
    while let Some(message) = transaction.receive().await {
        if let SipMessage::Response(response) = message
            && response.status_code.code() >= 200
        {
            return Some(response);
        }
    }
    None
}

fn contact_uri(headers: &Headers) -> Option<Uri> {
    let contact = NameAddr::parse(header(headers, "Contact")?)?;
    let uri = Uri::try_from(contact.uri).ok()?;
    matches!(uri.scheme, Some(Scheme::Sip | Scheme::Sips)).then_some(uri)
}

/// The Record-Route values in their order, at most 16 of them.
fn routes(headers: &Headers) -> Vec<String> {
    let values: Vec<&str> = all(headers, "Record-Route").collect();
    let single = values.iter().flat_map(|value| split_routes(value));
    single.take(16).collect()
}

/// Splits at commas outside of angle brackets.
fn split_routes(value: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'<' => inside = true,
            b'>' => inside = false,
            b',' if !inside => {
                parts.push(value[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value[start..].trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

fn allows(headers: &Headers) -> Vec<String> {
    let methods = crate::message::words(headers, "Allow").into_iter();
    methods.take(32).map(str::to_ascii_uppercase).collect()
}

/// The headers that a response which sets up or changes a session carries.
pub(crate) fn session_headers(response: Response, path: &Path) -> Response {
    response
        .with("Contact", path.contact())
        .with("Allow", ALLOW)
        .with("Supported", "timer")
}

/// Whether this is a 2xx to an INVITE, which its sender repeats until it has the ACK.
pub(crate) fn is_invite_success(response: &Response) -> bool {
    let invite = response.cseq_header().ok().and_then(|c| c.method().ok()) == Some(Method::Invite);
    invite && (200..300).contains(&response.status_code.code())
}
