//! The lease of the daemon that leads: renewed by a thread of its own, and given back at the end.
//!
//! What keeps a former leader from writing is the fence in the store. This only sees to it that a leader that cannot renew
//! its lease stops by itself: it trusts a renewal for as long as the lease lasts, less a margin, from the moment before the
//! attempt, by the time since boot.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::store::StoreError;
use crate::store::postgres::Lease;

use super::clock::Stopwatch;

/// Renewals in the time that a lease lasts.
const RENEWALS: u32 = 6;

/// The part of the lease at its end that is not trusted any more: one in so many.
const MARGIN: u32 = 6;

/// The right to write, for as long as this lives.
pub struct Leadership {
    epoch: u64,
    window: Duration,
    trusted_since: Arc<Mutex<Stopwatch>>,
    lost: watch::Receiver<Option<String>>,
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Leadership {
    /// Keeps a lease that was taken after `since`.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn keep(lease: Box<Lease>, since: Stopwatch) -> std::io::Result<Self> {
        let (epoch, lasts_for) = (lease.epoch(), lease.lasts_for());
        let trusted_since = Arc::new(Mutex::new(since));
        let (tell, lost) = watch::channel(None);
        let (stop, stopped) = sync_channel(1);
        let trusted = Arc::clone(&trusted_since);
        let thread =
            std::thread::Builder::new().name("lease".into()).spawn(move || renew(*lease, &trusted, &tell, &stopped))?;
        Ok(Self { epoch, window: lasts_for - lasts_for / MARGIN, trusted_since, lost, stop, thread })
    }

    /// The number of this leadership.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Waits until it is lost; says how.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        loop {
            let trusted_for = self.trusted_since.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            let Some(left) = self.window.checked_sub(trusted_for).filter(|left| !left.is_zero()) else {
                return format!("the lease could not be renewed within {} ms", self.window.as_millis());
            };
            tokio::select! {
                told = lost.wait_for(Option::is_some) => {
                    return told.ok().and_then(|told| told.clone()).unwrap_or_else(|| "its thread ended".into());
                }
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Gives the lease back; nothing is written after this.
    pub async fn give_back(self) {
        drop(self.stop);
        // A thread that panicked has nothing left to give back, and its panic was reported.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

/// Renews until it is told to stop, or until another daemon leads.
fn renew(
    mut lease: Lease,
    trusted_since: &Mutex<Stopwatch>,
    lost: &watch::Sender<Option<String>>,
    stopped: &Receiver<()>,
) {
    let every = lease.lasts_for() / RENEWALS;
    loop {
        match stopped.recv_timeout(every) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let before = Stopwatch::start();
        match lease.renew() {
            Ok(true) => *trusted_since.lock().unwrap_or_else(PoisonError::into_inner) = before,
            Ok(false) => {
                lost.send_replace(Some(StoreError::Fenced { epoch: lease.epoch() }.to_string()));
                return;
            }
            Err(error) => tracing::warn!(%error, "the lease could not be renewed and is tried again"),
        }
    }
}
