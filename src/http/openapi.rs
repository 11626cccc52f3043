//! The OpenAPI document, made from the table of addresses and the types of the answers.

use schemars::JsonSchema;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::wire::process_view::ProcessView;
use crate::wire::schema::{self, SchemaKind};
use crate::wire::view::TaskView;

use super::answer::{
    Applied, ExplanationView, HistoryPage, Liveness, MessageList, Readiness, Submitted, TaskPage, TeamList,
};
use super::audit::AuditPage;
use super::costs::CostList;
use super::overrides::{OverrideList, OverrideOutcome, OverrideRequest};
use super::problem::{PROBLEM_JSON, Problem};
use super::processes::ProcessPage;
use super::purges::{PurgeOutcome, PurgeRequest};
use super::roster::RosterPlan;
use super::routes::{Operation, ROUTES, Route};

/// The name of the one way in which callers are known.
const TOKEN: &str = "token";

const ABOUT_TOKENS: &str = "A token of the daemon's file, with one of the roles that the operation names or one above: admin \
                            over operate over read. A daemon that knows no tokens asks for none.";

/// The document (OpenAPI 3.1).
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
    let mut types = SchemaGenerator::new(settings);
    let mut paths: Map<String, Value> = Map::new();
    for route in &ROUTES {
        let operation = operation(route, &mut types);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str()] = operation;
    }
    let mut schemas = types.take_definitions(true);
    schemas.insert("WorkRequest".into(), printed(SchemaKind::Request));
    schemas.insert("Update".into(), printed(SchemaKind::Update));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Heliograph",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Follow-the-sun task scheduler. Answers show committed state only.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { TOKEN: { "type": "http", "scheme": "bearer", "description": ABOUT_TOKENS } },
        },
    })
}

fn operation(route: &Route, types: &mut SchemaGenerator) -> Value {
    let mut whole = json!({
        "operationId": route.operation.as_str(),
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": responses(route.operation, types),
    });
    if !route.roles.is_empty() {
        let roles: Vec<_> = route.roles.iter().map(|role| role.as_str()).collect();
        whole["security"] = json!([{ TOKEN: roles }]);
    }
    if let Some((media, body)) = request_body(route.operation, types) {
        whole["requestBody"] = json!({ "required": true, "content": { media: { "schema": body } } });
    }
    whole
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = path_parameters(route.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = route.query.iter().map(|parameter| {
        let (name, about) = (parameter.name, parameter.about);
        json!({ "name": name, "in": "query", "description": about, "schema": { "type": "string" } })
    });
    in_path.chain(in_query).collect()
}

/// The names in braces.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// What is sent, with its media type.
fn request_body(operation: Operation, types: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
    let json = "application/json";
    let one = json!({ "$ref": "#/components/schemas/WorkRequest" });
    match operation {
        Operation::Submit => {
            Some((json, json!({ "oneOf": [one, { "type": "array", "maxItems": 1000, "items": one }] })))
        }
        Operation::Update => Some((json, json!({ "$ref": "#/components/schemas/Update" }))),
        Operation::SetOverride => Some((json, of::<OverrideRequest>(types))),
        Operation::Purge => Some((json, of::<PurgeRequest>(types))),
        Operation::PlanRoster | Operation::ApplyRoster => Some(("application/toml", json!({ "type": "string" }))),
        _ => None,
    }
}

/// What it answers when all is well, and a problem document otherwise.
fn responses(operation: Operation, types: &mut SchemaGenerator) -> Value {
    let problem = of::<Problem>(types);
    let problem = json!({ "description": "A problem", "content": { PROBLEM_JSON: { "schema": problem } } });
    let mut all = Map::new();
    all.insert("default".into(), problem);
    let (media, schema) = match operation {
        Operation::Submit => {
            let one = of::<Submitted>(types);
            all.insert("201".into(), good("application/json", &one));
            ("application/json", json!({ "oneOf": [one, { "type": "array", "items": one }] }))
        }
        Operation::Tasks => ("application/json", of::<TaskPage>(types)),
        Operation::Task => ("application/json", of::<TaskView>(types)),
        Operation::Explanation => ("application/json", of::<ExplanationView>(types)),
        Operation::History => ("application/json", of::<HistoryPage>(types)),
        Operation::Processes => ("application/json", of::<ProcessPage>(types)),
        Operation::Process => ("application/json", of::<ProcessView>(types)),
        Operation::ProcessHistory => ("application/json", of::<HistoryPage>(types)),
        Operation::Update => ("application/json", of::<Applied>(types)),
        Operation::Teams => ("application/json", of::<TeamList>(types)),
        Operation::Messages => ("application/json", of::<MessageList>(types)),
        Operation::PlanRoster | Operation::ApplyRoster => ("application/json", of::<RosterPlan>(types)),
        Operation::Costs => ("application/json", of::<CostList>(types)),
        Operation::Overrides => ("application/json", of::<OverrideList>(types)),
        Operation::SetOverride => {
            let done = of::<OverrideOutcome>(types);
            all.insert("201".into(), good("application/json", &done));
            ("application/json", done)
        }
        Operation::RemoveOverride => ("application/json", of::<OverrideOutcome>(types)),
        Operation::Purge => {
            let outcome = of::<PurgeOutcome>(types);
            all.insert("202".into(), good("application/json", &outcome));
            ("application/json", outcome)
        }
        Operation::Live => with_503::<Liveness>(&mut all, types),
        Operation::Ready => with_503::<Readiness>(&mut all, types),
        Operation::Schema | Operation::OpenApi | Operation::Coverage | Operation::Forecast => {
            ("application/json", json!({ "type": "object" }))
        }
        Operation::Audit => ("application/json", of::<AuditPage>(types)),
        Operation::Events => ("text/event-stream", json!({ "type": "string" })),
        Operation::Metrics => ("text/plain", json!({ "type": "string" })),
        Operation::Index => ("text/html", json!({ "type": "string" })),
    };
    all.insert("200".into(), good(media, &schema));
    Value::Object(all)
}

/// A type that is also the answer when the daemon is not well.
fn with_503<T: JsonSchema>(all: &mut Map<String, Value>, types: &mut SchemaGenerator) -> (&'static str, Value) {
    let schema = of::<T>(types);
    all.insert("503".into(), good("application/json", &schema));
    ("application/json", schema)
}

fn good(media: &str, schema: &Value) -> Value {
    json!({ "description": "The answer", "content": { media: { "schema": schema } } })
}

fn of<T: JsonSchema>(types: &mut SchemaGenerator) -> Value {
    types.subschema_for::<T>().to_value()
}

fn printed(kind: SchemaKind) -> Value {
    serde_json::from_str(&schema::print(kind)).expect("a printed schema is JSON")
}
