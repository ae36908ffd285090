//! What a running bridge does now and then, beside its calls: it drops what was kept for long enough, masks numbers,
//! takes the PINs of bookings that are over out of use, and deletes recordings.

use std::time::Duration;

use conclave_store::{Keep, SqlStore, Store};
use tracing::{info, warn};

use crate::{clock::Clock, recording::Shelf};

/// How often. A booking's PINs open nothing after its end anyway; until they are swept they count as doors.
const EVERY: Duration = Duration::from_secs(60);

/// Between two steps of one sweep, in which others write.
const BREATH: Duration = Duration::from_millis(200);

pub(crate) async fn run(store: SqlStore, keep: Keep, shelf: Shelf, clock: Clock) {
    loop {
        tokio::time::sleep(EVERY).await;
        let now = clock.now();
        if let Err(problem) = shelf.tidy(&store, now - keep.recordings, now).await {
            warn!("deleting recordings has to wait: {problem}");
        }
        loop {
            match store.sweep(&keep, clock.now()).await {
                Ok(swept) => {
                    if swept.calls + swept.masked + swept.audit + swept.pins > 0 {
                        info!(
                            calls = swept.calls,
                            masked = swept.masked,
                            audit = swept.audit,
                            pins = swept.pins,
                            "swept: calls, numbers and audit entries that were kept for long enough, PINs of bookings that are over"
                        );
                    }
                    if !swept.more {
                        break;
                    }
                    tokio::time::sleep(BREATH).await;
                }
                Err(problem) => {
                    warn!("sweeping has to wait: {problem}");
                    break;
                }
            }
        }
    }
}
