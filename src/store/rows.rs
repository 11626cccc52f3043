//! Engine types as values of columns, the same in every store.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::StoreError;
use crate::engine::effect::WorkMessage;
use crate::engine::event::Refusal;
use crate::engine::id::{RequestId, TaskId};
use crate::engine::task::{Task, TaskState, Words};
use crate::engine::update::Sender;
use crate::wire::fact::Fact;

/// Integers of databases are signed; sequence numbers stay far below their limit of 2^63 - 1.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Inconsistent(format!("number {number} is above {}", i64::MAX)))
}

/// A limit that a database's integers hold; none is that large.
pub(super) fn rows_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The chain covers a fact's instant, so that it must come back as it was.
pub(super) fn whole_milliseconds(fact: &Fact) -> Result<i64, StoreError> {
    if fact.at.timestamp_subsec_nanos().is_multiple_of(1_000_000) {
        return Ok(fact.at.timestamp_millis());
    }
    Err(StoreError::Inconsistent(format!("instant {} of fact {} is not in whole milliseconds", fact.at, fact.seq.0)))
}

/// A sender as one word: ids of teams, clients and operators may be equal.
pub(super) fn sender(sender: &Sender) -> String {
    match sender {
        Sender::Team(team) => format!("team:{team}"),
        Sender::Client(client) => format!("client:{client}"),
        Sender::Operator(name) => format!("operator:{name}"),
    }
}

/// The kind of message that a word stands for.
pub(super) fn work_message(word: &str) -> Option<WorkMessage> {
    WorkMessage::ALL.into_iter().find(|message| message.as_str() == word)
}

/// Owner, current assignment and end of a task.
pub(super) fn columns_of(state: &TaskState) -> (Option<&str>, Option<u32>, Option<DateTime<Utc>>) {
    match state {
        TaskState::Waiting(_) => (None, None, None),
        TaskState::Offered(offer) => (None, Some(offer.assignment), None),
        TaskState::Active(active) => (Some(active.team.as_str()), Some(active.assignment), None),
        TaskState::Completed { at, .. } | TaskState::Cancelled { at, .. } => (None, None, Some(*at)),
    }
}

/// A task's row without what people wrote, and that beside it: `None` when the task can have none, so that none is stored.
pub(super) fn row_and_words(task: &Task) -> Result<(String, Option<Words>), StoreError> {
    let mut bare = None;
    let words = task.has_words().then(|| bare.insert(Task::clone(task)).take_words());
    let row = json(bare.as_ref().unwrap_or(task), &task.id)?;
    let may_have_had_words = task.state.is_active() || !task.holders.is_empty();
    Ok((row, words.or_else(|| may_have_had_words.then(Words::default))))
}

/// What people wrote, as it is stored; nothing is empty.
pub(super) fn words_text(words: &Words, task: &TaskId) -> Result<String, StoreError> {
    if *words == Words::default() { Ok(String::new()) } else { json(words, task) }
}

/// Puts the words of a task back that stand in a column beside its row.
pub(super) fn put_words_back(task: &mut Task, body: Option<&[u8]>) -> Result<(), serde_json::Error> {
    if let Some(body) = body.filter(|body| !body.is_empty()) {
        task.put_words(serde_json::from_slice(body)?);
    }
    Ok(())
}

/// Something of a task as JSON.
pub(super) fn json(value: &impl Serialize, task: &TaskId) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Inconsistent(format!("task {task} cannot be written as JSON: {error}")))
}

/// The answer to an update that was refused.
pub(super) fn refusal_text(id: &RequestId, refused: Option<&Refusal>) -> Result<Option<String>, StoreError> {
    let text = refused.map(serde_json::to_string).transpose();
    text.map_err(|error| StoreError::Inconsistent(format!("answer to update {id}: {error}")))
}

/// The fault of a task that is stored otherwise.
pub(super) fn other_task(task: &TaskId) -> StoreError {
    StoreError::Inconsistent(format!("task {task} is stored with another arrival or another digest"))
}

/// The fault of a number of a task's facts that leaves a hole or stands twice.
pub(super) fn number_with_a_hole(task: &TaskId, number: u64) -> StoreError {
    StoreError::Inconsistent(format!("fact {number} of task {task} does not follow its last one"))
}

/// The fault of a payload without a task.
pub(super) fn payload_of_nothing(task: &TaskId) -> StoreError {
    StoreError::Inconsistent(format!("payload of task {task}, which is not stored"))
}
