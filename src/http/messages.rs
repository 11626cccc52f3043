//! Messages to a team that reads over HTTP: read, mark as read, wait for the next.
//!
//! A message is marked as read by asking for what is behind it, so that one whose answer was lost comes again.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};

use crate::engine::id::{TeamId, TeamKind};
use crate::wire::fact::FactSeq;

use super::answer::MessageList;
use super::backend::{Backend, Mailbox, TeamMessage};
use super::caller::Caller;
use super::input::{InPath, Params};
use super::limits::MAX_WAIT_SECONDS;
use super::problem::Problem;
use super::routes::{App, Operation};

/// `GET /api/v1/teams/{id}/messages`.
pub(super) async fn read<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(team): InPath<TeamKind>,
    uri: Uri,
) -> Result<Json<MessageList>, Problem> {
    let params = Params::of(Operation::Messages, &uri)?;
    let after = params.cursor("after")?.map(FactSeq);
    let wait = Duration::from_secs(params.number("wait", MAX_WAIT_SECONDS)?.unwrap_or(0));
    let limit = params.limit()?;
    if !caller.is_team(&team) {
        return Err(unknown(&team));
    }
    app.backend.has_team(&team)?;
    let mut committed = app.backend.committed_for(&team).ok_or_else(|| unknown(&team))?;
    committed.mark_unchanged();
    let mut messages = now(&app, &team, after, limit).await?;
    if messages.is_empty() && !wait.is_zero() {
        let _place = app.places.long_polls.try_acquire().map_err(|_| {
            let most = app.options.max_long_polls;
            Problem::busy("too_many_long_polls", format!("{most} long polls are waiting; try again in a second"))
        })?;
        let until_there_are_some = async {
            while messages.is_empty() && committed.changed().await.is_ok() {
                messages = now(&app, &team, None, limit).await?;
            }
            Ok::<(), Problem>(())
        };
        tokio::select! {
            ended = until_there_are_some => ended?,
            () = tokio::time::sleep(wait) => {}
            () = app.stop.cancelled() => {}
        }
    }
    Ok(Json(messages.into()))
}

/// What there is for the team now.
async fn now<B: Backend>(
    app: &App<B>,
    team: &TeamId,
    after: Option<FactSeq>,
    limit: usize,
) -> Result<Vec<TeamMessage>, Problem> {
    match app.backend.messages(team, after, limit).await? {
        Mailbox::Messages(messages) => Ok(messages),
        Mailbox::UnknownTeam => Err(unknown(team)),
        Mailbox::ReadsItsQueue => {
            let detail = format!("team {team} reads its RabbitMQ queue; set delivery = \"http\" in the roster");
            Err(Problem::new(StatusCode::CONFLICT, "reads_its_queue", "The team does not read over HTTP", detail))
        }
        Mailbox::NeverSent { last } => {
            let detail = format!("no message with this number was sent to team {team}; the last is {}", last.0);
            Err(Problem::parameter("after", detail))
        }
    }
}

fn unknown(team: &TeamId) -> Problem {
    Problem::not_found(format!("there is no team {team}"))
}
