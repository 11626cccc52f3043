//! `submit`.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::{Files, Ran, run, run_with_stdin};

fn admitted(task: &str) -> Value {
    json!({ "outcome": "admitted", "task": task, "state": "offered", "team": "london" })
}

fn refused() -> Value {
    let refusal = json!({ "code": "unknown_client", "field": "client", "message": "\"x\" is not in the roster" });
    json!({ "outcome": "refused", "refusal": refusal })
}

/// Submits text on stdin; gives the bodies that were sent.
fn submitted(text: &str, answers: &[Value], arguments: &[&str]) -> (Ran, Vec<String>) {
    let fake = Fake::answering(answers.iter().map(|answer| (200, answer.to_string())));
    let ran = run_with_stdin(&[&["submit", "-", "--url", &fake.url()], arguments].concat(), text);
    let calls = fake.calls();
    assert!(calls.iter().all(|call| call.line == "POST /api/v1/requests"), "{calls:?}");
    (ran, calls.into_iter().map(|call| call.body).collect())
}

#[test]
fn an_object_an_array_and_json_lines_are_all_read() {
    for text in
        ["{\"id\": \"a\"} {\"id\":\"b\"}", "[{\"id\": \"a\"},\n{\"id\":\"b\"}]", "{\"id\": \"a\"}\n\n{\"id\":\"b\"}\n"]
    {
        let (ran, bodies) = submitted(text, &[json!([admitted("c/a"), admitted("c/b")])], &[]);
        assert_eq!(ran.data(), "c/a: offered london\nc/b: offered london\n");
        assert_eq!(bodies, ["[{\"id\": \"a\"},{\"id\":\"b\"}]"], "requests travel as they were written");
    }
}

#[test]
fn files_are_sent_in_order_and_answers_name_their_origin() {
    let files = Files::new(&[("a.json", "{\"id\":\"a\"}"), ("b.json", "{\"id\":\"b\"}")]);
    let answers = json!([{ "outcome": "duplicate", "task": "c/a" }, refused()]).to_string();
    let fake = Fake::answering([(200, answers)]);
    let ran = run(&["submit", &files.path("a.json"), &files.path("b.json"), "--url", &fake.url()]);
    assert_eq!(fake.calls()[0].body, "[{\"id\":\"a\"},{\"id\":\"b\"}]");
    assert_eq!(ran.code, 1);
    let expected = format!(
        "c/a: duplicate, nothing to do\n{}[0]: refused (unknown_client): client: \"x\" is not in the roster\n",
        files.path("b.json")
    );
    assert_eq!(ran.stdout, expected);
    assert_eq!(ran.stderr, "error: 0 admitted, 1 duplicate, 1 refused, 0 not answered\n");
}

#[test]
fn more_than_a_thousand_go_in_several_calls_without_a_bar_where_there_is_no_terminal() {
    let text: String = (0..2_500).map(|n| format!("{{\"id\":\"r{n}\"}}\n")).collect();
    let page = |count: usize| Value::from(vec![admitted("c/r"); count]);
    let (ran, bodies) = submitted(&text, &[page(1_000), page(1_000), page(500)], &[]);
    assert_eq!(ran.data().lines().count(), 2_500);
    let sizes = bodies.iter().map(|body| serde_json::from_str::<Vec<Value>>(body).unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [1_000, 1_000, 500]);
}

#[test]
fn large_requests_are_spread_over_calls_by_their_bytes() {
    let text: String =
        (0..5).map(|n| format!("{{\"id\":\"r{n}\",\"payload\":\"{}\"}}\n", "x".repeat(1 << 20))).collect();
    let page = |count: usize| Value::from(vec![admitted("c/r"); count]);
    let (ran, bodies) = submitted(&text, &[page(3), page(2)], &[]);
    assert_eq!((ran.data().lines().count(), bodies.len()), (5, 2));
}

#[test]
fn json_is_a_line_for_each_request() {
    let (ran, _) = submitted("[{},{}]", &[json!([admitted("c/a"), refused()])], &["--format", "json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["outcome"].as_str(), lines[0]["from"].as_str()), (Some("admitted"), Some("stdin[0]")));
    assert_eq!(lines[1]["refusal"]["code"], "unknown_client");
    assert_eq!(ran.code, 1);
}

#[test]
fn requests_that_were_not_answered_are_exit_69() {
    let unknown = json!({ "outcome": "unavailable", "detail": "the store failed" });
    let (ran, _) = submitted("[{},{}]", &[json!([admitted("c/a"), unknown])], &[]);
    assert!(ran.code == 69 && ran.stdout.contains("send it again: the store failed"), "{ran:?}");
}

#[test]
fn what_cannot_be_read_is_not_sent() {
    for (text, said) in [("{\"id\":", "stdin:1:6"), ("", "stdin: has no work request"), ("[]", "has no work request")] {
        let (ran, bodies) = submitted(text, &[], &[]);
        assert!(ran.code == 1 && ran.stderr.contains(said) && bodies.is_empty(), "{text}: {ran:?}");
    }
    let ran = run(&["submit", "no-such-file.json"]);
    assert!(ran.code == 1 && ran.stderr.contains("no-such-file.json"), "{ran:?}");
    assert_eq!(run(&["submit"]).code, 2);
}

#[test]
fn a_wrong_number_of_answers_is_not_taken_for_success() {
    let (ran, _) = submitted("[{},{}]", &[json!([admitted("c/a")])], &[]);
    assert!(ran.code == 1 && ran.stderr.contains("2 requests have 1 answers"), "{ran:?}");
}
