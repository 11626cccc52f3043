//! Which deliveries of the present link are settled, and how far they may be acknowledged.
//!
//! Tags count from 1 on each link without a hole, so an acknowledgement of everything up to a tag is safe exactly when all
//! of them have been handed over and settled. A tag that was not handed over yet holds back all that follow it.

use std::collections::VecDeque;

use super::delivery::DeliveryToken;

/// Deliveries of one link at a time; `A` is what acknowledges one.
#[derive(Debug)]
pub(super) struct Ledger<A> {
    /// The link, while there is one.
    epoch: Option<u64>,
    /// The tag of the first entry.
    first_tag: u64,
    entries: VecDeque<Entry<A>>,
    /// How many entries from the first are settled.
    settled_prefix: usize,
}

#[derive(Debug)]
enum Entry<A> {
    NotHandedOver,
    Unsettled(A),
    Settled(A),
}

impl<A> Default for Ledger<A> {
    fn default() -> Self {
        Self { epoch: None, first_tag: 1, entries: VecDeque::new(), settled_prefix: 0 }
    }
}

impl<A> Ledger<A> {
    /// Forgets the link before and takes up this one.
    pub(super) fn begin(&mut self, epoch: u64) {
        *self = Self { epoch: Some(epoch), ..Self::default() };
    }

    /// The link is gone: nothing of it can be settled any more.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Notes a delivery that is about to be handed over.
    pub(super) fn hand_over(&mut self, tag: u64, acker: A) {
        let Some(at) = self.index(tag) else { return };
        while self.entries.len() <= at {
            self.entries.push_back(Entry::NotHandedOver);
        }
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = Entry::Unsettled(acker);
        }
    }

    /// Settles a delivery; one of another link, or one that was never handed over, is ignored.
    pub(super) fn settle(&mut self, token: DeliveryToken) {
        if self.epoch != Some(token.epoch) {
            return;
        }
        let Some(entry) = self.index(token.tag).and_then(|at| self.entries.get_mut(at)) else { return };
        *entry = match std::mem::replace(entry, Entry::NotHandedOver) {
            Entry::Unsettled(acker) | Entry::Settled(acker) => Entry::Settled(acker),
            Entry::NotHandedOver => Entry::NotHandedOver,
        };
        while matches!(self.entries.get(self.settled_prefix), Some(Entry::Settled(_))) {
            self.settled_prefix += 1;
        }
    }

    /// How many deliveries can be acknowledged now.
    pub(super) fn acknowledgeable(&self) -> usize {
        self.settled_prefix
    }

    /// Whether nothing that came in waits for being settled.
    pub(super) fn is_idle(&self) -> bool {
        self.settled_prefix == self.entries.len()
    }

    /// What acknowledges, with `multiple`, all that can be acknowledged.
    pub(super) fn take_acknowledgeable(&mut self) -> Option<A> {
        let mut last = None;
        for _ in 0..self.settled_prefix {
            if let Some(Entry::Settled(acker)) = self.entries.pop_front() {
                last = Some(acker);
            }
            self.first_tag += 1;
        }
        self.settled_prefix = 0;
        last
    }

    fn index(&self, tag: u64) -> Option<usize> {
        usize::try_from(tag.checked_sub(self.first_tag)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(epoch: u64, tag: u64) -> DeliveryToken {
        DeliveryToken { epoch, tag }
    }

    #[test]
    fn nothing_is_acknowledged_past_the_first_unsettled_delivery() {
        let mut ledger = Ledger::default();
        ledger.begin(1);
        for tag in 1..=5 {
            ledger.hand_over(tag, tag);
        }
        for tag in [2, 3, 5] {
            ledger.settle(token(1, tag));
        }
        assert_eq!(ledger.take_acknowledgeable(), None);
        ledger.settle(token(1, 1));
        assert_eq!(ledger.take_acknowledgeable(), Some(3));
        ledger.settle(token(1, 4));
        assert_eq!(ledger.take_acknowledgeable(), Some(5));
        assert!(ledger.is_idle());
    }

    #[test]
    fn a_delivery_that_was_not_handed_over_holds_back_the_later_ones() {
        let mut ledger = Ledger::default();
        ledger.begin(1);
        ledger.hand_over(2, 2);
        ledger.settle(token(1, 2));
        ledger.settle(token(1, 1));
        assert_eq!(ledger.take_acknowledgeable(), None);
        ledger.hand_over(1, 1);
        ledger.settle(token(1, 1));
        assert_eq!(ledger.take_acknowledgeable(), Some(2));
    }

    #[test]
    fn tokens_of_another_link_are_ignored() {
        let mut ledger = Ledger::default();
        ledger.begin(1);
        ledger.hand_over(1, 1);
        ledger.begin(2);
        ledger.hand_over(1, 10);
        ledger.settle(token(1, 1));
        ledger.settle(token(3, 1));
        assert_eq!(ledger.take_acknowledgeable(), None);
        ledger.end();
        ledger.settle(token(2, 1));
        assert_eq!(ledger.take_acknowledgeable(), None);
    }

    proptest! {
        #[test]
        fn what_is_acknowledged_is_what_a_plain_set_says(
            steps in prop::collection::vec((any::<bool>(), 1_u64..40), 1..200),
        ) {
            let mut ledger = Ledger::default();
            ledger.begin(1);
            let (mut handed, mut settled, mut acknowledged) = ([false; 41], [false; 41], 0_u64);
            for (is_settle, tag) in steps {
                let at = usize::try_from(tag).expect("small");
                if is_settle {
                    ledger.settle(token(1, tag));
                    settled[at] |= handed[at];
                } else if !handed[at] {
                    ledger.hand_over(tag, tag);
                    handed[at] = true;
                }
                let expected = (1..=40).take_while(|tag| settled[*tag]).count() as u64;
                let acked = ledger.take_acknowledgeable();
                prop_assert_eq!(acked, (expected > acknowledged).then_some(expected));
                acknowledged = expected;
            }
        }
    }
}
