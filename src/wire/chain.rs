//! The chain of facts: sealing what was decided, and finding out whether it was tampered with.
//!
//! A body is one JSON object with its keys in a fixed order: `type`, `at`, `claimed_at`, `task`
//! with `task_seq` or else `stream_seq`, `client`, `team`, `update`, then the effect's own fields; what does not apply is
//! left out of the first group. The same effect at the same position has the same bytes.
//!
//! A link digests, one after the other: the previous link (32 bytes), the sequence number, the instant in milliseconds
//! (8 bytes each, big-endian), the event type, the task and its `task_seq`, the client, the team, and the body digest
//! (32 bytes). A text is its length (8 bytes) and its UTF-8; one that is absent is eight bytes of 255, which no
//! text can be.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::io::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::effect::{Effect, Recorded};

use super::audit::hex;
use super::fact::{Fact, FactSeq, Link};
use super::instant;

/// A position of the chain and the link to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The last fact; 0 before the first.
    pub seq: FactSeq,
    /// The link to it; zeros before the first.
    pub link: Link,
}

/// Turns effects into facts, in sequence.
#[derive(Debug, Clone)]
pub struct Sealer {
    head: Head,
}

impl Sealer {
    /// Goes on after `head`.
    #[must_use]
    pub fn after(head: Head) -> Self {
        Self { head }
    }

    /// The last fact that was sealed.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The next fact of the chain. Its instant is cut to milliseconds, as its body states it.
    pub fn seal(&mut self, recorded: Recorded) -> Fact {
        let seq = FactSeq(self.head.seq.0 + 1);
        let body = encode(&recorded, seq, &self.head);
        let packet = recorded.effect.packet().map(json);
        let mut fact = Fact {
            seq,
            at: instant::truncated(recorded.at),
            event_type: recorded.effect.event_type().into(),
            addressed: recorded.addressed,
            held: recorded.held,
            with_payload: recorded.effect.carries_payload(),
            body_digest: digest(&body, packet.as_deref()),
            body: body.into(),
            packet: packet.map(Into::into),
            link: [0; 32],
            decision: recorded.decision.as_deref().map(|decision| json(decision).into()),
            task: recorded.task,
            client: recorded.client,
            matter: recorded.matter,
            team: recorded.team,
        };
        fact.link = link(&self.head.link, &fact);
        self.head = Head { seq, link: fact.link };
        fact
    }
}

/// What an `audit.anchor` says: the head of the chain before it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    fact: u64,
    link: String,
}

impl Anchor {
    fn of(head: &Head) -> Self {
        Self { fact: head.seq.0, link: hex(&head.link) }
    }
}

/// Whether a fact is an anchor that does not name the head before it.
fn misleads(fact: &Fact, head: &Head) -> bool {
    &*fact.event_type == ANCHOR_TYPE
        && !fact.body.is_empty()
        && serde_json::from_slice::<Anchor>(&fact.body).ok() != Some(Anchor::of(head))
}

/// The event type of anchors.
pub const ANCHOR_TYPE: &str = "audit.anchor";

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit chain is broken at fact {}: {why}", at.0)]
pub struct BrokenAt {
    /// The first fact that does not hold.
    pub at: FactSeq,
    /// What does not hold.
    pub why: BrokenBecause,
}

/// What does not hold in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenBecause {
    /// Facts are missing, repeated or out of order.
    #[error("fact {} stands in its place", found.0)]
    OutOfSequence {
        /// The fact that stands there.
        found: FactSeq,
    },
    /// The body is not the one that was written.
    #[error("its body is not the one that was written")]
    BodyChanged,
    /// The record, or one before it, is not the one that was written.
    #[error("its link does not follow from the record")]
    LinkChanged,
    /// It is an anchor, and names another head than the one before it.
    #[error("it is an anchor that does not name the fact before it")]
    AnchorMisleads,
    /// The chain is consistent and is not the one that was anchored.
    #[error("its link is not the one that was anchored")]
    NotAsAnchored,
    /// The chain ends before a position that was anchored.
    #[error("the chain ends at fact {} before an anchor", last.0)]
    Truncated {
        /// Its last fact.
        last: FactSeq,
    },
}

/// Checks a chain fact by fact, so that a store of any size is read in pages.
#[derive(Debug, Clone)]
pub struct Verifier {
    head: Head,
    /// By their position; several may be kept of one.
    anchors: BTreeMap<FactSeq, Vec<Link>>,
}

impl Verifier {
    /// Starts after `head`; the chain must also lead through `anchors`, which are kept where the store's writer cannot
    /// reach. An anchor before the start is not looked at; one at the start must be the start's link.
    #[must_use]
    pub fn new(head: Head, anchors: impl IntoIterator<Item = Head>) -> Self {
        let mut by_position: BTreeMap<FactSeq, Vec<Link>> = BTreeMap::new();
        for Head { seq, link } in anchors.into_iter().filter(|anchor| anchor.seq >= head.seq) {
            by_position.entry(seq).or_default().push(link);
        }
        Self { head, anchors: by_position }
    }

    /// Whether the head is the one that was anchored, where it was.
    fn is_as_anchored(&self) -> bool {
        self.anchors.get(&self.head.seq).is_none_or(|links| links.iter().all(|link| *link == self.head.link))
    }

