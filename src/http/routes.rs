//! The table of addresses, and the router made from it.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{MethodRouter, delete, get, post};
use tokio_util::sync::CancellationToken;

use crate::settings::tokens::RoleKind::{self, Admin, Operate, Read, ReadOf, Submit, Team};

use super::backend::Backend;
use super::gate::{self, Door, Gate};
use super::limits::{Options, Places};
use super::problem::Problem;
use super::{
    audit, costs, documents, events, guard, health, messages, overrides, processes, purges, reads, roster, writes,
};

/// An address and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What it does; names it in the OpenAPI document.
    pub operation: Operation,
    /// Who may use it where the daemon knows tokens: one of these roles, or one that stands above; of all callers when
    /// there is none. What a caller with one of them sees there is in `caller.rs`.
    pub roles: &'static [RoleKind],
    /// What it is for, in a line.
    pub summary: &'static str,
    /// Parameters behind the question mark.
    pub query: &'static [Parameter],
}

/// A parameter behind the question mark.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does, with its limits.
    pub about: &'static str,
}

/// A method that a route has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Writes.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// The word in lower case, as OpenAPI has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Delete => "delete",
        }
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Takes work requests.
    Submit,
    /// Lists tasks.
    Tasks,
    /// Shows a task.
    Task,
    /// Says why a task is where it is.
    Explanation,
    /// Lists the facts of a task.
    History,
    /// Lists processes.
    Processes,
    /// Shows a process.
    Process,
    /// Lists the facts of a process.
    ProcessHistory,
    /// Takes an update.
    Update,
    /// Lists teams.
    Teams,
    /// Gives a team its messages.
    Messages,
    /// Says what another roster would change.
    PlanRoster,
    /// Brings another roster into force.
    ApplyRoster,
    /// Shows the coverage of the days ahead.
    Coverage,
    /// Shows what is booked and expected against those who are open.
    Forecast,
    /// Sums what was worked and what it cost.
    Costs,
    /// Lists overrides.
    Overrides,
    /// Sets an override.
    SetOverride,
    /// Removes an override.
    RemoveOverride,
    /// Empties a matter.
    Purge,
    /// Streams events.
    Events,
    /// Gives the chain of facts.
    Audit,
    /// Metrics.
    Metrics,
    /// Whether it lives.
    Live,
    /// Whether it is ready.
    Ready,
    /// A schema of the contract.
    Schema,
    /// The OpenAPI document.
    OpenApi,
    /// A page with these addresses.
    Index,
}

const LIMIT: Parameter = Parameter { name: "limit", about: "At most this many, 1 to 500; 100 when absent." };

/// What says nothing about clients, teams and their work needs no token.
const EVERYBODY: &[RoleKind] = &[];

