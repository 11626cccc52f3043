//! Asks the broker again and again for something that it can only answer when it hears the daemon.
//!
//! Heartbeats go both ways on their own: where only the daemon's words are lost the broker's still come, and until the
//! broker itself ends the link, which takes it up to three heartbeats, nothing here would tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::Connection;
use lapin::options::BasicQosOptions;

use super::error::{BrokerError, within};

/// The parts of a heartbeat: into slices of a wait,
const SLICES: u32 = 10;
/// between an answer and the next question, in slices,
const PAUSE_SLICES: u32 = 2;
/// and without an answer until the broker counts as deaf, in slices: with the pause it is less than two heartbeats.
const DEAF_AFTER_SLICES: u32 = 15;
/// An answer may be behind what comes at least this fast, in bytes in a second; such time does not count.
const BUSY_BYTES_PER_SECOND: u64 = 128 * 1024;

/// How many bytes have come on a link; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicU64>);

impl Heard {
    /// So many more have come.
    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends when the broker does not hear the daemon any more, or the link fails.
pub(super) async fn missed(
    connection: &Connection,
    heard: &Heard,
    heartbeat: Duration,
    answer_within: Duration,
) -> BrokerError {
    let channel = match within(answer_within, "opening a channel", connection.create_channel()).await {
        Ok(channel) => channel,
        Err(error) => return error,
    };
    // It says nothing, on a channel without consumers, and is answered at once.
    let ask = || channel.basic_qos(1, BasicQosOptions::default());
    ask_on(ask, heard, heartbeat / SLICES).await
}

async fn ask_on<A>(ask: impl Fn() -> A, heard: &Heard, slice: Duration) -> BrokerError
where
    A: Future<Output = lapin::Result<()>>,
{
    let busy_bytes = u64::try_from(slice.as_millis()).unwrap_or(u64::MAX).saturating_mul(BUSY_BYTES_PER_SECOND) / 1000;
    loop {
        let mut answer = std::pin::pin!(ask());
        let mut quiet_slices = 0;
        let mut before = heard.total();
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => match answered {
                    Ok(()) => break,
                    Err(error) => return BrokerError::Link { doing: "asking for an answer", reason: error.to_string() },
                },
                () = tokio::time::sleep(slice) => {
                    let now = heard.total();
                    quiet_slices += u32::from(now - before < busy_bytes);
                    before = now;
                    if quiet_slices >= DEAF_AFTER_SLICES {
                        let within = slice * DEAF_AFTER_SLICES;
                        return BrokerError::Timeout { doing: "waiting for an answer of the broker", within };
                    }
                }
            }
        }
        tokio::time::sleep(slice * PAUSE_SLICES).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const SLICE: Duration = Duration::from_millis(10);
    /// Several times as long as a deaf broker is borne with.
    const LONG: Duration = Duration::from_millis(600);

    /// It noticed, within twice the heartbeat in the worst case.
    fn assert_noticed(error: &BrokerError) {
        let BrokerError::Timeout { within, .. } = error else { panic!("{error}") };
        assert!(*within + SLICE * PAUSE_SLICES < SLICE * SLICES * 2, "{within:?}");
    }

    #[tokio::test]
    async fn a_broker_that_does_not_answer_is_noticed() {
        assert_noticed(&ask_on(std::future::pending, &Heard::default(), SLICE).await);
    }

    #[tokio::test]
    async fn a_broker_that_answers_late_but_in_time_is_left_alone_and_asked_on() {
        let asked = Heard::default();
        let ask = || {
            asked.add(1);
            async {
                sleep(SLICE * (DEAF_AFTER_SLICES - 1)).await;
                Ok(())
            }
        };
        assert!(timeout(LONG, ask_on(ask, &Heard::default(), SLICE)).await.is_err());
        assert!(asked.total() > 1);
    }

    /// Waits for an answer that does not come, while so many bytes come at least twice in a slice.
    async fn heard_meanwhile(bytes: usize) -> Option<BrokerError> {
        let heard = Heard::default();
        let ask = || async {
            loop {
                heard.add(bytes);
                sleep(SLICE / 4).await;
            }
        };
        timeout(LONG, ask_on(ask, &heard, SLICE)).await.ok()
    }

    #[tokio::test]
    async fn time_in_which_much_comes_does_not_count() {
        assert!(heard_meanwhile(2_000).await.is_none());
    }

    #[tokio::test]
    async fn the_trickle_of_heartbeats_and_small_messages_counts() {
        assert_noticed(&heard_meanwhile(20).await.expect("it is noticed"));
    }
}
