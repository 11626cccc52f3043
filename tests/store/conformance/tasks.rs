//! Tasks, their payloads and their listings.

use std::sync::Arc;

use heliograph::engine::event::EndedTask;
use heliograph::engine::id::TaskId;
use heliograph::engine::task::{Holder, Notes, Task};
use heliograph::store::{Batch, RECENT_ENDED, TaskQuery};
use heliograph::wire::cost::{CostBy, CostQuery};

use super::{Backend, commit, ids, recovered, refused};
use crate::samples::{active, at, cancelled, client, completed, offered, task, task_of, tasks, team, waiting};

pub fn ended_tasks_are_found_in_the_order_asked<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let (open, done, off) = (task(1, active("sydney")), task(2, completed("sydney", 3)), task(3, cancelled(4)));
    commit(&mut *writer, &tasks(&[open.clone(), done.clone(), off.clone()]));
    let unknown = TaskId::new("acme/unknown").expect("an id");
    let mut reader = writer.reader().expect("a reader");
    let found = reader.ended(&[off.id.clone(), unknown, done.id.clone(), open.id, off.id.clone()]).expect("an answer");
    let ended = |task: &Task| {
        let team = task.state.team().cloned();
        Some(EndedTask { id: task.id.clone(), digest: task.digest.clone(), state: task.state.as_str().into(), team })
    };
    assert_eq!(found, [ended(&off), None, ended(&done), None, ended(&off)]);
    assert_eq!(reader.ended(&[]).expect("an answer"), []);
}

pub fn an_id_cannot_become_two_tasks<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let first = task(1, offered("sydney"));
    commit(&mut *backend.open(), &tasks(std::slice::from_ref(&first)));
    let owned = task(1, active("sydney"));
    commit(&mut *backend.open(), &tasks(std::slice::from_ref(&owned)));
    assert_eq!(recovered(&backend).open, std::slice::from_ref(&owned), "the same task in another state");

    let second_arrival = Task { arrival: heliograph::engine::task::Arrival(2), ..first.clone() };
    refused(&mut *backend.open(), &tasks(&[second_arrival]), "another arrival or another digest");
    let other_content = Task { digest: task(9, waiting()).digest, ..first.clone() };
    refused(&mut *backend.open(), &tasks(&[other_content]), "another arrival or another digest");
    let same_arrival = Task { arrival: first.arrival, ..task(2, waiting()) };
    backend.open().commit(&tasks(&[same_arrival])).expect_err("an arrival of another task");
    assert_eq!(recovered(&backend).open, [owned]);
}

pub fn the_newest_ended_tasks_are_recovered_up_to_a_limit<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let count = u64::try_from(RECENT_ENDED).expect("a small number") + 3;
    // Later arrivals end earlier, two at a time.
    let ended: Vec<_> = (1..=count)
        .map(|n| task(n, completed("sydney", i64::try_from((count - n) / 2).expect("a small number"))))
        .collect();
    commit(&mut *backend.open(), &tasks(&ended));
    let found = recovered(&backend);
    assert_eq!(found.recent_ended.len(), RECENT_ENDED);
    let mut order = ended;
    order.sort_by_key(|task| match task.state {
        heliograph::engine::task::TaskState::Completed { at, .. } => (at, task.arrival),
        _ => unreachable!("all are completed"),
    });
    assert_eq!(ids(&found.recent_ended), ids(&order[3..]));
    assert!(found.open.is_empty());
}

pub fn arrival_numbers_are_not_given_twice<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    commit(&mut *backend.open(), &tasks(&[task(7, waiting()), task(4, waiting())]));
    assert_eq!(recovered(&backend).next_arrival, 8);
    commit(&mut *backend.open(), &tasks(&[task(7, cancelled(1))]));
    assert_eq!(recovered(&backend).next_arrival, 8);
}

pub fn a_payload_comes_back_byte_for_byte<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let (full, empty, none) = (task(1, waiting()), task(2, waiting()), task(3, waiting()));
    let bytes: Arc<[u8]> = (0..=255).cycle().take(5000).collect();
    let payloads = vec![(full.id.clone(), Arc::clone(&bytes)), (empty.id.clone(), [].as_slice().into())];
    commit(&mut *writer, &Batch { payloads, ..tasks(&[full.clone(), empty.clone(), none.clone()]) });
    commit(&mut *writer, &tasks(&[task(1, active("sydney"))]));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.payload(&full.id).expect("a payload"), Some(bytes), "it outlives a change of its task");
    assert_eq!(reader.payload(&empty.id).expect("a payload").as_deref(), Some([].as_slice()));
    assert_eq!(reader.payload(&none.id).expect("a payload"), None);
}

