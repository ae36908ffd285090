//! One incoming call: a task that owns its dialog, its session and its timers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rsipstack::sip::{Header, HeadersExt, Method, Request, Response, SipMessage};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admission::Bucket;
use crate::dialog::{Dialog, DialogKey, Path, session_headers, transact};
use crate::event::{CallMedia, CallRef, EndReason, IncomingCall, InfoBody, SipEvent};
use crate::front::{self, MAX_INFO};
use crate::message::{ALLOW, With, header, identity, is_sdp, response};
use crate::sdp::{Direction, LocalSession, NegotiateError, Negotiated, negotiate, read_answer};
use crate::server::{Core, INPUTS, Slot};
use crate::stats::Refused;
use crate::timer::{Refresh, TooSmall};

/// How many requests a second a peer may send within its call.
const REQUESTS_PER_SECOND: u32 = 50;

/// What the application wants of a call.
pub(crate) enum Command {
    Ring,
    Answer(SocketAddr),
    Reject {
        status: u16,
        retry_after: Option<Duration>,
    },
    Probe(oneshot::Sender<bool>),
}

/// What reaches a call.
pub(crate) enum Input {
    Command(Command),
    /// A request within the dialog, by the way it came.
    Request(Box<(Transaction, Path)>),
    /// The ACK of the INVITE with this number, and the session description in it.
    Ack {
        seq: u32,
        sdp: Option<Vec<u8>>,
    },
    /// The INVITE with this number was never acknowledged.
    Unacknowledged {
        seq: u32,
    },
    Cancelled,
    /// The peer repeats its 2xx to a re-INVITE of ours.
    Repeated(u32),
    /// What became of a refresh of ours; `None` if nothing came back.
    Refreshed {
        seq: u32,
        response: Option<Box<Response>>,
    },
}

/// Registers an admitted call and sets it going.
pub(crate) fn start(
    core: &Arc<Core>,
    incoming: IncomingCall,
    dialog: Dialog,
    invite: Transaction,
    offer: Option<Negotiated>,
    refresh: Option<Refresh>,
    advertise: Option<IpAddr>,
) {
    let (sender, inputs) = mpsc::channel(INPUTS);
    let hang_up = CancellationToken::new();
    let registration = Registration {
        core: core.clone(),
        call: incoming.call,
        key: dialog.key.clone(),
    };
    {
        let mut registry = core.registry();
        registry.dialogs.insert(dialog.key.clone(), incoming.call);
        let slot = Slot {
            inputs: sender.clone(),
            hang_up: hang_up.clone(),
        };
        registry.calls.insert(incoming.call, slot);
    }
    let request = invite.original.clone();
    let (.., seq) = identity(&request);
    let call = Call {
        core: core.clone(),
        id: incoming.call,
        seq,
        invite: Some(Invite {
            request,
            replies: invite.tu_sender.clone(),
        }),
        phase: Phase::Pending,
        local: LocalSession::new(random()).wishing(core.config.opus),
        rtp: None,
        advertise,
        offer,
        media: incoming.media,
        remote_version: None,
        awaiting: None,
        refresh,
        refreshed: Instant::now(),
        refreshing: None,
        retry: None,
        requests: Bucket::new(REQUESTS_PER_SECOND, core.now()),
        me: sender.clone(),
        inputs,
        hang_up,
        dialog,
    };
    let settle = Settle {
        core: core.clone(),
        source: Some(incoming.trunk.clone()),
    };
    core.spawn(drive(
        invite,
        call.dialog.local_tag.clone(),
        core.config.product.clone(),
        sender,
        Some(settle),
    ));
    core.spawn(call.run(incoming, registration));
}

/// Removes the call from the register, however its task ends.
struct Registration {
    core: Arc<Core>,
    call: CallRef,
    key: DialogKey,
}

impl Drop for Registration {
    fn drop(&mut self) {
        {
            let mut registry = self.core.registry();
            registry.calls.remove(&self.call);
            registry.dialogs.remove(&self.key);
        }
        self.core.gate().left();
    }
}

/// Gives the call's place among the pending ones back, once.
struct Settle {
    core: Arc<Core>,
    source: Option<String>,
}

impl Drop for Settle {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            self.core.gate().settled(&source);
        }
    }
}

