//! The metrics of the broker, which are there only when one is configured.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::{Families, PublishFailure, ReplyIgnored};

/// What is known of it.
#[derive(Debug)]
pub(super) struct Broker {
    pub up: IntGauge,
    pub reconnects: IntCounter,
    pub failures: IntCounterVec,
    pub republished: IntCounter,
    pub replies_ignored: IntCounterVec,
}

impl Broker {
    pub fn new(make: &Families) -> Self {
        let broker = Self {
            up: make.gauge("broker_up", "Whether the link to the broker is up."),
            reconnects: make.counter("broker_reconnects_total", "Links to the broker made after the first."),
            failures: make.counters("publish_failures_total", "Messages that did not leave.", &["reason"]),
            republished: make.counter("republished_total", "Messages that left and may have left before."),
            replies_ignored: make.counters(
                "replies_ignored_total",
                "Requests whose reply_to is not one that is answered.",
                &["reason"],
            ),
        };
        let _ = ReplyIgnored::ALL.map(|it| broker.replies_ignored.with_label_values(&[it.as_str()]));
        let _ = PublishFailure::ALL.map(|it| broker.failures.with_label_values(&[it.as_str()]));
        broker
    }
}
