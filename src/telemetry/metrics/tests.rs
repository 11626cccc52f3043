use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::engine::id::TeamId;
use crate::engine::roster::SlaClock;
use crate::engine::sla::{Clock, SlaState};
use crate::engine::task::WaitReason;

use super::*;

/// The metrics that this version has, with their type and labels.
const PAGE: [(&str, &str, &[&str]); 49] = [
    ("build_info", "gauge", &["version", "revision"]),
    ("tzdata_info", "gauge", &["version", "source"]),
    ("broker_up", "gauge", &[]),
    ("broker_reconnects_total", "counter", &[]),
    ("messages_received_total", "counter", &["queue"]),
    ("messages_settled_total", "counter", &["outcome"]),
    ("messages_rejected_total", "counter", &["reason"]),
    ("messages_unsettled", "gauge", &[]),
    ("message_handling_duration_seconds", "histogram", &[]),
    ("publish_failures_total", "counter", &["reason"]),
    ("republished_total", "counter", &[]),
    ("replies_ignored_total", "counter", &["reason"]),
    ("store_commit_duration_seconds", "histogram", &[]),
    ("store_errors_total", "counter", &["operation"]),
    ("outbox_messages", "gauge", &[]),
    ("forgotten_total", "counter", &["what"]),
    ("forgotten_all_timestamp_seconds", "gauge", &[]),
    ("tasks_open", "gauge", &["team", "state"]),
    ("tasks_waiting", "gauge", &["priority", "reason"]),
    ("tasks_oldest_waiting_timestamp_seconds", "gauge", &["priority"]),
    ("task_routing_wait_seconds", "histogram", &["priority"]),
    ("task_turnaround_seconds", "histogram", &["priority"]),
    ("messages_undelivered", "gauge", &["team"]),
    ("wall_exposures_total", "counter", &[]),
    ("tasks_completed_total", "counter", &["priority", "sla"]),
    ("tasks_sla_state", "gauge", &["team", "state"]),
    ("sla_next_deadline_timestamp_seconds", "gauge", &["team"]),
    ("sla_warnings_total", "counter", &["policy", "clock"]),
    ("sla_breaches_total", "counter", &["policy", "clock"]),
    ("processes_open", "gauge", &[]),
    ("processes_ended_total", "counter", &["outcome"]),
    ("handoffs_total", "counter", &["to_team", "outcome"]),
    ("handoffs_pending", "gauge", &["to_team"]),
    ("tasks_stalled", "gauge", &[]),
    ("handoff_acceptance_seconds", "histogram", &[]),
    ("team_open", "gauge", &["team"]),
    ("team_next_transition_timestamp_seconds", "gauge", &["team"]),
    ("team_seats", "gauge", &["team"]),
    ("clock_difference_seconds", "gauge", &[]),
    ("timer_lag_seconds", "histogram", &[]),
    ("overrides_active", "gauge", &["kind"]),
    ("coverage_gap_next_start_timestamp_seconds", "gauge", &["capability"]),
    ("forecast_error_ratio", "gauge", &["capability"]),
    ("roster_last_reload_successful", "gauge", &[]),
    ("roster_last_reload_success_timestamp_seconds", "gauge", &[]),
    ("roster_horizon_timestamp_seconds", "gauge", &[]),
    ("leader", "gauge", &[]),
    ("lease_epoch", "gauge", &[]),
    ("log_messages_total", "counter", &["level"]),
];
static POLICIES: LazyLock<[SlaPolicy; 1]> = LazyLock::new(|| {
    let deadline = Clock::of_deadline(DateTime::UNIX_EPOCH).rule;
    let clock =
        |(name, target_minutes)| SlaClock { target_minutes, name: Term::new(name).unwrap(), ..deadline.clone() };
    let clocks = [("a", 30), ("b", 45), ("c", 240), ("d", 45)].map(clock).to_vec();
    [SlaPolicy { id: SlaId::new("gold").unwrap(), clocks }]
});

fn setup() -> Setup<'static> {
    Setup {
        version: "0.1.0",
        revision: "abc",
        tzdata_version: "2025b",
        tzdata_source: "bundled",
        policies: &*POLICIES,
        broker: true,
        epoch: 7,
    }
}