/// Runs an INVITE's server transaction to its end: repetitions, CANCEL, ACK. The stack's transaction may not be
/// left in the middle, so it has a task of its own.
async fn drive(
    mut invite: Transaction,
    tag: String,
    product: String,
    call: mpsc::Sender<Input>,
    mut settle: Option<Settle>,
) {
    let (.., seq) = identity(&invite.original);
    let trying = response(&invite.original, 100, &tag, &product);
    let _ = invite.respond(trying).await;
    let mut acknowledged = false;
    while let Some(message) = invite.receive().await {
        let SipMessage::Request(request) = message else {
            continue;
        };
        match request.method {
            Method::Ack => {
                acknowledged = true;
                settle = None;
                let sdp = is_sdp(&request.headers).then_some(request.body);
                let _ = call.send(Input::Ack { seq, sdp }).await;
            }
            Method::Cancel => {
                let gone = response(&invite.original, 487, &tag, &product);
                let _ = invite.respond(gone).await;
                let _ = call.send(Input::Cancelled).await;
            }
            _ => {}
        }
    }
    drop(settle);
    if !acknowledged {
        let _ = call.send(Input::Unacknowledged { seq }).await;
    }
}

/// The INVITE that began the call, as long as it isn't settled.
struct Invite {
    request: Request,
    replies: TransactionEventSender,
}

enum Phase {
    /// The application has not decided.
    Pending,
    /// Answered, the ACK isn't there. With a reason, the call ends as soon as it is: a BYE may not come before
    /// (RFC 3261 section 15).
    Answered {
        ending: Option<EndReason>,
    },
    Confirmed,
}

struct Call {
    core: Arc<Core>,
    id: CallRef,
    dialog: Dialog,
    /// The INVITE's number.
    seq: u32,
    invite: Option<Invite>,
    phase: Phase,
    local: LocalSession,
    /// The local address for RTP, as the peer is told.
    rtp: Option<SocketAddr>,
    advertise: Option<IpAddr>,
    /// The caller's offer, until it is answered.
    offer: Option<Negotiated>,
    media: Option<CallMedia>,
    /// The id and version of the peer's last session description.
    remote_version: Option<(String, u64)>,
    /// A re-INVITE that was answered but not acknowledged, and whether the answer was an offer of ours.
    awaiting: Option<Awaiting>,
    refresh: Option<Refresh>,
    refreshed: Instant,
    /// The number of a refresh of ours that is on its way.
    refreshing: Option<u32>,
    /// When to try a refresh again that met one of the peer's.
    retry: Option<Instant>,
    requests: Bucket,
    inputs: mpsc::Receiver<Input>,
    me: mpsc::Sender<Input>,
    hang_up: CancellationToken,
}

struct Awaiting {
    seq: u32,
    offered: bool,
}

/// The call is over.
struct Over(EndReason);

type Step = Result<(), Over>;

impl Call {
    async fn run(mut self, incoming: IncomingCall, registration: Registration) {
        let answer_by = Instant::now() + self.core.config.limits.answer_within;
        self.remote_version = self.offer.as_ref().map(Negotiated::version);
        self.tell(SipEvent::Incoming(Box::new(incoming))).await;
        let reason = loop {
            let asked = matches!(self.phase, Phase::Answered { ending: Some(_) });
            let deadline = self.deadline(answer_by);
            let step = tokio::select! {
                () = self.hang_up.cancelled(), if !asked => self.end(EndReason::HungUp),
                () = self.core.ending.cancelled(), if !asked => self.end(EndReason::Shutdown),
                input = self.inputs.recv() => match input {
                    // Boxed, so that a call that waits holds nothing for what it may have to do.
                    Some(input) => Box::pin(self.handle(input)).await,
                    None => Err(Over(EndReason::Shutdown)),
                },
                () = tokio::time::sleep_until(deadline) => self.timeout(answer_by),
            };
            if let Err(Over(reason)) = step {
                break reason;
            }
        };
        let (call, core) = (self.id, self.core.clone());
        drop(self);
        drop(registration);
        let _ = core.events.send(SipEvent::Ended { call, reason }).await;
    }

    async fn tell(&self, event: SipEvent) {
        // An application that doesn't listen any more is shutting down.
        let _ = self.core.events.send(event).await;
    }

