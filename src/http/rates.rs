//! How often a caller may call: so many requests a second of one token or one address, and so many wrong tokens a minute
//! of one address.
//!
//! Both are counted in memory that is bounded: at the limit of callers the one that was seen least lately is forgotten. A
//! right token is let in whatever came from its address before, so that a stranger cannot lock others out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::tokens::TokenName;

use super::limits::{MAX_COUNTED_CALLERS, MAX_WRONG_TOKENS};

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// The holder of a token.
    Token(TokenName),
    /// An address that calls without one.
    Peer(IpAddr),
    /// An address, by the wrong tokens that come from it.
    Wrong(IpAddr),
}

/// What each caller has left.
#[derive(Debug)]
pub(super) struct Rates {
    per_second: u64,
    buckets: Mutex<BTreeMap<Counted, Bucket>>,
}

/// What may be done at once, refilled evenly.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In thousandths of one.
    left: u64,
    at: Instant,
}

impl Rates {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Takes one from what a caller has; whether there was one.
    pub(super) fn take(&self, who: Counted) -> bool {
        self.take_at(who, Instant::now())
    }

    fn take_at(&self, who: Counted, now: Instant) -> bool {
        let (most, within) = match who {
            Counted::Token(_) | Counted::Peer(_) => (self.per_second, Duration::from_secs(1)),
            Counted::Wrong(_) => (MAX_WRONG_TOKENS, Duration::from_secs(60)),
        };
        let full = most.saturating_mul(1_000);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_COUNTED_CALLERS && !buckets.contains_key(&who) {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(who, _)| who.clone());
            oldest.map(|who| buckets.remove(&who));
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: full, at: now });
        let gone = u64::try_from(now.saturating_duration_since(bucket.at).as_millis()).unwrap_or(u64::MAX);
        let refilled = gone.saturating_mul(full) / u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        // Time too short for a thousandth is kept for the next call.
        if refilled > 0 {
            *bucket = Bucket { left: bucket.left.saturating_add(refilled).min(full), at: now };
        }
        let had_one = bucket.left >= 1_000;
        if had_one {
            bucket.left -= 1_000;
        }
        had_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Counted {
        Counted::Peer(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_caller_has_so_many_at_once_and_gets_them_back_evenly_and_others_have_their_own() {
        let (rates, start) = (Rates::new(4), Instant::now());
        let taken = |ms: u64| rates.take_at(peer(1), start + Duration::from_millis(ms));
        assert_eq!(
            [0, 0, 0, 0, 0, 249, 250, 251, 500].map(taken),
            [true, true, true, true, false, false, true, false, true]
        );
        assert!(rates.take_at(peer(2), start));
        // However long it stays away, it has no more than that.
        assert_eq!([9_000, 9_000, 9_000, 9_000, 9_000].map(taken), [true, true, true, true, false]);
    }

    #[test]
    fn wrong_tokens_are_counted_by_the_minute() {
        let (rates, start) = (Rates::new(1), Instant::now());
        let wrong =
            |seconds| rates.take_at(Counted::Wrong(IpAddr::from([192, 0, 2, 1])), start + Duration::from_secs(seconds));
        assert!((0..MAX_WRONG_TOKENS).all(|_| wrong(0)));
        assert!(!wrong(0));
        assert!(wrong(60));
    }

    #[test]
    fn the_callers_that_are_counted_are_bounded() {
        let (rates, start) = (Rates::new(1), Instant::now());
        for caller in 0..MAX_COUNTED_CALLERS + 10 {
            let address = IpAddr::from(u32::try_from(caller).unwrap().to_be_bytes());
            assert!(rates.take_at(Counted::Peer(address), start + Duration::from_micros(caller as u64)));
        }
        assert_eq!(rates.buckets.lock().unwrap().len(), MAX_COUNTED_CALLERS);
    }
}
