//! The whole of this crate behind a socket, fed with bytes in place of datagrams: for fuzz targets and tests.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::Transport;
use rsipstack::transport::SipConnection;
use tokio::sync::mpsc;

use crate::config::{Limits, SipConfig};
use crate::dialog::Path;
use crate::event::{CallRef, SipEvent};
use crate::guard::{self, Verdict};
use crate::listener::bind_udp;
use crate::server::{Core, Place};

/// How many calls are held before the oldest is hung up.
const CALLS: usize = 16;

/// A server without a network, with an application that answers everything.
///
/// What goes in as one input may be several datagrams, with a line `--next--` between them; `{tag}` stands for the
/// server's tag of its last call, so that an input can reach into a dialog.
pub struct Hostile {
    runtime: tokio::runtime::Runtime,
    core: Arc<Core>,
    events: mpsc::Receiver<SipEvent>,
    path: Path,
    calls: VecDeque<CallRef>,
}

impl Hostile {
    /// A server of its own; `None` if the machine has no loopback socket left.
    pub fn new() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        let (core, events, path) = runtime.block_on(async {
            let limits = Limits {
                setups_per_second: 1_000_000,
                ..Limits::default()
            };
            let (sender, events) = mpsc::channel(1_024);
            let core = Arc::new(Core::new(
                SipConfig {
                    limits,
                    ..SipConfig::default()
                },
                sender,
            ));
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let (_, connection, local) = bind_udp(any).await.ok()?;
            // Responses go to this side's own socket, which nobody reads.
            let path = Path {
                connection,
                peer: local,
                local,
                transport: "UDP",
            };
            Some((core, events, path))
        })?;
        Some(Self {
            runtime,
            core,
            events,
            path,
            calls: VecDeque::new(),
        })
    }

    /// Feeds one input; must return, whatever it is.
    pub fn feed(&mut self, input: &[u8]) {
        guard::frame(input);
        let text = String::from_utf8_lossy(input);
        if !text.contains("--next--") && !text.contains("{tag}") {
            self.datagram(input);
            return;
        }
        for datagram in text.split("--next--\r\n").take(8) {
            let tag = self.core.last_tag().unwrap_or_default();
            self.datagram(datagram.replace("{tag}", &tag).as_bytes());
        }
    }

    fn datagram(&mut self, bytes: &[u8]) {
        for stream in [true, false] {
            let Verdict::Pass(message) = guard::check(bytes, stream) else {
                continue;
            };
            let message = guard::parse(&message).and_then(|m| {
                SipConnection::update_msg_received(m, self.path.peer, Transport::Udp).ok()
            });
            let (Some(message), false) = (message, stream) else {
                continue;
            };
            let place = Place {
                anyone: None,
                advertise: None,
                local_ip: self.path.local.ip(),
            };
            let (core, path) = (self.core.clone(), self.path.clone());
            self.runtime.block_on(async {
                core.receive(message, path, &place).await;
                for _ in 0..16 {
                    tokio::task::yield_now().await;
                }
            });
        }
        self.application();
    }

    fn application(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            if let SipEvent::Incoming(incoming) = event {
                self.core.command_answer(incoming.call, self.path.local);
                self.calls.push_back(incoming.call);
            }
        }
        while self.calls.len() > CALLS {
            if let Some(oldest) = self.calls.pop_front() {
                self.core.hang_up(oldest);
            }
        }
        self.runtime.block_on(async {
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
        });
    }
}

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hostile")
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}
