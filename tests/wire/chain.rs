//! Facts: their bytes, and that tampering with the chain shows.

use heliograph::engine::effect::Effect;
use heliograph::wire::audit::{self, Record};
use heliograph::wire::chain::{ANCHOR_TYPE, BrokenAt, BrokenBecause, Head, Sealer, Verifier, verify};
use heliograph::wire::fact::{Fact, FactSeq};

use super::samples::{effects, recorded, term};

fn chain() -> Vec<Fact> {
    let mut sealer = Sealer::after(Head::default());
    (1..).zip(effects()).map(|(task_seq, effect)| sealer.seal(recorded(effect, task_seq))).collect()
}

fn head(facts: &[Fact]) -> Head {
    facts.last().map(|fact| Head { seq: fact.seq, link: fact.link }).unwrap()
}

fn text(fact: &Fact) -> &str {
    std::str::from_utf8(&fact.body).unwrap()
}

#[test]
fn a_body_has_its_keys_in_a_fixed_order() {
    let mut sealer = Sealer::after(Head { seq: FactSeq(6), link: [0; 32] });
    let mut resume = recorded(Effect::Resume {}, 4);
    resume.update = Some("u-1".parse().unwrap());
    resume.claimed_at = None;
    let fact = sealer.seal(resume);
    let expected = r#"{"type":"task.resumed","at":"2026-11-24T09:00:00.123Z","task":"acme-llp/req-1","task_seq":4,"client":"acme-llp","team":"manila-1","update":"u-1","order":{"by":"ana","reason":"the partner asked"}}"#;
    assert_eq!(text(&fact), expected);
    let mut pause = recorded(Effect::Pause { reason: term("client_question") }, 0);
    (pause.task, pause.client, pause.team, pause.order) = (None, None, None, None);
    let expected = r#"{"type":"task.paused","at":"2026-11-24T09:00:00.123Z","claimed_at":"2026-11-24T08:00:00.000Z","stream_seq":8,"reason":"client_question"}"#;
    assert_eq!(text(&sealer.seal(pause)), expected);
}

#[test]
fn every_body_is_an_object_without_repeated_keys() {
    for fact in chain() {
        let value: serde_json::Value = serde_json::from_slice(&fact.body).unwrap();
        assert_eq!(
            serde_json::to_string(&value).unwrap().len(),
            fact.body.len(),
            "a key stands twice: {}",
            text(&fact)
        );
    }
}

#[test]
fn the_same_effects_give_the_same_facts() {
    assert_eq!(chain(), chain());
}

#[test]
fn a_whole_chain_holds_and_gives_its_head() {
    let facts = chain();
    assert_eq!(verify(&facts, Some(head(&facts))), Ok(head(&facts)));
    assert_eq!(verify(&facts, Some(head(&facts[..5]))), Ok(head(&facts)));
}

#[test]
fn a_chain_is_checked_in_pages() {
    let facts = chain();
    let mut verifier = Verifier::new(head(&facts[..7]), Some(head(&facts)));
    facts[7..].iter().for_each(|fact| verifier.check(fact).unwrap());
    assert_eq!(verifier.finish(), Ok(head(&facts)));
}

#[test]
fn a_purged_body_leaves_the_chain_valid() {
    let mut facts = chain();
    facts[3].body = [].into();
    assert_eq!(verify(&facts, None), Ok(head(&facts)));
}

