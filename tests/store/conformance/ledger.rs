//! The ledger of clocks: segments come back as they were, follow each other, and outlive their task.

use heliograph::engine::sla::{Segment, SegmentEnd};
use heliograph::engine::task::Task;
use heliograph::store::Batch;

use super::{Backend, commit, recovered, refused};
use crate::samples::{active, completed, segment, task, tasks};

fn with(subject: &Task, segments: &[Segment]) -> Batch {
    Batch { segments: segments.to_vec(), ..tasks(std::slice::from_ref(subject)) }
}

pub fn the_ledger_of_a_task_comes_back_in_order_also_when_it_has_ended<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let (open, other) = (task(1, active("sydney")), task(2, active("sydney")));
    let paused = Segment {
        holder: None,
        standing: Some("awaiting_client".parse().expect("a term")),
        counted_ms: 0,
        closed_by: SegmentEnd::Resumed,
        ..segment(1, "finish", 2, 10, 15)
    };
    let all =
        [segment(1, "acceptance", 1, 0, 4), segment(1, "finish", 1, 0, 10), paused, segment(1, "finish", 3, 15, 20)];
    commit(&mut *backend.open(), &with(&open, &[all[1].clone(), all[0].clone()]));
    commit(&mut *backend.open(), &with(&other, &[segment(2, "finish", 1, 1, 2)]));
    let done = task(1, completed("sydney", 20));
    commit(&mut *backend.open(), &with(&done, &[all[2].clone(), all[3].clone()]));
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.segments(&open.id).expect("a ledger"), all);
    assert_eq!(reader.segments(&other.id).expect("a ledger"), [segment(2, "finish", 1, 1, 2)]);
    let unknown = "acme/unknown".parse().expect("an id");
    assert_eq!(reader.segments(&unknown).expect("a ledger"), []);
}

pub fn a_segment_that_does_not_follow_the_last_one_is_refused<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let open = task(1, active("sydney"));
    commit(&mut *backend.open(), &with(&open, &[segment(1, "finish", 1, 0, 10)]));
    for (what, next) in [
        ("a gap in time", segment(1, "finish", 2, 11, 20)),
        ("time counted twice", segment(1, "finish", 2, 9, 20)),
        ("a number left out", segment(1, "finish", 3, 10, 20)),
        ("the first of another clock that is none", segment(1, "acceptance", 2, 10, 20)),
    ] {
        println!("{what}");
        refused(&mut *backend.open(), &with(&open, &[next]), "does not follow its last one");
    }
    backend.open().commit(&with(&open, &[segment(1, "finish", 1, 0, 5)])).expect_err("the same number again");
    let nothing = Segment { until: segment(1, "finish", 2, 10, 10).from, ..segment(1, "finish", 2, 10, 20) };
    backend.open().commit(&with(&open, &[nothing])).expect_err("a segment without length");
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.segments(&open.id).expect("a ledger"), [segment(1, "finish", 1, 0, 10)]);
    assert_eq!(recovered(&backend).open, [open]);
}