pub fn a_payload_needs_its_task<B: Backend>(fresh: fn() -> B) {
    let orphan = vec![(task(1, waiting()).id, b"{}".as_slice().into())];
    refused(&mut *fresh().open(), &Batch { payloads: orphan, ..Batch::default() }, "acme/req-000001");
}

pub fn listings_filter_and_keep_the_order_of_arrival<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let all = [
        task_of("acme", 1, completed("sydney", 1)),
        task_of("bolt", 2, waiting()),
        task_of("acme", 3, active("sydney")),
        task_of("acme", 4, offered("london")),
        task_of("bolt", 5, active("sydney")),
        task_of("acme", 6, waiting()),
        task_of("acme", 7, cancelled(1)),
    ];
    commit(&mut *writer, &tasks(&all));
    let mut reader = writer.reader().expect("a reader");
    let mut list = |client_name: &str, team_name: &str, state: &str, after_arrival, limit| {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = TaskQuery {
            client: given(client_name).map(|name| client(&name)),
            team: given(team_name).map(|name| team(&name)),
            state: given(state),
            after_arrival,
            limit,
        };
        ids(&reader.tasks(&query).expect("a listing"))
    };
    assert_eq!(list("", "", "", None, 100), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(list("", "", "", Some(2), 3), [3, 4, 5]);
    assert_eq!(list("", "", "", None, 0), [0; 0]);
    assert_eq!(list("acme", "", "", None, 100), [1, 3, 4, 6, 7]);
    assert_eq!(list("", "sydney", "", None, 100), [1, 3, 5]);
    assert_eq!(list("acme", "sydney", "", None, 100), [1, 3]);
    assert_eq!(list("", "", "waiting", None, 100), [2, 6]);
    assert_eq!(list("acme", "", "waiting", Some(2), 100), [6]);
    assert_eq!(list("bolt", "sydney", "active", None, 100), [5]);
    assert_eq!(list("", "", "no such state", None, 100), [0; 0]);
    assert_eq!(reader.task(&all[2].id).expect("a task"), Some(all[2].clone()));
}

pub fn costs_are_summed_over_the_holders_of_tasks_that_ended_in_a_span<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let part = |team: &str, seconds: u64, cents: u64| Holder {
        team: crate::samples::team(team),
        assignment: 1,
        from: at(1),
        until: at(2),
        remaining_minutes: 0,
        worked_seconds: seconds,
        cost_cents: cents,
        notes: Notes::default(),
        completed_late_at: None,
        notes_dropped: false,
    };
    let ended = |firm: &str, arrival, end, holders: Vec<Holder>| Task {
        holders,
        ..task_of(firm, arrival, completed("sydney", end))
    };
    let rows = [
        ended("acme", 1, 10, vec![part("sydney", 600, 100), part("london", 60, 25)]),
        ended("acme", 2, 11, vec![part("sydney", 61, 3)]),
        ended("bolt", 3, 12, vec![part("sydney", 1, 1), part("sydney", 2, 1)]),
        ended("bolt", 4, 20, vec![part("sydney", 9_999, 9_999)]),
        Task { holders: vec![part("london", 7, 7)], ..task_of("bolt", 5, active("sydney")) },
    ];
    commit(&mut *backend.open(), &tasks(&rows));
    let mut reader = backend.open().reader().expect("a reader");
    let mut costs = |by| {
        let query = CostQuery { by, from: at(10), until: at(20) };
        let costs = reader.costs(query).expect("costs").into_iter();
        costs.map(|it| (it.of.to_string(), it.tasks, it.worked_seconds, it.cost_cents)).collect::<Vec<_>>()
    };
    assert_eq!(costs(CostBy::Client), [("acme".into(), 2, 721, 128), ("bolt".into(), 1, 3, 2)]);
    assert_eq!(costs(CostBy::Team), [("london".into(), 1, 60, 25), ("sydney".into(), 3, 664, 105)]);
}
