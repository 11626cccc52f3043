//! Updates: each kind with its own fields, and one sender.

use heliograph::engine::event::RefusalCode::{
    self, DuplicateKey, Identity, InvalidField, InvalidJson, MissingField, NotAllowed, UnknownField,
};
use heliograph::engine::update::{Change, DeclineReason, Order, Sender, SetAside, Update};
use heliograph::wire::Rules;
use heliograph::wire::update::{LOCAL_OPERATOR, RefusedUpdate, SenderHint, parse};

use super::samples::at;

fn read(body: &str) -> Result<Update, RefusedUpdate> {
    parse(body.as_bytes(), &SenderHint::InBody, &Rules::default())
}

/// An update of this kind by a team, with these further members.
fn of_team(kind: &str, members: &str) -> String {
    format!(r#"{{"id":"u1","task":"acme-llp/r1","team":"manila-1","kind":"{kind}"{members}}}"#)
}

fn of_client(kind: &str, members: &str) -> String {
    of_team(kind, members).replace(r#""team":"manila-1""#, r#""client":"acme-llp""#)
}

#[test]
fn every_kind_of_the_contract_is_read() {
    let team = r#","assignment":3"#;
    let bodies = [
        of_team("accept", team),
        of_team("decline", r#","assignment":3,"reason":"not_qualified","note":"no\nbar admission""#),
        of_team("progress", r#","assignment":3,"remaining_minutes":0"#),
        of_team("pause", r#","assignment":3,"reason":"client_question""#),
        of_team("resume", team),
        of_team("handoff", r#","assignment":3,"notes":"n","done":"d","next_step":"s","remaining_minutes":30"#),
        of_team("keep", r#","assignment":3,"reason":"nearly done""#),
        of_team("release", r#","assignment":3,"reason":"ill""#),
        of_team("complete", team),
        of_client("cancel", r#","reason":"settled""#),
        of_client("hold", ""),
        of_client("unhold", ""),
        of_client("resume", ""),
        of_client("reprioritise", r#","priority":"urgent""#),
        of_client("amend", r#","deadline":"2026-11-25T00:00:00Z","excluded_teams":[]"#),
    ];
    for body in bodies {
        let update = read(&body).unwrap_or_else(|refused| panic!("{refused}: {body}"));
        assert!(body.contains(&format!(r#""kind":"{}""#, update.change.kind())), "{body}");
        assert_eq!(update.change.assignment(), body.contains("assignment").then_some(3), "{body}");
    }
}

#[test]
fn a_decline_is_read_whole() {
    let update =
        read(&of_team("decline", r#","assignment":3,"reason":"busy","at":"2026-11-24T09:00:00+08:00""#)).unwrap();
    assert_eq!((update.id.as_str(), update.task.as_str()), ("u1", "acme-llp/r1"));
    assert_eq!(update.sender, Sender::Team("manila-1".parse().unwrap()));
    assert_eq!(update.at, Some(at("2026-11-24T01:00:00Z")));
    assert_eq!(update.change, Change::Decline { assignment: 3, reason: DeclineReason::Busy, note: None });
}

#[test]
fn an_amendment_tells_an_emptied_list_from_an_absent_one() {
    let Change::Amend(amendment) =
        read(&of_client("amend", r#","excluded_teams":[],"denied_countries":null"#)).unwrap().change
    else {
        panic!("an amendment")
    };
    assert_eq!((amendment.excluded_teams, amendment.denied_countries), (Some(vec![]), None));
}

#[test]
fn each_fault_names_its_field() {
    let cases: [(String, RefusalCode, &str, &str); 10] = [
        (
            of_team("acept", ""),
            InvalidField,
            "kind",
            r#""acept" is not one of accept, decline, progress, pause, resume, handoff, keep, release, complete, cancel, recall, offer_to, hold, unhold, reprioritise, amend; the nearest is "accept""#,
        ),
        (
            of_team("accept", r#","assignment":1,"note":"x""#),
            UnknownField,
            "note",
            r#"is not a known field; the nearest is "at""#,
        ),
        (of_team("accept", ""), MissingField, "assignment", "is required; add it"),
        (of_team("resume", ""), MissingField, "assignment", "is required; add it"),
        (
            of_team("amend", ""),
            MissingField,
            "kind",
            "amend changes nothing here; give at least one of deadline, effort_minutes, consent, allowed_countries, denied_countries, excluded_teams, not_before",
        ),
        (
            of_team("accept", r#","assignment":0"#),
            InvalidField,
            "assignment",
            "0 is not a whole number from 1 to 4294967295",
        ),
        (
            of_team("accept", r#","assignment":1,"assignment":1"#),
            DuplicateKey,
            "assignment",
            "stands twice in one object; keep one",
        ),
        (
            of_team("accept", r#","assignment":1,"kind":"accept""#),
            DuplicateKey,
            "kind",
            "stands twice in one object; keep one",
        ),
        (
            of_team("accept", r#","assignment":1,"client":"acme-llp""#),
            InvalidField,
            "client",
            "stands beside team; give the one that sends it",
        ),
        (
            of_team("complete", r#","assignment":1,"note":"a\u202eb""#),
            InvalidField,
            "note",
            r"the invisible character '\u{202e}' is not allowed; remove it",
        ),
    ];
    for (body, code, field, message) in cases {
        let refused = read(&body).expect_err(&body);
        let refusal = refused.refusal;
        assert_eq!((refusal.code, refusal.field.as_deref(), &*refusal.message), (code, Some(field), message));
        assert_eq!(refused.team.unwrap().as_str(), "manila-1");
        assert_eq!(refused.id.unwrap().as_str(), "u1");
    }
    let nobody = of_team("hold", "").replace(r#""team":"manila-1","#, "");
    assert_eq!(read(&nobody).unwrap_err().refusal.code, MissingField);
    assert_eq!(read("[1]").unwrap_err().refusal.code, InvalidJson);
}

#[test]
fn an_order_that_names_nobody_is_its_senders_and_another_name_stands_beside_who_says_it() {
    let body =
        r#"{"id":"u1","task":"acme-llp/r1","kind":"offer_to","to":"manila-1","reason":"r","set_aside":["seats"]}"#;
    let ana = SenderHint::Known(Sender::Operator("ana".into()));
    let read = |body: &str| parse(body.as_bytes(), &ana, &Rules::default());
    let update = read(body).unwrap();
    let to = "manila-1".parse().unwrap();
    assert_eq!(update.change, Change::OfferTo { to, set_aside: vec![SetAside::Seats] });
    assert_eq!(update.order, Some(Order { by: "ana".into(), reason: "r".into() }));
    let named = body.replace(r#""reason""#, r#""by":"ben","reason""#);
    assert_eq!(read(&named).unwrap().order.unwrap().by, "ben (by ana)");
    let local = SenderHint::Known(Sender::Operator(LOCAL_OPERATOR.into()));
    let of_nobody_known = parse(named.as_bytes(), &local, &Rules::default()).unwrap();
    assert_eq!(of_nobody_known.order.unwrap().by, "ben");
    let unknown = parse(body.replace("seats", "wall").as_bytes(), &ana, &Rules::default()).unwrap_err().refusal;
    assert_eq!(unknown.field.as_deref(), Some("set_aside[0]"));
}

#[test]
fn whatever_an_operator_says_has_a_reason() {
    let ana = SenderHint::Known(Sender::Operator("ana".into()));
    let body = |more: &str| format!(r#"{{"id":"u1","task":"acme-llp/r1",{more}}}"#);
    let read = |more: &str| parse(body(more).as_bytes(), &ana, &Rules::default());
    for said in [
        r#""kind":"hold""#,
        r#""kind":"unhold""#,
        r#""kind":"resume""#,
        r#""kind":"reprioritise","priority":"high""#,
        r#""kind":"amend","effort_minutes":5"#,
    ] {
        let refusal = read(said).unwrap_err().refusal;
        assert_eq!((refusal.code, refusal.field.as_deref()), (MissingField, Some("reason")), "{said}");
        let order = read(&format!(r#"{said},"reason":"the partner asked""#)).unwrap().order.unwrap();
        assert_eq!((&*order.by, &*order.reason), ("ana", "the partner asked"), "{said}");
    }
    for (said, why) in [
        (r#""kind":"cancel","reason":"settled""#, "settled"),
        (r#""kind":"pause","reason":"client-question""#, "client-question"),
    ] {
        assert_eq!(read(said).unwrap().order.unwrap().reason, why);
    }
    let firm = SenderHint::Known(Sender::Client("acme-llp".parse().unwrap()));
    let of_firm = |more: &str| parse(body(more).as_bytes(), &firm, &Rules::default());
    assert_eq!(of_firm(r#""kind":"hold""#).unwrap().order, None);
    let refusal = of_firm(r#""kind":"hold","by":"ben""#).unwrap_err().refusal;
    assert_eq!((refusal.code, refusal.field.as_deref()), (NotAllowed, Some("by")));
}

#[test]
fn a_note_has_a_limit() {
    let note = |n: usize| of_team("complete", &format!(r#","assignment":1,"note":"{}""#, "ü".repeat(n)));
    assert!(read(&note(4000)).is_ok());
    let message = "4001 characters are more than the limit of 4000; shorten it";
    assert_eq!(&*read(&note(4001)).unwrap_err().refusal.message, message);
}

#[test]
fn a_known_sender_cannot_speak_for_another() {
    let known = |sender| SenderHint::Known(sender);
    let body = of_team("accept", r#","assignment":1"#);
    let rules = Rules::default();
    let as_itself = known(Sender::Team("manila-1".parse().unwrap()));
    assert!(parse(body.as_bytes(), &as_itself, &rules).is_ok());
    for other in [
        Sender::Team("sydney-1".parse().unwrap()),
        Sender::Operator("kim".into()),
        Sender::Client("acme-llp".parse().unwrap()),
    ] {
        let refusal = parse(body.as_bytes(), &known(other), &rules).unwrap_err().refusal;
        assert_eq!((refusal.code, refusal.field.as_deref()), (Identity, Some("team")));
    }
    let anonymous = body.replace(r#""team":"manila-1","#, "");
    let update = parse(anonymous.as_bytes(), &known(Sender::Operator("kim".into())), &rules).unwrap();
    assert_eq!(update.sender, Sender::Operator("kim".into()));
}
