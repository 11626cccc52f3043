//! The promises that every store keeps, written against the port alone.
//!
//! A store is tested by naming its [`Backend`] in a module of its own:
//! `for_each_promise!(on_that_store)` gives a macro the names of all promises.

mod facts;
mod forgetting;
mod ledger;
mod processes;
mod start;
mod tasks;
mod teams;
mod updates;

use heliograph::engine::task::Task;
use heliograph::store::{Batch, Recovered, StoreError, Writer};

pub use facts::*;
pub use forgetting::*;
pub use ledger::*;
pub use processes::*;
pub use start::*;
pub use tasks::*;
pub use teams::*;
pub use updates::*;

/// A place where one store lives; opening it again finds what was committed.
pub trait Backend {
    fn open(&self) -> Box<dyn Writer>;
}

macro_rules! for_each_promise {
    ($run:ident) => {
        $run! {
            a_new_store_is_empty,
            every_store_has_an_incarnation_of_its_own,
            a_start_finds_what_was_committed,
            nothing_of_a_failed_batch_is_kept,
            a_writer_that_failed_is_not_used_again,
            a_hole_in_the_sequence_is_refused,
            a_hole_in_the_numbers_of_a_task_is_refused,
            a_fact_comes_back_as_it_was,
            an_instant_finer_than_a_millisecond_is_refused,
            the_watermark_rises_up_to_the_last_fact,
            facts_are_read_in_sequence_up_to_a_limit,
            the_last_anchor_behind_a_position_is_known,
            the_history_of_a_task_is_in_order,
            a_team_reads_only_messages_to_it,
            the_first_fact_and_a_teams_last_message_are_known,
            the_last_decision_of_a_task_is_found,
            the_last_decision_at_a_shift_end_is_found,
            walls_that_teams_raised_are_recovered_once,
            what_a_team_held_is_what_its_last_message_says,
            no_message_passes_a_wall,
            what_a_team_was_told_behind_a_wall_is_found,
            kept_updates_are_recovered_until_they_are_done,
            costs_are_summed_over_the_holders_of_tasks_that_ended_in_a_span,
            marks_of_the_waiting_order_are_recovered_until_they_are_nothing,
            a_cursor_is_where_the_team_left_it,
            ended_tasks_are_found_in_the_order_asked,
            an_id_cannot_become_two_tasks,
            the_newest_ended_tasks_are_recovered_up_to_a_limit,
            arrival_numbers_are_not_given_twice,
            undelivered_facts_stay_until_delivered,
            the_first_answer_to_an_update_stands,
            senders_do_not_share_update_ids,
            suspects_are_counted_until_cleared,
            rosters_are_found_by_digest,
            a_payload_comes_back_byte_for_byte,
            a_payload_needs_its_task,
            what_people_wrote_comes_back_with_the_task,
            content_is_forgotten_when_its_time_is_over_and_the_rest_stays,
            facts_are_forgotten_from_the_front_and_a_task_goes_with_its_last_fact,
            a_fact_that_is_needed_is_never_forgotten,
            the_closed_tasks_of_a_matter_are_emptied_at_once,
            what_is_not_published_is_not_emptied,
            a_portion_is_no_larger_than_asked,
            the_demand_is_what_is_booked_what_came_and_what_was_said,
            a_process_comes_back_with_its_steps_and_one_payload_for_all_of_them,
            an_ended_process_answers_for_its_id_and_is_never_changed_again,
            a_request_is_a_task_or_a_process_and_a_step_has_one,
            processes_are_listed_by_client_matter_and_state,
            a_process_is_emptied_after_its_steps_and_forgotten_with_its_last_fact,
            the_ledger_of_a_task_comes_back_in_order_also_when_it_has_ended,
            a_segment_that_does_not_follow_the_last_one_is_refused,
            listings_filter_and_keep_the_order_of_arrival,
            a_reader_sees_whole_batches_only,
            a_checkpoint_changes_nothing_that_is_read,
        }
    };
}
pub(crate) use for_each_promise;

/// The parts of a recovery that can be compared at once.
fn state(recovered: &Recovered) -> String {
    format!("{recovered:#?}")
}

fn recovered(backend: &impl Backend) -> Recovered {
    backend.open().recover().expect("a recovery")
}

fn commit(writer: &mut dyn Writer, batch: &Batch) {
    writer.commit(batch).expect("a commit");
}

fn refused(writer: &mut dyn Writer, batch: &Batch, because: &str) {
    match writer.commit(batch) {
        Err(StoreError::Inconsistent(what)) => {
            assert!(what.to_lowercase().contains(&because.to_lowercase()), "{what}");
        }
        other => panic!("expected a refusal for {because:?}, got {other:?}"),
    }
}

fn ids(tasks: &[Task]) -> Vec<u64> {
    tasks.iter().map(|task| task.arrival.0).collect()
}