/// Every address.
pub const ROUTES: [Route; 28] = [
    Route {
        method: Method::Post,
        path: "/api/v1/requests",
        operation: Operation::Submit,
        roles: &[Submit],
        summary: "Submit one work request, or an array of at most 1000, answered per element after the commit",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/tasks",
        operation: Operation::Tasks,
        roles: &[Read, ReadOf, Team],
        summary: "List tasks in order of arrival",
        query: &[
            Parameter { name: "client", about: "Only this client's." },
            Parameter { name: "team", about: "Only those offered to, owned by or completed by this team." },
            Parameter { name: "state", about: "Only in this state: waiting, offered, active, completed or cancelled." },
            Parameter { name: "cursor", about: "Go on behind an earlier page: its `next`." },
            LIMIT,
        ],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/tasks/{id}",
        operation: Operation::Task,
        roles: &[Read, ReadOf, Team],
        summary: "Show a task; the id is percent-encoded, since it has a slash",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/tasks/{id}/explanation",
        operation: Operation::Explanation,
        roles: &[Read, ReadOf],
        summary: "Say why a task is where it is: the stored decision, and every team's verdict as of then and as of now",
        query: &[Parameter {
            name: "team",
            about: "Only this team, with every obstacle in its way in the order of the filters.",
        }],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/tasks/{id}/history",
        operation: Operation::History,
        roles: &[Read, ReadOf, Team],
        summary: "List the facts of a task in sequence",
        query: &[Parameter { name: "after", about: "Only facts with a higher number." }, LIMIT],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/processes",
        operation: Operation::Processes,
        roles: &[Read, ReadOf],
        summary: "List processes in order of arrival, with how far each is",
        query: &[
            Parameter { name: "client", about: "Only this client's." },
            Parameter { name: "matter", about: "Only of this matter." },
            Parameter { name: "state", about: "Only in this state: open, completed or cancelled." },
            Parameter { name: "cursor", about: "Go on behind an earlier page: its `next`." },
            LIMIT,
        ],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/processes/{id}",
        operation: Operation::Process,
        roles: &[Read, ReadOf],
        summary: "Show a process: its steps with derived deadlines and slack, its progress, and its critical path",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/processes/{id}/history",
        operation: Operation::ProcessHistory,
        roles: &[Read, ReadOf],
        summary: "List the facts of a process in sequence; those of a step stand with its task",
        query: &[Parameter { name: "after", about: "Only facts with a higher number." }, LIMIT],
    },
    Route {
        method: Method::Post,
        path: "/api/v1/tasks/{id}/updates",
        operation: Operation::Update,
        roles: &[Submit, Team, Operate],
        summary: "Send an update of a team, a firm or, when it names neither, an operator; the id may be a process's",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/teams",
        operation: Operation::Teams,
        roles: &[Read, Team],
        summary: "List all teams with their hours and their load",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/teams/{id}/messages",
        operation: Operation::Messages,
        roles: &[Team],
        summary: "Give a team its messages, for teams with delivery = \"http\"",
        query: &[
            Parameter {
                name: "after",
                about: "Marks every message up to this number as read, and gives those behind it; without it, those \
                        that are not read yet.",
            },
            Parameter { name: "wait", about: "Wait this many seconds for a message when there is none, 0 to 30." },
            LIMIT,
        ],
    },
    Route {
        method: Method::Post,
        path: "/api/v1/roster/plan",
        operation: Operation::PlanRoster,
        roles: &[Operate],
        summary: "Say what a roster would change: entries, tasks, and what keeps it from coming into force",
        query: &[],
    },
    Route {
        method: Method::Post,
        path: "/api/v1/roster/apply",
        operation: Operation::ApplyRoster,
        roles: &[Operate],
        summary: "Bring a roster into force",
        query: &[
            Parameter {
                name: "check_index",
                about: "The `check_index` of its plan; refused when roster or overrides have changed since.",
            },
            Parameter { name: "force", about: "With true, a roster that was in force before comes back." },
        ],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/coverage",
        operation: Operation::Coverage,
        roles: &[Read],
        summary: "Show when anybody is open for each capability in the days ahead, the gaps, and single points of failure",
        query: &[Parameter { name: "days", about: "How many days, 1 to 92; 14 when absent." }],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/forecast",
        operation: Operation::Forecast,
        roles: &[Read],
        summary: "Show what is booked and expected per capability in the next 72 hours, against open capacity, and the past error",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/costs",
        operation: Operation::Costs,
        roles: &[Read, ReadOf],
        summary: "Sum what was worked on tasks that ended in a span of time, and what it cost, by client or by team",
        query: &[
            Parameter { name: "by", about: "client or team; client when absent." },
            Parameter { name: "from", about: "Tasks that ended at this instant or later, RFC 3339." },
            Parameter { name: "until", about: "And before this one." },
        ],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/overrides",
        operation: Operation::Overrides,
        roles: &[Read],
        summary: "List the overrides that stand or are to come",
        query: &[],
    },
    Route {
        method: Method::Post,
        path: "/api/v1/overrides",
        operation: Operation::SetOverride,
        roles: &[Operate],
        summary: "Close, open, drain a team or set its seats for a time; with preview, say what that would bring about",
        query: &[],
    },
    Route {
        method: Method::Delete,
        path: "/api/v1/overrides/{id}",
        operation: Operation::RemoveOverride,
        roles: &[Operate],
        summary: "End an override before its time",
        query: &[
            Parameter { name: "author", about: "Who ends it." },
            Parameter { name: "reason", about: "Why." },
            Parameter { name: "preview", about: "With true, only say what that would bring about." },
        ],
    },
    Route {
        method: Method::Post,
        path: "/api/v1/purges",
        operation: Operation::Purge,
        roles: &[Admin],
        summary: "Empty the closed tasks of a matter of payload and notes before their time; 202 when that goes on for long",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/events",
        operation: Operation::Events,
        roles: &[Read, ReadOf, Team],
        summary: "Stream events as they are committed, as server-sent events; from now on without a number",
        query: &[Parameter {
            name: "after",
            about: "Begin behind this number; the header Last-Event-ID comes before it. When events behind it are no \
                    longer kept, an event `reset` says so.",
        }],
    },
    Route {
        method: Method::Get,
        path: "/api/v1/audit",
        operation: Operation::Audit,
        roles: &[Read],
        summary: "Give the chain of facts as records with digests and links, and where it begins, to be checked elsewhere",
        query: &[Parameter { name: "after", about: "Only facts with a higher number." }, LIMIT],
    },
    Route {
        method: Method::Get,
        path: "/metrics",
        operation: Operation::Metrics,
        roles: EVERYBODY,
        summary: "Metrics as Prometheus text",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/livez",
        operation: Operation::Live,
        roles: EVERYBODY,
        summary: "Whether the daemon lives",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/readyz",
        operation: Operation::Ready,
        roles: EVERYBODY,
        summary: "Whether the daemon is ready, check by check",
        query: &[Parameter { name: "role", about: "With active, a standby is not ready." }],
    },
    Route {
        method: Method::Get,
        path: "/schemas/{kind}",
        operation: Operation::Schema,
        roles: EVERYBODY,
        summary: "A schema of the contract: request, update, event, roster or asyncapi",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/openapi.json",
        operation: Operation::OpenApi,
        roles: EVERYBODY,
        summary: "This API as an OpenAPI document",
        query: &[],
    },
    Route {
        method: Method::Get,
        path: "/",
        operation: Operation::Index,
        roles: EVERYBODY,
        summary: "A page that lists these addresses",
        query: &[],
    },
];

