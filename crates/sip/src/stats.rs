//! Gauges and counters.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What the server holds and what it refused since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Calls that exist, pending ones among them.
    pub calls: usize,
    /// Calls that wait for an answer or its ACK.
    pub pending: usize,
    /// SIP transactions that the stack holds.
    pub transactions: usize,
    /// Messages refused, by reason; reasons that never occurred are absent.
    pub refused: Vec<(Refused, u64)>,
}

impl Gauges {
    /// How many were refused for this reason.
    pub fn refused(&self, reason: Refused) -> u64 {
        let found = self.refused.iter().find(|(r, _)| *r == reason);
        found.map_or(0, |(_, count)| *count)
    }
}

macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why a message was refused before it could become anything.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Refused {
            $($(#[$doc])* $name,)*
        }

        impl Refused {
            const ALL: &[Refused] = &[$(Refused::$name,)*];
        }
    };
}

refused! {
    /// From a source that isn't allowed.
    Stranger,
    /// No, old or wrong credentials: challenged with 401.
    Unauthorised,
    /// An emergency number: 404.
    Emergency,
    /// Not SIP, or broken: 400, 505, or silence.
    Malformed,
    /// A method, scheme, extension or content that isn't served: 405, 416, 420, 415, 501.
    Unsupported,
    /// No common codec or no plain RTP: 488.
    NoCodec,
    /// Over the source's setups a second: 503.
    TooFast,
    /// Too many pending calls, of the source or in all, or too many calls: 503.
    Full,
    /// The server drains: 503.
    Draining,
    /// Too much to do, [as was said](crate::SipServer::set_busy): 503.
    Busy,
    /// A session interval that is too small: 422.
    IntervalTooSmall,
    /// For a dialog that doesn't exist: 481.
    NoDialog,
    /// Faster than it could be handled: dropped.
    Overload,
}

/// The counters behind [`Gauges`].
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) calls: AtomicUsize,
    pub(crate) pending: AtomicUsize,
    refused: Vec<AtomicU64>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            calls: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            refused: Refused::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn refuse(&self, reason: Refused) {
        if let Some(counter) = self.refused.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn gauges(&self, transactions: usize) -> Gauges {
        let count = |(reason, n): (&Refused, &AtomicU64)| {
            let n = n.load(Ordering::Relaxed);
            (n > 0).then_some((*reason, n))
        };
        Gauges {
            calls: self.calls.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
            transactions,
            refused: Refused::ALL
                .iter()
                .zip(&self.refused)
                .filter_map(count)
                .collect(),
        }
    }
}
