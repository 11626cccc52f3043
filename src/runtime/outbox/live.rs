//! The way of committed batches from the loop to the outbox, bounded by what they hold.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::store::Batch;
use crate::wire::fact::Fact;

/// How many bytes of committed batches wait in memory; past it they are read from the store when their turn comes.
const LIVE_BYTES: u32 = 64 * 1024 * 1024;

/// And how many batches.
const LIVE_BATCHES: usize = 1_024;

/// What a fact or a task takes beside its texts, generously.
const OVERHEAD_BYTES: usize = 512;

/// The loop's end.
#[derive(Debug)]
pub struct Live {
    batches: mpsc::Sender<Handed>,
    room: Arc<Semaphore>,
}

/// A batch with the room that it takes up.
#[derive(Debug)]
pub struct Handed {
    /// What was committed.
    pub batch: Arc<Batch>,
    _room: OwnedSemaphorePermit,
}

/// Both ends.
#[must_use]
pub fn live() -> (Live, mpsc::Receiver<Handed>) {
    let (batches, receiver) = mpsc::channel(LIVE_BATCHES);
    let room = Arc::new(Semaphore::new(usize::try_from(LIVE_BYTES).unwrap_or(Semaphore::MAX_PERMITS)));
    (Live { batches, room }, receiver)
}

impl Live {
    /// Hands a batch over; `false` when there is no room, and the outbox reads it from the store in its turn.
    pub fn hand_over(&self, batch: Arc<Batch>) -> bool {
        let bytes = u32::try_from(bytes(&batch)).unwrap_or(u32::MAX).min(LIVE_BYTES);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else { return false };
        self.batches.try_send(Handed { batch, _room: room }).is_ok()
    }
}

fn bytes(batch: &Batch) -> usize {
    let of = |part: &Option<Arc<[u8]>>| part.as_ref().map_or(0, |bytes| bytes.len());
    let fact = |fact: &Fact| fact.body.len() + of(&fact.decision) + of(&fact.packet) + OVERHEAD_BYTES;
    let payloads = batch.payloads.iter().map(|(_, payload)| payload.len() + OVERHEAD_BYTES).sum::<usize>();
    batch.facts.iter().map(fact).sum::<usize>() + payloads + batch.tasks.len() * OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(payload_bytes: usize) -> Arc<Batch> {
        let payload = ("acme/1".parse().expect("an id"), Arc::from(vec![0; payload_bytes]));
        Arc::new(Batch { payloads: vec![payload], ..Batch::default() })
    }

    #[test]
    fn batches_wait_up_to_the_limit_in_bytes_and_room_comes_back_when_they_have_left() {
        let (live, mut waiting) = live();
        let half = usize::try_from(LIVE_BYTES).expect("small") / 2 - OVERHEAD_BYTES;
        assert!(live.hand_over(batch(half)) && live.hand_over(batch(half)));
        assert!(!live.hand_over(batch(1)), "no room");
        drop(waiting.try_recv().expect("a batch"));
        assert!(live.hand_over(batch(1)));
    }

    #[test]
    fn a_batch_larger_than_the_limit_is_handed_over_alone() {
        let (live, _waiting) = live();
        let larger = usize::try_from(LIVE_BYTES).expect("small") + 1;
        assert!(live.hand_over(batch(larger)));
        assert!(!live.hand_over(batch(1)));
    }
}
