//! The one thread that writes the store.
//!
//! It takes one batch at a time and says when it is on disk. A failure ends the thread: nothing is written after it,
//! and the daemon stops, since what the disk holds is not known any more. Between batches it forgets what is not to be kept
//! any longer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::store::{Batch, StoreError, Writer};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::StoreOperation;

use super::clock::Stopwatch;
use super::forgetting::Forgetter;

/// After so long without a batch the write-ahead log is moved into the store.
const IDLE_FOR: Duration = Duration::from_millis(250);

/// Hands batches to the thread and hears of their end.
#[derive(Debug)]
pub struct Committer {
    batches: SyncSender<Arc<Batch>>,
    done: mpsc::Receiver<Result<(), StoreError>>,
    thread: JoinHandle<()>,
}

impl Committer {
    /// Starts the thread; without a forgetter everything is kept.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(
        writer: Box<dyn Writer>,
        metrics: Arc<Metrics>,
        forgetter: Option<Forgetter>,
    ) -> std::io::Result<Self> {
        let (batches, receiver) = sync_channel(1);
        let (sender, done) = mpsc::channel(1);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || write_all(writer, &receiver, &sender, &metrics, forgetter))?;
        Ok(Self { batches, done, thread })
    }

    /// Begins to write a batch; the owner begins the next one only after [`Committer::done`].
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the thread has ended.
    pub fn begin(&self, batch: Arc<Batch>) -> Result<(), StoreError> {
        self.batches.send(batch).map_err(|_| ended())
    }

    /// Waits until the batch begun last is on disk. Without one it waits for a failure of the idle store.
    ///
    /// # Errors
    /// What the store says; nothing may be written after it.
    pub async fn done(&mut self) -> Result<(), StoreError> {
        self.done.recv().await.unwrap_or_else(|| Err(ended()))
    }

    /// Ends the thread, with the log moved into the store.
    pub async fn stop(self) {
        drop(self.batches);
        drop(self.done);
        // A thread that panicked has nothing left to stop, and its panic was reported.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

fn ended() -> StoreError {
    StoreError::Failed { during: "commit", message: "the thread that writes the store has ended".into() }
}

fn write_all(
    mut writer: Box<dyn Writer>,
    batches: &Receiver<Arc<Batch>>,
    done: &mpsc::Sender<Result<(), StoreError>>,
    metrics: &Metrics,
    mut forgetter: Option<Forgetter>,
) {
    let mut clean = true;
    loop {
        let idle_for = match &forgetter {
            Some(forgetter) if clean => forgetter.waits_for(),
            _ => IDLE_FOR,
        };
        let received = batches.recv_timeout(idle_for);
        let (busy, purges) = match &received {
            Ok(batch) => (true, !batch.purges.is_empty()),
            Err(_) => (false, false),
        };
        match received {
            Ok(batch) => {
                let watch = Stopwatch::start();
                let result = writer.commit(&batch);
                metrics.committed(watch.elapsed());
                clean = false;
                let failed = result.is_err();
                if failed {
                    metrics.store_failed(StoreOperation::Commit);
                }
                if done.blocking_send(result).is_err() || failed {
                    return;
                }
                if let Some(forgetter) = forgetter.as_mut().filter(|_| purges) {
                    forgetter.look_soon();
                }
            }
            Err(RecvTimeoutError::Timeout) if !clean => {
                if let Err(error) = told(writer.checkpoint(), metrics) {
                    // The loop hears of it now and not at its next batch; when it is gone nobody need.
                    let _ = done.blocking_send(Err(error));
                    return;
                }
                clean = true;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // Everything is in the log already, and the next start moves it. An empty one cannot be taken for the
                // log of a copy that is put in the file's place.
                let _ = told(writer.cut_log(), metrics);
                return;
            }
        }
        if let Some(forgetter) = &mut forgetter
            && let Err(error) = forgetter.work(writer.as_mut(), busy)
        {
            metrics.store_failed(StoreOperation::Forget);
            tracing::error!(%error, "forgetting failed");
            let _ = done.blocking_send(Err(error));
            return;
        }
    }
}

fn told<T>(moved: Result<T, StoreError>, metrics: &Metrics) -> Result<T, StoreError> {
    moved.inspect_err(|error| {
        metrics.store_failed(StoreOperation::Checkpoint);
        tracing::error!(%error, "checkpoint failed");
    })
}
