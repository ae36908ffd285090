//! The server: listeners, the register of calls, and the handle that the application holds.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::sip::{Request, SipMessage};
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transaction::random_text;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::{Bucket, Gate};
use crate::call::{Command, Input};
use crate::config::{SipConfig, Transport};
use crate::dialog::{DialogKey, Path};
use crate::digest::Authenticator;
use crate::event::{CallRef, SipEvent};
use crate::front;
use crate::listener;
use crate::stats::{Counters, Gauges};
use crate::task;

/// How many events may wait for the application.
const EVENTS: usize = 1_024;
/// How many requests and commands may wait for one call.
pub(crate) const INPUTS: usize = 32;
/// How many strangers a second get an answer.
const STRANGERS_PER_SECOND: u32 = 300;

/// A running server; clones are handles to the same one.
///
/// Commands for a call that is over, or in another state than the command is for, do nothing: its
/// [`SipEvent::Ended`] is on the way.
#[derive(Clone)]
pub struct SipServer {
    core: Arc<Core>,
    addresses: Arc<Vec<(Transport, SocketAddr)>>,
}

/// Why the server doesn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SipError {
    /// The configuration can't work.
    #[error("{0}")]
    Config(&'static str),
    /// A listener can't be opened.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

impl SipServer {
    /// Opens the listeners and serves until [`shutdown`](Self::shutdown). The application must take its events
    /// promptly: calls wait for it.
    pub async fn start(config: SipConfig) -> Result<(Self, mpsc::Receiver<SipEvent>), SipError> {
        if config.listeners.is_empty() {
            return Err(SipError::Config("at least one listener is needed"));
        }
        if config.codecs.is_empty() {
            return Err(SipError::Config("at least one codec is needed"));
        }
        if !config.timers.expires.is_zero() && config.timers.expires < config.timers.min {
            return Err(SipError::Config(
                "the session interval is shorter than its minimum",
            ));
        }
        let (events, receiver) = mpsc::channel(EVENTS);
        let core = Arc::new(Core::new(config, events));
        let mut addresses = Vec::new();
        for listener in &core.config.listeners {
            match listener::open(&core, listener).await {
                Ok(address) => addresses.push((listener.transport, address)),
                Err(error) => {
                    core.stop.cancel();
                    return Err(SipError::Listen {
                        address: listener.bind,
                        error,
                    });
                }
            }
        }
        let timers = core.clone();
        core.spawn(async move {
            // The stack's timers alone: its transport layer has no listener.
            let _ = timers.endpoint.serve().await;
        });
        Ok((
            Self {
                core,
                addresses: Arc::new(addresses),
            },
            receiver,
        ))
    }

    /// The addresses that it listens on, in the order of the configuration, with the ports that were picked.
    pub fn addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.addresses
    }

    /// Tells the caller that it rings (180).
    pub fn ring(&self, call: CallRef) {
        self.command(call, Command::Ring);
    }

    /// Answers an incoming call, naming the local address for RTP; a listener's `advertise` address takes the place
    /// of its IP.
    pub fn answer(&self, call: CallRef, rtp: SocketAddr) {
        self.command(call, Command::Answer(rtp));
    }

    /// Refuses an incoming call with this status (300 to 699; anything else becomes 480), for a while if so said.
    pub fn reject(&self, call: CallRef, status: u16, retry_after: Option<Duration>) {
        self.command(
            call,
            Command::Reject {
                status,
                retry_after,
            },
        );
    }

    /// Ends a call, whatever its state.
    pub fn hang_up(&self, call: CallRef) {
        self.core.hang_up(call);
    }

    /// Asks the peer by OPTIONS in the call's dialog whether it is still there; at most 10 s. The call isn't ended
    /// by a `false`. Don't await it where events are taken.
    pub async fn probe(&self, call: CallRef) -> bool {
        let (reply, answer) = oneshot::channel();
        self.command(call, Command::Probe(reply));
        matches!(
            tokio::time::timeout(Duration::from_secs(10), answer).await,
            Ok(Ok(true))
        )
    }

    /// From now on new calls are refused with `503` and `Retry-After`; those that exist go on.
    pub fn drain(&self) {
        self.core.draining.store(true, Ordering::Relaxed);
    }

    /// Whether new calls are refused, for now, with `503` and `Retry-After`, because there is too much to do; those that
    /// exist go on.
    pub fn set_busy(&self, busy: bool) {
        self.core.busy.store(busy, Ordering::Relaxed);
    }

    /// What is held and what was refused.
    pub fn gauges(&self) -> Gauges {
        {
            let gate = self.core.gate();
            self.core
                .counters
                .calls
                .store(gate.calls(), Ordering::Relaxed);
            self.core
                .counters
                .pending
                .store(gate.pending(), Ordering::Relaxed);
        }
        self.core
            .counters
            .gauges(self.core.endpoint.get_stats().running_transactions)
    }

    /// Hangs up every call, gives their peers up to two seconds to hear of it, and closes the listeners.
    pub async fn shutdown(&self) {
        self.drain();
        self.core.ending.cancel();
        self.core.tasks.close();
        let all = async {
            while !self.core.registry().calls.is_empty()
                || self.core.farewells.load(Ordering::Relaxed) > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), all).await;
        self.core.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.core.tasks.wait()).await;
    }

    fn command(&self, call: CallRef, command: Command) {
        self.core.input(call, Input::Command(command));
    }
}

