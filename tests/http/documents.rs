//! Documents about the API, and the addresses themselves.

use std::collections::BTreeSet;

use heliograph::http::{Method, Operation, ROUTES};
use heliograph::wire::schema::{self, SchemaKind};
use serde_json::Value;

use super::Server;
use super::fake::{report, task};

#[tokio::test]
async fn every_address_is_in_the_openapi_document_and_the_other_way_round() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            documented.insert((path.clone(), method.clone(), name.to_owned()));
        }
    }
    let served: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_owned(), route.operation.as_str().to_owned()))
        .collect();
    assert_eq!(documented, served);
    assert_eq!(served.len(), ROUTES.len());
    let names: BTreeSet<&String> = documented.iter().map(|(_, _, name)| name).collect();
    assert_eq!(names.len(), ROUTES.len());
}

#[tokio::test]
async fn every_parameter_of_the_document_is_taken_and_every_reference_leads_somewhere() {
    let document = heliograph::http::openapi();
    for route in &ROUTES {
        let parameters = document["paths"][route.path][route.method.as_str()]["parameters"].as_array().unwrap();
        let named = |place: &str| -> Vec<&str> {
            parameters.iter().filter(|it| it["in"] == place).map(|it| it["name"].as_str().unwrap()).collect()
        };
        assert_eq!(named("query"), route.query.iter().map(|it| it.name).collect::<Vec<_>>());
        let braces: Vec<&str> = route.path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(named("path"), braces);
    }
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.contains("#/components/schemas/TaskView"), "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                into.insert(reference.clone());
            }
            members.values().for_each(|member| collect_references(member, into));
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect_references(element, into)),
        _ => {}
    }
}

#[tokio::test]
async fn every_address_that_reads_answers() {
    let server = Server::start().await;
    server.backend.has(task("acme-llp/req-1", 1));
    server.backend.state().processes.push(report("acme-llp/req-1", 2));
    for route in ROUTES.iter().filter(|route| route.method == Method::Get) {
        let id = if route.path.contains("teams") { "sydney" } else { "acme-llp%2Freq-1" };
        let path = route.path.replace("{id}", id).replace("{kind}", "request");
        let query = if route.operation == Operation::Costs {
            "?from=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z"
        } else {
            ""
        };
        let path = path + query;
        let mut connection = server.connect().await;
        connection.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        assert_eq!(connection.head().await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn schemas_are_those_of_the_contract() {
    let server = Server::start().await;
    for kind in SchemaKind::ALL {
        let answer = server.get(&format!("/schemas/{}", kind.as_str())).await;
        assert_eq!((answer.status, answer.body), (200, schema::print(kind)));
    }
    assert_eq!(server.get("/schemas/roster").await.json(), heliograph::roster::schema());
    let problem = server.get("/schemas/task").await.problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("asyncapi"), "{problem}");
}

#[tokio::test]
async fn the_page_lists_every_address() {
    let server = Server::start().await;
    let page = server.get("/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    for route in &ROUTES {
        let line = format!("<code>{} {}</code>", route.method.as_str().to_uppercase(), route.path);
        assert!(page.body.contains(&line), "{line}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_not_found() {
    let server = Server::start().await;
    for path in ["/nowhere", "/api/v1", "/api/v1/tasks/", "/api/v2/tasks", "//"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert_eq!(server.get("/nowhere").await.problem(404)["code"], "not_found");
}