fn metrics() -> Metrics {
    Metrics::new(setup(), &LogCounts::default())
}

fn team(text: &str) -> TeamId {
    TeamId::new(text).unwrap()
}

fn gauge(team: &TeamId) -> TeamGauge<'_> {
    let next = "2026-11-23T17:00:00.5Z".parse().unwrap();
    TeamGauge { team, open: true, next_transition_at: Some(next), seats: Some(3), undelivered: 2 }
}

/// A sample's value.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("{sample} is not there:\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

/// Labels of a family's samples, `le` apart.
fn labels(text: &str, family: &str) -> BTreeSet<String> {
    let suffixes = ["", "_bucket", "_sum", "_count"];
    let of_family = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(family))
    };
    let inside = |line: &str| line.split_once('{').map(|(_, rest)| rest.rsplit_once('}').unwrap().0.to_owned());
    let names = |list: String| -> Vec<String> {
        list.split("\",").filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_owned()).collect()
    };
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter(of_family);
    lines.filter_map(inside).flat_map(names).filter(|name| name != "le").collect()
}

#[test]
fn every_metric_stands_on_the_operations_page_with_its_type_and_labels() {
    let metrics = metrics();
    let sydney = team("sydney");
    metrics.show(&Census::default(), &SlaPicture::default(), [gauge(&sydney)]);
    metrics.show_gaps([("US-NY/litigation", None)]);
    metrics.show_outlook_errors([("US-NY/litigation", None)]);
    let text = metrics.render();
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE heliograph_"))
        .filter_map(|rest| rest.split_once(' '))
        .collect();
    let page: BTreeMap<&str, &str> = PAGE.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    assert_eq!(types, page);
    for (name, _, expected) in PAGE {
        let expected: BTreeSet<String> = expected.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(labels(&text, &format!("heliograph_{name}")), expected, "{name}");
    }
}

#[test]
fn names_and_help_keep_the_rules_of_promtool() {
    let text = metrics().render();
    let all_lines = text.lines().filter(|line| !line.is_empty());
    assert!(
        all_lines
            .clone()
            .all(|line| line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with("heliograph_"))
    );
    for rest in all_lines.filter_map(|line| line.strip_prefix("# TYPE heliograph_")) {
        let (name, kind) = rest.split_once(' ').unwrap();
        let help = text.lines().find_map(|line| line.strip_prefix(&format!("# HELP heliograph_{name} "))).unwrap();
        assert!(help.ends_with('.') && help.len() > 10, "{name}: {help}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(!["_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix)), "{name}");
        assert!(
            !["_ms", "_minutes", "_hours", "_milliseconds", "_percent"].iter().any(|unit| name.contains(unit)),
            "{name}"
        );
        assert!(!["gauge", "counter", "histogram"].iter().any(|word| name.contains(word)), "{name}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
    }
}

#[test]
fn known_label_sets_start_at_zero() {
    let text = metrics().render();
    for code in RefusalCode::OF_REQUESTS.into_iter().chain(UPDATE_REFUSALS) {
        assert_eq!(value(&text, &format!("heliograph_messages_rejected_total{{reason=\"{}\"}}", code.as_str())), 0.0);
    }
    for priority in Priority::ALL.map(Priority::as_str) {
        for reason in WaitReason::ALL.map(WaitReason::as_str) {
            let sample = format!("heliograph_tasks_waiting{{priority=\"{priority}\",reason=\"{reason}\"}}");
            assert_eq!(value(&text, &sample), 0.0);
        }
        assert_eq!(value(&text, &format!("heliograph_task_turnaround_seconds_count{{priority=\"{priority}\"}}")), 0.0);
    }
    assert_eq!(value(&text, "heliograph_log_messages_total{level=\"warn\"}"), 0.0);
}