    fn deadline(&self, answer_by: Instant) -> Instant {
        match (&self.phase, &self.refresh) {
            (Phase::Pending, _) => answer_by,
            (Phase::Confirmed, Some(refresh)) => {
                let gives_up = self.refreshed + refresh.gives_up();
                if !refresh.ours || self.refreshing.is_some() {
                    return gives_up;
                }
                self.retry
                    .unwrap_or(self.refreshed + refresh.due())
                    .min(gives_up)
            }
            // Nothing is due; the select needs some time all the same.
            (Phase::Confirmed | Phase::Answered { .. }, _) => {
                Instant::now() + Duration::from_secs(3_600)
            }
        }
    }

    fn timeout(&mut self, answer_by: Instant) -> Step {
        match (&self.phase, self.refresh) {
            (Phase::Pending, _) if Instant::now() >= answer_by => {
                self.reply(480, |r| r);
                Err(Over(EndReason::NotAnswered))
            }
            (Phase::Confirmed, Some(refresh)) => {
                if Instant::now() >= self.refreshed + refresh.gives_up() {
                    return self.end(EndReason::SessionExpired);
                }
                self.send_refresh(refresh);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Ends the call as its state demands.
    fn end(&mut self, reason: EndReason) -> Step {
        match &mut self.phase {
            Phase::Pending => self.reply(480, |r| r),
            Phase::Answered { ending } => {
                ending.get_or_insert(reason);
                return Ok(());
            }
            Phase::Confirmed => self.send_bye(),
        }
        Err(Over(reason))
    }

    async fn handle(&mut self, input: Input) -> Step {
        match input {
            Input::Command(command) => self.command(command),
            Input::Request(request) => {
                let (transaction, path) = *request;
                self.request(transaction, path).await
            }
            Input::Ack { seq, sdp } if seq == self.seq => self.confirmed(sdp).await,
            Input::Ack { seq, sdp } => self.reinvite_confirmed(seq, sdp).await,
            Input::Unacknowledged { seq } => self.unacknowledged(seq),
            Input::Cancelled => match self.phase {
                // An answer that crossed the CANCEL was never sent.
                Phase::Pending | Phase::Answered { .. } => Err(Over(EndReason::Cancelled)),
                Phase::Confirmed => Ok(()),
            },
            Input::Repeated(seq) => {
                let (ack, path) = (self.dialog.ack(seq), self.dialog.path.clone());
                path.send(ack.into()).await;
                Ok(())
            }
            Input::Refreshed { seq, response } => self.refreshed(seq, response).await,
        }
    }

    fn command(&mut self, command: Command) -> Step {
        match (command, &self.phase) {
            (Command::Ring, Phase::Pending) => self.reply(180, |r| r),
            (Command::Answer(rtp), Phase::Pending) => self.answer(rtp),
            (
                Command::Reject {
                    status,
                    retry_after,
                },
                Phase::Pending,
            ) => {
                let status = if (300..700).contains(&status) {
                    status
                } else {
                    480
                };
                self.reply(status, |r| match retry_after {
                    Some(after) => r.with("Retry-After", after.as_secs().max(1).to_string()),
                    None => r,
                });
                return Err(Over(EndReason::Rejected(status)));
            }
            (Command::Probe(reply), Phase::Confirmed) => self.probe(reply),
            // Too late, or too early: the application will see why in what comes.
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, rtp: SocketAddr) {
        let rtp = SocketAddr::new(self.advertise.unwrap_or(rtp.ip()), rtp.port());
        self.rtp = Some(rtp);
        let sdp = match self.offer.take() {
            Some(offer) => self.local.answer(&offer, rtp),
            None => self
                .local
                .offer(&self.core.config.codecs, rtp, Direction::SendRecv),
        };
        let refresh = self.refresh;
        self.phase = Phase::Answered { ending: None };
        self.reply(200, |r| timed(r, refresh).with_body("application/sdp", sdp));
    }

    /// Answers the INVITE that began the call.
    fn reply(&self, status: u16, more: impl FnOnce(Response) -> Response) {
        let Some(invite) = &self.invite else { return };
        let plain = self.response(&invite.request, status);
        let full = if status < 300 {
            session_headers(plain, &self.dialog.path)
        } else {
            plain
        };
        let _ = invite.replies.send(TransactionEvent::Respond(more(full)));
    }

    fn response(&self, request: &Request, status: u16) -> Response {
        response(
            request,
            status,
            &self.dialog.local_tag,
            &self.core.config.product,
        )
    }

    /// Of the INVITE nothing is kept while the call goes on: it and its transaction's queue are many kilobytes.
    fn settle(&mut self) {
        self.phase = Phase::Confirmed;
        self.invite = None;
    }

    async fn confirmed(&mut self, sdp: Option<Vec<u8>>) -> Step {
        let Phase::Answered { ending } = self.phase else {
            return Ok(());
        };
        self.settle();
        self.refreshed = Instant::now();
        if let Some(reason) = ending {
            return self.end(reason);
        }
        self.tell(SipEvent::Confirmed { call: self.id }).await;
        if self.media.is_none() {
            let Ok(media) = self.read_answer(sdp.as_deref()) else {
                return self.end(EndReason::NoMedia);
            };
            self.set_media(media).await;
        }
        Ok(())
    }

    async fn reinvite_confirmed(&mut self, seq: u32, sdp: Option<Vec<u8>>) -> Step {
        let Some(awaiting) = self.awaiting.take_if(|a| a.seq == seq) else {
            return Ok(());
        };
        // An answer that can't be used leaves the session as it was.
        if awaiting.offered
            && let Ok(media) = self.read_answer(sdp.as_deref())
        {
            self.set_media(media).await;
        }
        Ok(())
    }

    fn unacknowledged(&mut self, seq: u32) -> Step {
        match self.phase {
            Phase::Answered { ending } if seq == self.seq => {
                self.settle();
                self.end(ending.unwrap_or(EndReason::NotAcknowledged))
            }
            Phase::Confirmed if self.awaiting.as_ref().is_some_and(|a| a.seq == seq) => {
                self.end(EndReason::NotAcknowledged)
            }
            _ => Ok(()),
        }
    }

    fn read_answer(&self, sdp: Option<&[u8]>) -> Result<CallMedia, NegotiateError> {
        let media = read_answer(sdp.unwrap_or_default(), &self.core.config.codecs)?;
        self.same_network(media.remote)
            .then_some(media)
            .ok_or(NegotiateError::Address)
    }

    fn same_network(&self, remote: SocketAddr) -> bool {
        self.rtp.is_none_or(|rtp| rtp.is_ipv4() == remote.is_ipv4())
    }

    async fn set_media(&mut self, media: CallMedia) {
        self.media = Some(media);
        self.tell(SipEvent::Media {
            call: self.id,
            media,
        })
        .await;
    }

    async fn request(&mut self, mut transaction: Transaction, path: Path) -> Step {
        let request = transaction.original.clone();
        let refusal = if !self.dialog.receive(&request, &path) {
            Some((500, vec![Header::RetryAfter("1".into())]))
        } else if !self.requests.take(self.core.now()) && request.method != Method::Bye {
            self.core.counters.refuse(Refused::Overload);
            Some((503, vec![Header::RetryAfter("1".into())]))
        } else {
            front::unfit(&self.core, &request)
        };
        if let Some((status, headers)) = refusal {
            let mut reply = self.response(&request, status);
            reply.headers.extend(headers);
            return self.finish(transaction, reply).await;
        }
        let status = match request.method {
            Method::Bye => {
                let _ = transaction.respond(self.response(&request, 200)).await;
                if matches!(self.phase, Phase::Pending) {
                    self.reply(487, |r| r);
                }
                return Err(Over(EndReason::PeerHungUp));
            }
            Method::Invite | Method::Update => {
                return self.session_change(transaction, request).await;
            }
            Method::Options => {
                let reply = front::options(&self.core, &request, &path);
                return self.finish(transaction, reply).await;
            }
            Method::Info if request.body.len() > MAX_INFO => 413,
            Method::Info => {
                let _ = transaction.respond(self.response(&request, 200)).await;
                let content_type = header(&request.headers, "Content-Type")
                    .unwrap_or("")
                    .to_owned();
                let body = InfoBody(request.body);
                self.tell(SipEvent::Info {
                    call: self.id,
                    content_type,
                    body,
                })
                .await;
                return Ok(());
            }
            Method::Refer => 603,
            Method::PRack => 481,
            _ => 405,
        };
        self.core.counters.refuse(Refused::Unsupported);
        let mut reply = self.response(&request, status);
        if status == 405 {
            reply = reply.with("Allow", ALLOW);
        }
        self.finish(transaction, reply).await
    }

    /// Answers for good. A refused re-INVITE waits for its ACK in a task of its own.
    async fn finish(&self, mut transaction: Transaction, reply: Response) -> Step {
        let _ = transaction.respond(reply).await;
        if transaction.original.method == Method::Invite {
            let product = self.core.config.product.clone();
            self.core.spawn(drive_on(
                transaction,
                self.dialog.local_tag.clone(),
                product,
            ));
        }
        Ok(())
    }

    /// A re-INVITE or an UPDATE (RFC 3261 section 14, RFC 3311).
    async fn session_change(&mut self, mut transaction: Transaction, request: Request) -> Step {
        match self.agree(&request) {
            Err(refusal) => self.finish(transaction, refusal).await,
            Ok((reply, media)) => {
                self.refreshed = Instant::now();
                if request.method == Method::Invite {
                    let product = self.core.config.product.clone();
                    let replies = transaction.tu_sender.clone();
                    let _ = replies.send(TransactionEvent::Respond(reply));
                    self.core.spawn(drive(
                        transaction,
                        self.dialog.local_tag.clone(),
                        product,
                        self.me.clone(),
                        None,
                    ));
                } else {
                    let _ = transaction.respond(reply).await;
                }
                if let Some(media) = media {
                    self.set_media(media).await;
                }
                Ok(())
            }
        }
    }

    /// Decides on a change: the answer to send and the media if they are new, or a refusal that leaves everything
    /// as it was.
    fn agree(&mut self, request: &Request) -> Result<(Response, Option<CallMedia>), Response> {
        let refuse = |call: &Self, status: u16| call.response(request, status);
        let (Phase::Confirmed | Phase::Answered { ending: None }, Some(rtp)) =
            (&self.phase, self.rtp)
        else {
            return Err(refuse(self, 500).with("Retry-After", "2"));
        };
        let invite = request.method == Method::Invite;
        // A new request shows that the peer has the last answer, even if its ACK is late or lost; only an offer of
        // ours that waits for its answer stands in the way (RFC 3261 section 14.2).
        let offering = self.awaiting.as_ref().is_some_and(|a| a.offered)
            || (matches!(self.phase, Phase::Answered { .. }) && self.media.is_none());
        let brings_sdp = !request.body.is_empty();
        if (offering && brings_sdp) || (self.refreshing.is_some() && (invite || brings_sdp)) {
            return Err(refuse(self, 491));
        }
        let refresh =
            Refresh::decide(&request.headers, &self.core.config.timers).map_err(|TooSmall| {
                self.core.counters.refuse(Refused::IntervalTooSmall);
                refuse(self, 422).with("Min-SE", self.core.config.timers.min.as_secs().to_string())
            })?;
        let ok = timed(
            session_headers(self.response(request, 200), &self.dialog.path),
            refresh,
        );
        let (_, _, _, seq) = identity(request);
        let (reply, media) = if brings_sdp {
            let agreed = negotiate(&request.body, &self.core.config.codecs)
                .ok()
                .filter(|agreed| self.same_network(agreed.media().remote));
            let Some(agreed) = agreed else {
                self.core.counters.refuse(Refused::NoCodec);
                return Err(refuse(self, 488)
                    .with("Warning", "305 conclave \"the session stays as it was\""));
            };
            let sdp = self.local.answer(&agreed, rtp);
            // A refresh repeats the last description: nothing of the media is new then.
            let version = agreed.version();
            let new = self.media != Some(*agreed.media())
                || self.remote_version.as_ref() != Some(&version);
            self.remote_version = Some(version);
            (
                ok.with_body("application/sdp", sdp),
                new.then_some(*agreed.media()),
            )
        } else if invite {
            let sdp = self
                .local
                .offer(&self.core.config.codecs, rtp, Direction::SendRecv);
            (ok.with_body("application/sdp", sdp), None)
        } else {
            (ok, None)
        };
        if invite {
            self.awaiting = Some(Awaiting {
                seq,
                offered: !brings_sdp,
            });
        }
        self.refresh = refresh;
        Ok((reply, media))
    }

    fn send_bye(&mut self) {
        let bye = self.dialog.request(Method::Bye);
        let (core, path) = (self.core.clone(), self.dialog.path.clone());
        self.core.farewells.fetch_add(1, Ordering::Relaxed);
        self.core.spawn(async move {
            let _ = transact(core.endpoint.clone(), bye, path).await;
            core.farewells.fetch_sub(1, Ordering::Relaxed);
        });
    }

    fn probe(&mut self, reply: oneshot::Sender<bool>) {
        let options = self.dialog.request(Method::Options);
        let (core, path) = (self.core.clone(), self.dialog.path.clone());
        self.core.spawn(async move {
            let response = transact(core.endpoint.clone(), options, path).await;
            // Any word shows life, save those that say that the dialog or the way to it is gone.
            let alive = response.is_some_and(|r| ![408, 481, 503].contains(&r.status_code.code()));
            let _ = reply.send(alive);
        });
    }

    /// Refreshes the session (RFC 4028 section 7.4): by UPDATE where the peer takes it, else by re-INVITE.
    fn send_refresh(&mut self, refresh: Refresh) {
        self.retry = None;
        if self.awaiting.is_some() {
            self.retry = Some(Instant::now() + Duration::from_secs(2));
            return;
        }
        let update = self.dialog.allows.iter().any(|method| method == "UPDATE");
        let method = if update {
            Method::Update
        } else {
            Method::Invite
        };
        let mut request = self.dialog.request(method);
        request = request.with("Session-Expires", refresh.request_value());
        let least = self.core.config.timers.min.as_secs();
        request = request.with("Min-SE", least.to_string());
        if let (false, Some(rtp)) = (update, self.rtp) {
            let direction = self
                .media
                .map_or(Direction::SendRecv, |media| media.direction);
            let sdp = self.local.offer(&self.core.config.codecs, rtp, direction);
            request = request.with_body("application/sdp", sdp);
        }
        let seq = self.dialog.last_seq();
        self.refreshing = Some(seq);
        let (core, path, me) = (self.core.clone(), self.dialog.path.clone(), self.me.clone());
        self.core.spawn(async move {
            let response = transact(core.endpoint.clone(), request, path).await;
            let response = response.map(Box::new);
            let _ = me.send(Input::Refreshed { seq, response }).await;
        });
    }

    async fn refreshed(&mut self, seq: u32, response: Option<Box<Response>>) -> Step {
        if self.refreshing.take_if(|s| *s == seq).is_none() {
            return Ok(());
        }
        let Some(response) = response else {
            return self.end(EndReason::SessionExpired);
        };
        let invited =
            response.cseq_header().ok().and_then(|c| c.method().ok()) == Some(Method::Invite);
        match (response.status_code.code(), self.refresh) {
            (200..300, refresh) => {
                self.refreshed = Instant::now();
                self.refresh = refresh.map(|r| r.answered(&response.headers));
                if invited {
                    let (ack, path) = (self.dialog.ack(seq), self.dialog.path.clone());
                    path.send(ack.into()).await;
                    if let Ok(media) = self.read_answer(Some(&response.body))
                        && self.media != Some(media)
                    {
                        self.set_media(media).await;
                    }
                }
                Ok(())
            }
            (408 | 481, _) => self.end(EndReason::SessionExpired),
            (422, Some(refresh)) => {
                let least = header(&response.headers, "Min-SE")
                    .and_then(|v| v.trim().parse().ok())
                    .unwrap_or(0);
                let interval = refresh
                    .interval
                    .max(Duration::from_secs(u64::from(least.min(86_400u32))));
                self.refresh = Some(Refresh {
                    interval,
                    ..refresh
                });
                self.retry = Some(Instant::now() + Duration::from_secs(1));
                Ok(())
            }
            // Glare (491) or another trouble that may pass: again soon, until the session runs out.
            _ => {
                self.retry = Some(Instant::now() + Duration::from_secs(3));
                Ok(())
            }
        }
    }
}

/// Runs a refused re-INVITE's transaction until its ACK.
pub(crate) async fn drive_on(transaction: Transaction, tag: String, product: String) {
    let (nobody, _) = mpsc::channel(1);
    drive(transaction, tag, product, nobody, None).await;
}

/// What the response says of the session timer.
fn timed(response: Response, refresh: Option<Refresh>) -> Response {
    let Some(refresh) = refresh else {
        return response;
    };
    let response = response.with("Session-Expires", refresh.value());
    // RFC 4028 section 9: the peer is told that it must refresh, if it can.
    if refresh.ours || !refresh.supported {
        return response;
    }
    response.with("Require", "timer")
}

/// A number that nobody can foretell, from the stack's generator.
fn random() -> u64 {
    let text = rsipstack::transaction::random_text(11);
    text.bytes().fold(0, |number: u64, byte| {
        number.wrapping_mul(62).wrapping_add(u64::from(byte))
    })
}
