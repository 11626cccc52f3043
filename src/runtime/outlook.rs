//! The outlook: worked out when it is asked for, and at set hours written down, so that later it can be judged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine::outlook::{Hour, hour_of};
use crate::http::{Backend as _, Unavailable};
use crate::telemetry::Metrics;

use super::clock::Clock;
use super::gateway::Gateway;
use super::intake::Inbound;

/// How many hours lie between two that are written down.
const WRITTEN_EVERY_HOURS: i64 = 6;

/// How long after a failure it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What was expected of the hours from one on, by capability, in minutes.
pub type Said = BTreeMap<(Hour, String), u64>;

/// Writes an outlook down at each set hour until `stop`, and shows how far off the earlier ones were.
pub async fn write_down(
    gateway: Gateway,
    intake: mpsc::Sender<Inbound>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut next = hour_of(clock.now());
    loop {
        let wait = DateTime::from_timestamp(next * 3_600, 0).map_or(AGAIN_AFTER, |at| clock.until(at));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        match said(&gateway, &metrics).await {
            Ok((from, said)) => {
                // The loop ends before this does only when the daemon stops.
                let _ = intake.send(Inbound::Outlook(said)).await;
                next = from + WRITTEN_EVERY_HOURS - from.rem_euclid(WRITTEN_EVERY_HOURS);
            }
            Err(error) => {
                tracing::warn!(%error, "no outlook can be written down");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(AGAIN_AFTER) => {}
                }
            }
        }
    }
}

async fn said(gateway: &Gateway, metrics: &Metrics) -> Result<(Hour, Said), Unavailable> {
    let outlook = gateway.outlook().await?;
    let from = hour_of(outlook.from);
    let errors = outlook.capabilities.iter().map(|it| (it.capability.as_str(), it.past_error_percent));
    metrics.show_outlook_errors(errors);
    let said = outlook.capabilities.into_iter().map(|it| ((from, it.capability), it.expected_minutes));
    Ok((from, said.collect()))
}