#[test]
fn every_sla_target_is_an_edge_once() {
    let edges = wait_buckets([30, 45, 240, 45].into_iter());
    assert!(edges.is_sorted_by(|a, b| a < b), "{edges:?}");
    assert_eq!(edges.len(), WAIT_BUCKETS_SECONDS.len() + 1, "only 45 minutes is new");
    assert!(edges.contains(&2_700.0));
    assert_eq!(wait_buckets(1..=500).len(), MAX_WAIT_BUCKETS);
}

#[test]
fn a_team_that_left_the_roster_is_no_longer_shown() {
    let metrics = metrics();
    let (sydney, london) = (team("sydney"), team("london"));
    let mut census = Census::default();
    census.with_team.insert((sydney.clone(), "active"), 2);
    census.waiting.insert((Priority::High, WaitReason::NoTeamOpen), 5);
    census.next_team.insert(sydney.clone(), 4);
    census.stalled = 6;
    let at = "2026-11-23T17:00:00.5Z".parse().unwrap();
    let sla = SlaPicture {
        states: [((Some(sydney.clone()), SlaState::AtRisk), 3), ((None, SlaState::Ok), 2)].into(),
        next_breach_at: [(Some(sydney.clone()), at)].into(),
    };
    metrics.show(&census, &sla, [gauge(&sydney), gauge(&london)]);
    let text = metrics.render();
    let samples = [
        ("heliograph_tasks_open{state=\"active\",team=\"sydney\"}", 2.0),
        ("heliograph_tasks_open{state=\"offered\",team=\"sydney\"}", 0.0),
        ("heliograph_tasks_waiting{priority=\"high\",reason=\"no_team_open\"}", 5.0),
        ("heliograph_team_next_transition_timestamp_seconds{team=\"london\"}", 1_795_453_200.5),
        ("heliograph_team_seats{team=\"london\"}", 3.0),
        ("heliograph_messages_undelivered{team=\"london\"}", 2.0),
        ("heliograph_handoffs_pending{to_team=\"sydney\"}", 4.0),
        ("heliograph_tasks_sla_state{state=\"at_risk\",team=\"sydney\"}", 3.0),
        ("heliograph_tasks_sla_state{state=\"breached\",team=\"london\"}", 0.0),
        ("heliograph_tasks_sla_state{state=\"ok\",team=\"-\"}", 2.0),
        ("heliograph_sla_next_deadline_timestamp_seconds{team=\"sydney\"}", 1_795_453_200.5),
        ("heliograph_sla_next_deadline_timestamp_seconds{team=\"-\"}", 0.0),
        ("heliograph_handoffs_pending{to_team=\"london\"}", 0.0),
        ("heliograph_tasks_stalled", 6.0),
    ];
    for (sample, expected) in samples {
        assert_eq!(value(&text, sample), expected, "{sample}");
    }
    metrics.show(&Census::default(), &SlaPicture::default(), [gauge(&london)]);
    let text = metrics.render();
    let counts = |line: &&str| line.starts_with("heliograph_handoffs_total");
    assert!(!text.lines().filter(|it| !counts(it)).any(|it| it.contains("sydney")), "{text}");
    assert_eq!(value(&text, samples[2].0), 0.0);
}

#[test]
fn warnings_and_breaches_are_counted_by_policy_and_clock_and_known_ones_start_at_zero() {
    let metrics = metrics();
    let (gold, clock) = (SlaId::new("gold").unwrap(), Term::new("a").unwrap());
    metrics.sla_warned(Some(&gold), &clock);
    metrics.sla_breached(None, &Term::new("deadline").unwrap());
    let text = metrics.render();
    for (sample, expected) in [
        ("heliograph_sla_warnings_total{clock=\"a\",policy=\"gold\"}", 1.0),
        ("heliograph_sla_warnings_total{clock=\"d\",policy=\"gold\"}", 0.0),
        ("heliograph_sla_breaches_total{clock=\"a\",policy=\"gold\"}", 0.0),
        ("heliograph_sla_breaches_total{clock=\"deadline\",policy=\"-\"}", 1.0),
    ] {
        assert_eq!(value(&text, sample), expected, "{sample}");
    }
}

