//! Messages out.

use heliograph::engine::effect::{Answer, Effect};
use heliograph::engine::event::{Refusal, RefusalCode};
use heliograph::engine::id::{ClientId, RequestId, TaskId};
use heliograph::wire::chain::{Head, Sealer};
use heliograph::wire::fact::Fact;
use heliograph::wire::message::{
    ExchangeName, ORIGINAL_HEADER, REASON_HEADER, Receipted, ReplyIgnored, event, receipt, rejected, work,
};

use super::samples::{at, effects, recorded};

fn facts() -> Vec<Fact> {
    let mut sealer = Sealer::after(Head::default());
    (1..).zip(effects()).map(|(task_seq, effect)| sealer.seal(recorded(effect, task_seq))).collect()
}

fn offer() -> Fact {
    facts().into_iter().find(|fact| fact.addressed.is_some()).unwrap()
}

#[test]
fn every_fact_is_an_event_that_nobody_need_hear() {
    let mut fact = offer();
    let message = event("i7", &fact).unwrap();
    assert_eq!((message.exchange, message.mandatory), (ExchangeName::Events, false));
    assert_eq!(message.routing_key, "task.offered.acme-llp.manila-1");
    assert_eq!(message.message_id, "i7.5.e");
    assert_eq!(message.message_type, "task.offered");
    assert_eq!(message.correlation_id.as_deref(), Some("acme-llp/req-1"));
    assert_eq!(message.body, fact.body);
    (fact.client, fact.team) = (None, None);
    assert_eq!(event("i7", &fact).unwrap().routing_key, "task.offered.-.-");
    fact.body = [].into();
    assert_eq!(event("i7", &fact), None);
}

#[test]
fn an_offer_carries_the_payload_as_its_last_member() {
    let fact = offer();
    let message = work("i7", &fact, Some(br#"{"a":1}"#)).unwrap();
    assert_eq!((message.exchange, message.mandatory, &*message.routing_key), (ExchangeName::Work, true, "manila-1"));
    assert_eq!((&*message.message_id, &*message.message_type), ("i7.5.w", "offer"));
    let text = std::str::from_utf8(&message.body).unwrap();
    assert!(text.ends_with(r#","payload":{"a":1}}"#), "{text}");
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
    value.as_object_mut().unwrap().remove("payload");
    value.as_object_mut().unwrap().remove("packet");
    assert_eq!(value, serde_json::from_slice::<serde_json::Value>(&fact.body).unwrap());
    assert_eq!(message, work("i7", &fact, Some(br#"{"a":1}"#)).unwrap());
}

#[test]
fn a_payload_travels_only_with_a_fact_that_carries_it() {
    let mut fact = offer();
    fact.packet = None;
    assert_eq!(work("i7", &fact, None).unwrap().body, fact.body);
    assert_eq!(work("i7", &fact, Some(b"")).unwrap().body, fact.body);
    fact.with_payload = false;
    assert_eq!(work("i7", &fact, Some(b"1")).unwrap().body, fact.body);
    let carried: Vec<String> =
        facts().iter().filter(|fact| fact.with_payload).map(|fact| fact.event_type.to_string()).collect();
    assert_eq!(carried, ["task.offered", "task.accepted"]);
}

#[test]
fn what_earlier_holders_said_goes_to_the_team_and_to_nobody_who_listens_to_events() {
    let fact = offer();
    let packet = fact.packet.as_deref().expect("an offer has one");
    let notes = "notes for the next holder";
    assert!(std::str::from_utf8(packet).unwrap().contains(notes));
    let text = |body: &[u8]| std::str::from_utf8(body).unwrap().to_owned();
    assert!(text(&work("i7", &fact, None).unwrap().body).contains(notes));
    assert!(!text(&event("i7", &fact).unwrap().body).contains(notes));
}

#[test]
fn a_fact_that_is_not_addressed_is_no_work_message() {
    let fact = Sealer::after(Head::default()).seal(recorded(Effect::Resume {}, 1));
    assert_eq!(work("i7", &fact, Some(b"1")), None);
}

fn reply(to: &str, answer: &Answer) -> Result<(String, String), ReplyIgnored> {
    let client = ClientId::new("acme-llp").unwrap();
    let request = RequestId::new("req-1").unwrap();
    let receipted = Receipted { client: &client, request: Some(&request), at: at("2026-11-24T09:00:00Z"), answer };
    let message = receipt("i7", to, receipted)?;
    assert_eq!((message.exchange, message.mandatory, &*message.routing_key), (ExchangeName::Replies, false, to));
    assert_eq!(message, receipt("i7", to, receipted).unwrap());
    Ok((String::from_utf8(message.body.to_vec()).unwrap(), message.message_id))
}

#[test]
fn a_receipt_goes_only_where_the_client_may_listen() {
    let admitted = Answer::Admitted(TaskId::new("acme-llp/req-1").unwrap());
    let (body, id) = reply("acme-llp.inbox.7", &admitted).unwrap();
    assert_eq!(body, r#"{"outcome":"admitted","client":"acme-llp","id":"req-1","task":"acme-llp/req-1"}"#);
    assert_ne!(id, reply("acme-llp.inbox.8", &admitted).unwrap().1);
    for bad in ["", "acme-llp", "acme-llp.", "other.inbox", "acme-llp2.x", "amq.rabbitmq.reply-to.x", ".acme-llp"] {
        assert_eq!(reply(bad, &admitted), Err(ReplyIgnored::NotTheClients), "{bad}");
    }
    assert_eq!(reply("acme-llp.a b", &admitted), Err(ReplyIgnored::NotPrintable));
    assert_eq!(reply("acme-llp.ü", &admitted), Err(ReplyIgnored::NotPrintable));
    assert_eq!(reply(&format!("acme-llp.{}", "x".repeat(247)), &admitted), Err(ReplyIgnored::TooLong));
    assert!(reply(&format!("acme-llp.{}", "x".repeat(246)), &admitted).is_ok());
}

#[test]
fn a_receipt_tells_why_a_request_was_refused() {
    let refused = Answer::Refused(Refusal::of_field(RefusalCode::UnknownSla, "sla", "no such policy"));
    let expected = r#"{"outcome":"refused","client":"acme-llp","id":"req-1","refusal":{"code":"unknown_sla","field":"sla","message":"no such policy"}}"#;
    assert_eq!(reply("acme-llp.x", &refused).unwrap().0, expected);
}

#[test]
fn a_rejected_message_keeps_its_body_and_tells_its_origin() {
    let refusal = Refusal::new(RefusalCode::InvalidJson, "not UTF-8 at byte 0; send JSON in UTF-8");
    let original = r#"{"user_id":"acme","expiration":"1","headers":{"CC":"a\"b"}}"#;
    let set_aside = || rejected("i7", original, &refusal, at("2026-11-24T09:00:00Z"), [0xff, 0].into());
    let message = set_aside();
    assert_eq!(message, set_aside());
    assert_eq!((message.exchange, message.mandatory), (ExchangeName::Rejected, true));
    assert_eq!(&*message.body, [0xff, 0]);
    let header = |name: &str| message.headers.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(header(ORIGINAL_HEADER), original);
    let expected = r#"{"code":"invalid_json","message":"not UTF-8 at byte 0; send JSON in UTF-8"}"#;
    assert_eq!(header(REASON_HEADER), expected);
    assert_eq!(message.headers.len(), 2);
}