impl std::fmt::Debug for SipServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipServer")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// What listeners and calls share.
pub(crate) struct Core {
    pub(crate) config: SipConfig,
    pub(crate) endpoint: EndpointInnerRef,
    pub(crate) events: mpsc::Sender<SipEvent>,
    pub(crate) counters: Counters,
    pub(crate) draining: AtomicBool,
    pub(crate) busy: AtomicBool,
    /// The server closes: calls hang up.
    pub(crate) ending: CancellationToken,
    /// Everything stops.
    pub(crate) stop: CancellationToken,
    /// BYEs of ours that wait for their answer.
    pub(crate) farewells: AtomicU64,
    pub(crate) auth: Mutex<Authenticator>,
    pub(crate) strangers: Mutex<Bucket>,
    gate: Mutex<Gate>,
    registry: Mutex<Registry>,
    pub(crate) tasks: TaskTracker,
    next: AtomicU64,
    started: Instant,
    tag_key: String,
}

/// The calls that exist, by both of their names.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) calls: HashMap<CallRef, Slot>,
    pub(crate) dialogs: HashMap<DialogKey, CallRef>,
}

/// How a call is reached.
pub(crate) struct Slot {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) hang_up: CancellationToken,
}

impl Core {
    pub(crate) fn new(config: SipConfig, events: mpsc::Sender<SipEvent>) -> Self {
        let stop = CancellationToken::new();
        let endpoint = endpoint(&config.product, stop.clone());
        let mut key = [0; 32];
        key.copy_from_slice(random_text(32).as_bytes());
        Self {
            endpoint,
            events,
            counters: Counters::new(),
            draining: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            ending: CancellationToken::new(),
            stop,
            farewells: AtomicU64::new(0),
            auth: Mutex::new(Authenticator::new(config.endpoints.clone(), key)),
            strangers: Mutex::new(Bucket::new(STRANGERS_PER_SECOND, Duration::ZERO)),
            gate: Mutex::new(Gate::new(config.limits)),
            registry: Mutex::default(),
            tasks: TaskTracker::new(),
            next: AtomicU64::new(1),
            started: Instant::now(),
            tag_key: random_text(16),
            config,
        }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Runs a task until it ends or the server stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        task::spawn(&self.tasks, &self.stop, task);
    }

    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn new_call(&self) -> CallRef {
        CallRef(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A To tag for a refusal without state: the same for each repetition of a request (RFC 3261 section 8.2.7).
    pub(crate) fn stateless_tag(&self, request: &Request) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let (from, _, call_id, seq) = crate::message::identity(request);
        let mut hasher = DefaultHasher::new();
        (&self.tag_key, from, call_id, seq).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Hands something to a call; `false` if there is no such call or it can't keep up.
    pub(crate) fn input(&self, call: CallRef, input: Input) -> bool {
        let registry = self.registry();
        registry
            .calls
            .get(&call)
            .is_some_and(|slot| slot.inputs.try_send(input).is_ok())
    }

    pub(crate) fn hang_up(&self, call: CallRef) {
        if let Some(slot) = self.registry().calls.get(&call) {
            slot.hang_up.cancel();
        }
    }

    pub(crate) fn command_answer(&self, call: CallRef, rtp: SocketAddr) {
        self.input(call, Input::Command(Command::Answer(rtp)));
    }

    /// The local tag of the newest call.
    pub(crate) fn last_tag(&self) -> Option<String> {
        let registry = self.registry();
        let newest = registry.dialogs.iter().max_by_key(|(_, call)| **call);
        newest.map(|(key, _)| key.local_tag().to_owned())
    }

    /// A message came in.
    pub(crate) async fn receive(self: &Arc<Self>, message: SipMessage, path: Path, place: &Place) {
        front::receive(self, message, path, place).await;
    }
}

/// What a listener knows of itself.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The source that everybody counts as, on an open listener.
    pub(crate) anyone: Option<String>,
    /// The address for Contact and SDP.
    pub(crate) advertise: Option<IpAddr>,
    /// The local address towards the peer.
    pub(crate) local_ip: IpAddr,
}

/// The stack, as transaction layer. It never sends an ACK for a 2xx: those are the dialog's.
pub(crate) fn endpoint(product: &str, stop: CancellationToken) -> EndpointInnerRef {
    let option = EndpointOption {
        auto_ack_2xx: false,
        ..EndpointOption::default()
    };
    let mut builder = EndpointBuilder::new();
    builder
        .with_user_agent(product)
        .with_cancel_token(stop)
        .with_option(option);
    builder.build().inner
}