#[test]
fn hand_offs_are_counted_by_outcome_with_the_time_to_the_accept() {
    let metrics = metrics();
    let sydney = team("sydney");
    metrics.show(&Census::default(), &SlaPicture::default(), [gauge(&sydney)]);
    metrics.handoff_ended(&sydney, HandoffOutcome::Passed);
    metrics.handoff_accepted(TimeDelta::minutes(10));
    metrics.handoff_ended(&sydney, HandoffOutcome::Lapsed);
    let text = metrics.render();
    for (outcome, expected) in [("passed", 1.0), ("lapsed", 1.0), ("declined", 0.0)] {
        let sample = format!("heliograph_handoffs_total{{outcome=\"{outcome}\",to_team=\"sydney\"}}");
        assert_eq!(value(&text, &sample), expected, "{outcome}");
    }
    assert_eq!(value(&text, "heliograph_handoff_acceptance_seconds_bucket{le=\"300\"}"), 0.0);
    assert_eq!(value(&text, "heliograph_handoff_acceptance_seconds_bucket{le=\"900\"}"), 1.0);
}

#[test]
fn a_message_is_unsettled_until_it_is_answered_or_its_link_is_gone() {
    let metrics = metrics();
    for _ in 0..3 {
        metrics.received(Queue::Requests);
    }
    metrics.settled(Outcome::Admitted, Duration::from_millis(3));
    assert_eq!(value(&metrics.render(), "heliograph_messages_unsettled"), 2.0);
    metrics.forgotten(2);
    let text = metrics.render();
    assert_eq!(value(&text, "heliograph_messages_unsettled"), 0.0);
    assert_eq!(value(&text, "heliograph_messages_received_total{queue=\"requests\"}"), 3.0);
    assert_eq!(value(&text, "heliograph_messages_settled_total{outcome=\"admitted\"}"), 1.0);
    assert_eq!(value(&text, "heliograph_message_handling_duration_seconds_bucket{le=\"0.0025\"}"), 0.0);
    assert_eq!(value(&text, "heliograph_message_handling_duration_seconds_bucket{le=\"0.005\"}"), 1.0);
}

#[test]
fn a_turnaround_of_exactly_the_target_is_inside_it() {
    let metrics = metrics();
    metrics.completed(Priority::Normal, SlaResult::Met, TimeDelta::minutes(45));
    metrics.completed(Priority::Normal, SlaResult::Breached, TimeDelta::minutes(46));
    let text = metrics.render();
    let bucket = "heliograph_task_turnaround_seconds_bucket{priority=\"normal\",le=\"2700\"}";
    assert_eq!(value(&text, bucket), 1.0);
    assert_eq!(value(&text, "heliograph_tasks_completed_total{priority=\"normal\",sla=\"breached\"}"), 1.0);
}

#[test]
fn without_a_broker_there_are_no_metrics_of_one() {
    let metrics = Metrics::new(Setup { broker: false, ..setup() }, &LogCounts::default());
    metrics.set_broker_up(true);
    metrics.publish_failed(PublishFailure::Nacked);
    let text = metrics.render();
    assert!(!text.contains("heliograph_broker") && !text.contains("heliograph_publish_"), "{text}");
}

#[test]
fn a_standby_exports_its_build_its_store_and_who_leads_and_nothing_else() {
    let metrics = StandbyMetrics::new("1.2.3", "abc", &LogCounts::default());
    metrics.followed(4);
    metrics.failed();
    let text = metrics.render();
    let mut families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE heliograph_")).collect();
    families.sort_unstable();
    let expected = [
        "build_info gauge",
        "leader gauge",
        "lease_epoch gauge",
        "log_messages_total counter",
        "store_errors_total counter",
    ];
    assert_eq!(families, expected);
    assert_eq!((value(&text, "heliograph_leader"), value(&text, "heliograph_lease_epoch")), (0.0, 4.0));
    assert_eq!(value(&text, r#"heliograph_store_errors_total{operation="follow"}"#), 1.0);
}

#[test]
fn a_daemon_with_a_store_leads() {
    let text = metrics().render();
    assert_eq!((value(&text, "heliograph_leader"), value(&text, "heliograph_lease_epoch")), (1.0, 7.0));
}