impl Operation {
    /// Its name in the OpenAPI document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Tasks => "tasks",
            Self::Task => "task",
            Self::Explanation => "explanation",
            Self::History => "history",
            Self::Processes => "processes",
            Self::Process => "process",
            Self::ProcessHistory => "process_history",
            Self::Update => "update",
            Self::Teams => "teams",
            Self::Messages => "messages",
            Self::PlanRoster => "plan_roster",
            Self::ApplyRoster => "apply_roster",
            Self::Coverage => "coverage",
            Self::Forecast => "forecast",
            Self::Costs => "costs",
            Self::Overrides => "overrides",
            Self::SetOverride => "set_override",
            Self::RemoveOverride => "remove_override",
            Self::Purge => "purge",
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Metrics => "metrics",
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Schema => "schema",
            Self::OpenApi => "openapi",
            Self::Index => "index",
        }
    }

    /// The parameters that it takes behind the question mark.
    pub(super) fn query(self) -> &'static [Parameter] {
        ROUTES.iter().find(|route| route.operation == self).map_or(&[], |route| route.query)
    }

    fn handler<B: Backend>(self) -> MethodRouter<App<B>> {
        match self {
            Self::Submit => post(writes::submit),
            Self::Update => post(writes::update),
            Self::Tasks => get(reads::tasks),
            Self::Task => get(reads::task),
            Self::Explanation => get(reads::explanation),
            Self::History => get(reads::history),
            Self::Processes => get(processes::list),
            Self::Process => get(processes::show),
            Self::ProcessHistory => get(processes::history),
            Self::Teams => get(reads::teams),
            Self::Messages => get(messages::read),
            Self::PlanRoster => post(roster::plan),
            Self::ApplyRoster => post(roster::apply),
            Self::Coverage => get(reads::coverage),
            Self::Forecast => get(reads::forecast),
            Self::Costs => get(costs::costs),
            Self::Overrides => get(overrides::list),
            Self::SetOverride => post(overrides::set),
            Self::RemoveOverride => delete(overrides::remove),
            Self::Purge => post(purges::purge),
            Self::Events => get(events::stream),
            Self::Audit => get(audit::page),
            Self::Metrics => get(health::metrics),
            Self::Live => get(health::live),
            Self::Ready => get(health::ready),
            Self::Schema => get(documents::schema),
            Self::OpenApi => get(documents::openapi),
            Self::Index => get(documents::index),
        }
    }
}

/// What every handler has at hand.
#[derive(Clone)]
pub(super) struct App<B> {
    pub(super) backend: B,
    pub(super) options: Arc<Options>,
    pub(super) places: Arc<Places>,
    pub(super) gate: Arc<Gate>,
    /// Ends streams and long polls.
    pub(super) stop: CancellationToken,
}

/// The router of the table, guarded.
pub(super) fn router<B: Backend>(app: App<B>) -> Router {
    let mut router = Router::new();
    for route in &ROUTES {
        let door = Door { gate: Arc::clone(&app.gate), roles: route.roles };
        let guarded = route.operation.handler::<B>().route_layer(middleware::from_fn_with_state(door, gate::admit));
        router = router.route(route.path, guarded);
    }
    let router = router.fallback(no_such_address).method_not_allowed_fallback(wrong_method);
    guard::around(router, &app.options).with_state(app)
}

async fn no_such_address() -> Problem {
    Problem::not_found("there is nothing at this address; / lists what there is")
}

async fn wrong_method() -> Problem {
    let detail = "the address does not take this method; the header Allow says which it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "Wrong method", detail)
}