    /// Checks the next fact.
    ///
    /// # Errors
    /// [`BrokenAt`] when it does not follow; the verifier must not be used again.
    pub fn check(&mut self, fact: &Fact) -> Result<(), BrokenAt> {
        let at = FactSeq(self.head.seq.0 + 1);
        let broken = |why| Err(BrokenAt { at, why });
        if !self.is_as_anchored() {
            return Err(BrokenAt { at: self.head.seq, why: BrokenBecause::NotAsAnchored });
        }
        if fact.seq != at {
            return broken(BrokenBecause::OutOfSequence { found: fact.seq });
        }
        if !fact.body.is_empty() && digest(&fact.body, fact.packet.as_deref()) != fact.body_digest {
            return broken(BrokenBecause::BodyChanged);
        }
        if link(&self.head.link, fact) != fact.link {
            return broken(BrokenBecause::LinkChanged);
        }
        if misleads(fact, &self.head) {
            return broken(BrokenBecause::AnchorMisleads);
        }
        self.head = Head { seq: at, link: fact.link };
        if self.is_as_anchored() { Ok(()) } else { broken(BrokenBecause::NotAsAnchored) }
    }

    /// The last fact that was checked.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Ends the check with the chain's head.
    ///
    /// # Errors
    /// [`BrokenAt`] when the chain ends before an anchor, or begins with another link than one.
    pub fn finish(self) -> Result<Head, BrokenAt> {
        if !self.is_as_anchored() {
            return Err(BrokenAt { at: self.head.seq, why: BrokenBecause::NotAsAnchored });
        }
        match self.anchors.last_key_value() {
            Some((last, _)) if *last > self.head.seq => {
                let at = FactSeq(self.head.seq.0 + 1);
                Err(BrokenAt { at, why: BrokenBecause::Truncated { last: self.head.seq } })
            }
            _ => Ok(self.head),
        }
    }
}

/// Checks a whole chain from its first fact, and that it leads through `anchors`.
///
/// # Errors
/// [`BrokenAt`] with the first fact that does not hold.
pub fn verify<F: Borrow<Fact>>(
    facts: impl IntoIterator<Item = F>,
    anchors: impl IntoIterator<Item = Head>,
) -> Result<Head, BrokenAt> {
    let mut verifier = Verifier::new(Head::default(), anchors);
    for fact in facts {
        verifier.check(fact.borrow())?;
    }
    verifier.finish()
}

fn link(previous: &Link, fact: &Fact) -> Link {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(fact.seq.0.to_be_bytes());
    hasher.update(fact.at.timestamp_millis().to_be_bytes());
    let mut text = |text: Option<&str>| match text {
        Some(text) => {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        None => hasher.update(u64::MAX.to_be_bytes()),
    };
    text(Some(&fact.event_type));
    text(fact.task.as_ref().map(|(id, _)| id.as_str()));
    text(fact.task.as_ref().map(|(_, task_seq)| task_seq.to_string()).as_deref());
    text(fact.client.as_ref().map(|id| id.as_str()));
    text(fact.team.as_ref().map(|id| id.as_str()));
    hasher.update(fact.body_digest);
    hasher.finalize().into()
}

/// The digest of a body and its packet; both are JSON, so that where one ends is not in doubt.
fn digest(body: &[u8], packet: Option<&[u8]>) -> Link {
    let mut hasher = Sha256::new();
    hasher.update(body);
    hasher.update(packet.unwrap_or_default());
    hasher.finalize().into()
}

/// The body of a fact that follows `head`.
fn encode(recorded: &Recorded, seq: FactSeq, head: &Head) -> Vec<u8> {
    let mut body = Vec::with_capacity(384);
    let event_type = recorded.effect.event_type();
    // Ids, event types and instants have no character that JSON escapes, except matters, which are the effect's.
    let mut put = |args: std::fmt::Arguments<'_>| body.write_fmt(args).expect("a Vec takes all bytes");
    put(format_args!(r#"{{"type":"{event_type}","at":"{}""#, instant::text(recorded.at)));
    if let Some(claimed_at) = recorded.claimed_at {
        put(format_args!(r#","claimed_at":"{}""#, instant::text(claimed_at)));
    }
    match &recorded.task {
        Some((task, task_seq)) => put(format_args!(r#","task":"{task}","task_seq":{task_seq}"#)),
        None => put(format_args!(r#","stream_seq":{}"#, seq.0)),
    }
    if let Some(client) = &recorded.client {
        put(format_args!(r#","client":"{client}""#));
    }
    if let Some(team) = &recorded.team {
        put(format_args!(r#","team":"{team}""#));
    }
    if let Some(update) = &recorded.update {
        put(format_args!(r#","update":"{update}""#));
    }
    if let Some(order) = &recorded.order {
        body.extend_from_slice(br#","order":"#);
        serde_json::to_writer(&mut body, order).expect("an order is plain data");
    }
    match &recorded.effect {
        Effect::AnchorChain {} => append_fields(&mut body, &Anchor::of(head)),
        effect => append_fields(&mut body, effect),
    }
    body
}

/// Adds the fields of an object to an object that is not closed yet, and closes it.
fn append_fields(body: &mut Vec<u8>, object: &impl Serialize) {
    let start = body.len();
    serde_json::to_writer(&mut *body, object).expect("an effect is plain data");
    if body[start..] == *b"{}" {
        body.remove(start);
    } else {
        body[start] = b',';
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("decisions and packets are plain data")
}
