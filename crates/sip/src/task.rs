//! Tasks that end with their server or client.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Runs a task until it ends or `stop` is cancelled.
pub(crate) fn spawn(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.clone();
    // Boxed: a future that is moved into another one takes its room twice for as long as it runs.
    let task = Box::pin(task);
    tasks.spawn(async move {
        tokio::select! {
            () = task => {}
            () = stop.cancelled() => {}
        }
    });
}
