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

/// For how long a lease may be trusted without asking for it.
#[derive(Debug, Clone)]
pub struct Trust {
    since: Arc<Mutex<Stopwatch>>,
    window: Duration,
}

impl Trust {
    /// That of a lease that lasts for so long, and was asked for after `since`.
    #[must_use]
    pub fn since(since: Stopwatch, lasts_for: Duration) -> Self {
        Self { since: Arc::new(Mutex::new(since)), window: lasts_for - lasts_for / MARGIN }
    }

    /// What is left of it; nothing when it is over, so that another daemon may lead.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let trusted_for = self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        self.window.checked_sub(trusted_for).filter(|left| !left.is_zero())
    }

    fn renewed(&self, since: Stopwatch) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// The right to write, for as long as this lives.
pub struct Leadership {
    epoch: u64,
    trust: Trust,
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
        let trust = Trust::since(since, lasts_for);
        let (tell, lost) = watch::channel(None);
        let (stop, stopped) = sync_channel(1);
        let trusted = trust.clone();
        let thread =
            std::thread::Builder::new().name("lease".into()).spawn(move || renew(*lease, &trusted, &tell, &stopped))?;
        Ok(Self { epoch, trust, lost, stop, thread })
    }

    /// The number of this leadership.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// For how long it may be trusted.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// Waits until it is lost; says how.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        loop {
            let Some(left) = self.trust.left() else {
                return format!("the lease could not be renewed within {} ms", self.trust.window.as_millis());
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
fn renew(mut lease: Lease, trust: &Trust, lost: &watch::Sender<Option<String>>, stopped: &Receiver<()>) {
    let every = lease.lasts_for() / RENEWALS;
    loop {
        match stopped.recv_timeout(every) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let before = Stopwatch::start();
        match lease.renew() {
            Ok(true) => trust.renewed(before),
            Ok(false) => {
                lost.send_replace(Some(StoreError::Fenced { epoch: lease.epoch() }.to_string()));
                return;
            }
            Err(error) => tracing::warn!(%error, "the lease could not be renewed and is tried again"),
        }
    }
}
