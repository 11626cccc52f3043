//! Messages that the broker has not taken and that are tried again: when, for how long, and which expired.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::engine::id::TeamId;
use crate::wire::fact::FactSeq;

use super::super::clock::Stopwatch;

/// How long until a message is tried again, doubling up to the last.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(60);

/// Which of a fact's messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its event.
    Event,
    /// The message to this team's queue.
    Work(TeamId),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event => f.write_str("event"),
            Self::Work(team) => write!(f, "message to team {team}"),
        }
    }
}

/// A message between two tries.
#[derive(Debug)]
struct Waiting {
    since: Stopwatch,
    last_try: Stopwatch,
    pause: Duration,
    expired: bool,
    /// Whether the broker may have it all the same.
    may_have_left: bool,
}

/// Messages that wait for another try, in the order of their facts.
#[derive(Debug, Default)]
pub struct WaitingList {
    entries: BTreeMap<(FactSeq, Part), Waiting>,
    events: usize,
}

impl WaitingList {
    /// What was undelivered at the start; its time starts anew, and the last try before it may have succeeded.
    #[must_use]
    pub fn of_undelivered(undelivered: &[(FactSeq, TeamId)]) -> Self {
        let mut list = Self::default();
        for (seq, team) in undelivered {
            list.add(*seq, Part::Work(team.clone()), true);
        }
        list
    }

    /// How many events wait.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// The first fact whose event waits.
    #[must_use]
    pub fn first_event(&self) -> Option<FactSeq> {
        if self.events == 0 {
            return None;
        }
        self.entries.keys().find(|(_, part)| *part == Part::Event).map(|(seq, _)| *seq)
    }

    /// Adds a message after its first try, which the broker may have taken all the same; one that waits already goes on
    /// waiting.
    pub fn add(&mut self, seq: FactSeq, part: Part, may_have_left: bool) {
        let is_event = part == Part::Event;
        let now = Stopwatch::start();
        let mut is_new = false;
        self.entries.entry((seq, part)).or_insert_with(|| {
            is_new = true;
            Waiting { since: now, last_try: now, pause: PAUSE_FIRST, expired: false, may_have_left }
        });
        self.events += usize::from(is_new && is_event);
    }

    /// Whether the message of a fact to a team may be with the broker though it waits; `None` when none waits.
    #[must_use]
    pub fn work_may_have_left(&self, seq: FactSeq) -> Option<bool> {
        let mut of_fact = self.entries.range((seq, Part::Event)..).take_while(|((at, _), _)| *at == seq);
        of_fact.find(|((_, part), _)| *part != Part::Event).map(|(_, it)| it.may_have_left)
    }

    /// It is not known what became of another try.
    pub fn may_have_left(&mut self, seq: FactSeq, part: &Part) {
        if let Some(waiting) = self.entries.get_mut(&(seq, part.clone())) {
            waiting.may_have_left = true;
        }
    }

    /// Takes a message out; false when it did not wait.
    pub fn remove(&mut self, seq: FactSeq, part: &Part) -> bool {
        let found = self.entries.remove(&(seq, part.clone())).is_some();
        self.events -= usize::from(found && *part == Part::Event);
        found
    }

    /// The first messages whose pause is over.
    #[must_use]
    pub fn due(&self, limit: usize) -> Vec<(FactSeq, Part)> {
        let due = self.entries.iter().filter(|(_, it)| it.last_try.elapsed() >= it.pause);
        due.map(|(key, _)| key.clone()).take(limit).collect()
    }

    /// What of these still waits pauses twice as long as the last time.
    pub fn tried(&mut self, tried: &[(FactSeq, Part)]) {
        for key in tried {
            if let Some(waiting) = self.entries.get_mut(key) {
                waiting.last_try = Stopwatch::start();
                waiting.pause = (waiting.pause * 2).min(PAUSE_LAST);
            }
        }
    }

    /// Whether a message has waited for as long as the limit; true once.
    pub fn expires(&mut self, seq: FactSeq, part: &Part, limit: Duration) -> bool {
        match self.entries.get_mut(&(seq, part.clone())) {
            Some(waiting) if !waiting.expired && waiting.since.elapsed() >= limit => {
                waiting.expired = true;
                true
            }
            _ => false,
        }
    }
}
