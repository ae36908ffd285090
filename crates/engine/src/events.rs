//! The way out for what the engine has to say.

use crossbeam_channel::{Receiver, Sender};

use crate::Event;

/// What [`Engine::start`](crate::Engine::start) returns beside the engine. It ends (`recv` fails) after the
/// engine has been shut down and everything has been received.
pub type EventReceiver = Receiver<Event>;

/// Events that wait to be received before those that answer no command are dropped.
const BACKLOG: usize = 16_384;

/// One sender of events. The channel has no bound of its own, since a media thread must never wait; what
/// answers a command is bounded by the commands, and most of the rest by [`BACKLOG`].
#[derive(Clone, Debug)]
pub(crate) struct Events(Sender<Event>);

impl Events {
    pub(crate) fn channel() -> (Events, EventReceiver) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        (Events(sender), receiver)
    }

    pub(crate) fn say(&self, event: Event) {
        // A leg's noise is told once for each change, which takes seconds: it is bounded by itself.
        let answers = match event {
            Event::PlayEnded { .. }
            | Event::NameRecorded { .. }
            | Event::Stopped { .. }
            | Event::Noisy { .. } => true,
            Event::Digit { .. }
            | Event::Level { .. }
            | Event::Reception { .. }
            | Event::Quiet { .. } => false,
        };
        if answers || self.0.len() < BACKLOG {
            // Nobody listens any more only while the engine is being shut down.
            let _ = self.0.send(event);
        }
    }
}