type Edit = (&'static str, fn(&mut Fact), BrokenBecause);

#[test]
fn editing_any_part_of_a_record_shows_at_that_record() {
    let edits: [Edit; 12] = [
        ("body", |fact| fact.body = br#"{"type":"task.lapsed"}"#.as_slice().into(), BrokenBecause::BodyChanged),
        ("packet", |fact| fact.packet = Some(b"[]".as_slice().into()), BrokenBecause::BodyChanged),
        ("body digest", |fact| fact.body_digest[0] ^= 1, BrokenBecause::BodyChanged),
        (
            "purged body digest",
            |fact| {
                fact.body = [].into();
                fact.body_digest[0] ^= 1;
            },
            BrokenBecause::LinkChanged,
        ),
        ("instant", |fact| fact.at += chrono::TimeDelta::milliseconds(1), BrokenBecause::LinkChanged),
        ("type", |fact| fact.event_type = "task.lapsed".into(), BrokenBecause::LinkChanged),
        ("task", |fact| fact.task = Some(("acme-llp/req-2".parse().unwrap(), 3)), BrokenBecause::LinkChanged),
        ("task_seq", |fact| fact.task.as_mut().unwrap().1 += 1, BrokenBecause::LinkChanged),
        ("client", |fact| fact.client = None, BrokenBecause::LinkChanged),
        ("team", |fact| fact.team = Some("sydney-1".parse().unwrap()), BrokenBecause::LinkChanged),
        (
            "client and team swapped",
            |fact| {
                fact.client = Some("manila-1".parse().unwrap());
                fact.team = Some("acme-llp".parse().unwrap());
            },
            BrokenBecause::LinkChanged,
        ),
        ("link", |fact| fact.link[31] ^= 1, BrokenBecause::LinkChanged),
    ];
    for (what, edit, why) in edits {
        let mut facts = chain();
        edit(&mut facts[2]);
        assert_eq!(verify(&facts, None), Err(BrokenAt { at: FactSeq(3), why }), "{what}");
    }
}

#[test]
fn deleting_repeating_and_reordering_show() {
    let out_of_sequence =
        |at, found| Err(BrokenAt { at: FactSeq(at), why: BrokenBecause::OutOfSequence { found: FactSeq(found) } });
    let mut facts = chain();
    facts.remove(4);
    assert_eq!(verify(&facts, None), out_of_sequence(5, 6));
    let mut facts = chain();
    facts.swap(4, 5);
    assert_eq!(verify(&facts, None), out_of_sequence(5, 6));
    let mut facts = chain();
    facts.insert(4, facts[3].clone());
    assert_eq!(verify(&facts, None), out_of_sequence(5, 4));
    let mut facts = chain();
    facts.remove(4);
    (5..).zip(&mut facts[4..]).for_each(|(seq, fact)| fact.seq = FactSeq(seq));
    assert_eq!(verify(&facts, None), Err(BrokenAt { at: FactSeq(5), why: BrokenBecause::LinkChanged }));
}

#[test]
fn an_anchor_names_the_head_before_it_and_one_that_does_not_is_found() {
    let facts = chain();
    let at = facts.iter().position(|fact| &*fact.event_type == ANCHOR_TYPE).unwrap();
    let before = head(&facts[..at]);
    let body: serde_json::Value = serde_json::from_slice(&facts[at].body).unwrap();
    assert_eq!((body["fact"].as_u64(), body["link"].as_str()), (Some(before.seq.0), Some(&*audit::hex(&before.link))));
    assert_eq!(audit::anchor(text(&facts[at])), Ok(before));
    assert_eq!(audit::anchor(&format!("{}:{}", before.seq.0, audit::hex(&before.link))), Ok(before));
    assert!(audit::anchor("7").is_err() && audit::anchor("7:abc").is_err());
    // The same words behind another fact, in a chain that is whole otherwise.
    let mut sealer = Sealer::after(head(&facts[..at]));
    let mut moved = sealer.seal(recorded(Effect::Resume {}, 99));
    let mut forged = facts[..at].to_vec();
    moved.event_type = ANCHOR_TYPE.into();
    forged.push(moved);
    let broken = verify(&forged, None).unwrap_err();
    assert_eq!(broken.at, FactSeq(at as u64 + 1));
}

#[test]
fn every_anchor_that_was_kept_is_looked_at() {
    let facts = chain();
    let wrong = Head { seq: FactSeq(4), link: [7; 32] };
    let all = [head(&facts[..2]), wrong, head(&facts)];
    assert_eq!(verify(&facts, all), Err(BrokenAt { at: FactSeq(4), why: BrokenBecause::NotAsAnchored }));
    assert_eq!(verify(&facts, [head(&facts[..4]), wrong]).unwrap_err().at, FactSeq(4));
    assert!(verify(&facts, [head(&facts[..2]), head(&facts)]).is_ok());
    let mut from_wrong = Verifier::new(wrong, [head(&facts[..4])]);
    assert_eq!(from_wrong.check(&facts[4]).unwrap_err().at, FactSeq(4));
}

#[test]
fn a_record_holds_what_the_chain_covers_and_no_edit_passes_for_a_purge() {
    let facts = chain();
    let through = |fact: &Fact| {
        let line = serde_json::to_string(&Record::from(fact)).unwrap();
        serde_json::from_str::<Record>(&line).unwrap().fact().unwrap()
    };
    assert_eq!(verify(facts.iter().map(through), None), Ok(head(&facts)));
    for edited in [b"\0".as_slice(), b"no json", b"{} ", b"\xff"] {
        let mut facts = facts.clone();
        facts[3].body = edited.into();
        let broken = verify(facts.iter().map(through), None);
        assert_eq!(broken, Err(BrokenAt { at: FactSeq(4), why: BrokenBecause::BodyChanged }));
    }
}

#[test]
fn truncating_shows_against_an_anchor() {
    let facts = chain();
    let broken = verify(&facts[..20], Some(head(&facts))).unwrap_err();
    assert_eq!(broken, BrokenAt { at: FactSeq(21), why: BrokenBecause::Truncated { last: FactSeq(20) } });
    assert_eq!(broken.to_string(), "the audit chain is broken at fact 21: the chain ends at fact 20 before an anchor");
    assert_eq!(verify(&facts[..0], Some(head(&facts))).unwrap_err().at, FactSeq(1));
}

#[test]
fn a_chain_that_was_written_anew_shows_against_an_anchor() {
    let facts = chain();
    let mut sealer = Sealer::after(head(&facts[..3]));
    let mut forged = facts[..3].to_vec();
    forged.extend((4..=facts.len() as u64).map(|task_seq| sealer.seal(recorded(Effect::Resume {}, task_seq))));
    assert!(verify(&forged, None).is_ok());
    let at = head(&facts).seq;
    assert_eq!(verify(&forged, Some(head(&facts))), Err(BrokenAt { at, why: BrokenBecause::NotAsAnchored }));
}
