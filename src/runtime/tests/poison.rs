//! A message that comes for the third time is handled alone, and one that never comes to an end is rejected.

use sha2::{Digest, Sha256};

use crate::broker::Intake;
use crate::store::{Batch, Writer};

use super::super::clock::Clock;
use super::bed::{Looped, Stored, delivery, request, soon, wall};

#[tokio::test]
async fn a_message_that_comes_for_the_third_time_is_marked_on_disk_before_it_is_looked_at() {
    let mut looped = Looped::new(Stored::new(), Clock::real(), |store| Box::new(store));
    let body = request("third");
    looped.deliver(delivery(1, Intake::Requests, &body, 2)).await;
    let first = soon(looped.live.recv()).await.expect("committed").batch;
    let mark: [u8; 32] = Sha256::digest(&body).into();
    assert_eq!((&first.suspects[..], first.facts.len()), (&[(mark, 1)][..], 0));
    let second = soon(looped.live.recv()).await.expect("committed").batch;
    assert_eq!(second.cleared_suspects, [mark]);
    assert_eq!(&*second.facts[0].event_type, "task.admitted");
    assert_eq!(soon(looped.settled.recv()).await.expect("settled").tag, 1);
}

#[tokio::test]
async fn messages_that_come_for_the_first_time_are_not_held_up_by_one_that_is_handled_alone() {
    let mut looped = Looped::new(Stored::new(), Clock::real(), |store| Box::new(store));
    looped.deliver(delivery(1, Intake::Requests, &request("third"), 2)).await;
    looped.deliver(delivery(2, Intake::Requests, &request("first"), 0)).await;
    let mut settled = Vec::new();
    for _ in 0..2 {
        settled.push(soon(looped.settled.recv()).await.expect("settled").tag);
    }
    settled.sort_unstable();
    assert_eq!(settled, [1, 2]);
}

#[tokio::test]
async fn a_message_that_was_handled_alone_three_times_is_rejected_without_being_looked_at() {
    let mut stored = Stored::new();
    let body = request("poison");
    let mark: [u8; 32] = Sha256::digest(&body).into();
    let marked = Batch { suspects: vec![(mark, 3)], at: Some(wall()), ..Batch::default() };
    stored.store.commit(&marked).expect("committed");
    let mut looped = Looped::new(stored, Clock::real(), |store| Box::new(store));
    looped.deliver(delivery(1, Intake::Requests, &body, 6)).await;
    let rejected = soon(looped.direct.recv()).await.expect("published");
    assert_eq!((&*rejected.message.body, rejected.settles.map(|token| token.tag)), (body.as_bytes(), Some(1)));
    assert!(rejected.message.headers.iter().any(|(_, value)| value.contains(r#""code":"poison""#)));
    assert!(looped.settled.try_recv().is_err(), "it is acknowledged when its copy is confirmed");
    assert_eq!(looped.facts().await, ["request.rejected"]);
}
