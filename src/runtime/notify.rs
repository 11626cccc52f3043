//! What systemd is told: ready, alive, stopping. Without it nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// The daemon takes work.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The daemon reads its roster again; [`ready`] follows.
pub fn reloading() {
    tell(NotifyState::Reloading);
}

/// The daemon is about to end.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells the watchdog that the daemon is alive, twice in each of its periods, until `stop`.
pub fn watch(is_live: impl Fn() -> bool + Send + 'static, stop: &CancellationToken) {
    let mut period_us = 0;
    if !sd_notify::watchdog_enabled(false, &mut period_us) {
        return;
    }
    let mut every = tokio::time::interval(Duration::from_micros(period_us / 2).max(Duration::from_millis(1)));
    let stop = stop.clone();
    tokio::spawn(async move {
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            if is_live() {
                tell(NotifyState::Watchdog);
            }
        }
    });
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
