//! What holds for every address: which hosts, how long an answer may take, and the headers that keep browsers strict.
//!
//! The list of hosts is what stops a web page elsewhere from reaching a loopback port by a name of its own; a page that says
//! where it comes from must come from one of them. There is no CORS, and writes need a content type that a foreign page
//! cannot send.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::limits::{ANSWER_WITHIN, Options};
use super::problem::Problem;

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Puts the guard around a router.
pub(super) fn around<S: Clone + Send + Sync + 'static>(router: Router<S>, options: &Arc<Options>) -> Router<S> {
    router.layer(middleware::from_fn_with_state(Arc::clone(options), guarded))
}

async fn guarded(State(options): State<Arc<Options>>, request: Request, next: Next) -> Response {
    let checked = check_host(&request, &options.hosts).and_then(|()| check_origin(request.headers(), &options.hosts));
    let mut response = match checked {
        Err(problem) => problem.into_response(),
        Ok(()) => tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await.unwrap_or_else(|_| too_slow()),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn too_slow() -> Response {
    let within = ANSWER_WITHIN.as_secs();
    let detail =
        format!("there was no answer within {within} s; whether a write was taken is not known, send it again");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", "No answer in time", detail).into_response()
}

fn check_host(request: &Request, hosts: &[String]) -> Result<(), Problem> {
    let named = request.uri().authority().map(|it| it.as_str()).or_else(|| only(request.headers(), &header::HOST));
    if named.is_some_and(|host| is_allowed(host, hosts)) {
        return Ok(());
    }
    let detail = "the host is not one of this server; use a loopback address, or name the host in http.hosts";
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", "Wrong host", detail))
}

/// A browser names the page that calls; other programs name none.
fn check_origin(headers: &HeaderMap, hosts: &[String]) -> Result<(), Problem> {
    let is_ours = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| is_allowed(host, hosts));
    if !headers.contains_key(header::ORIGIN) || only(headers, &header::ORIGIN).is_some_and(is_ours) {
        return Ok(());
    }
    let detail = "a page of another host may not call; open it from a host of this server";
    Err(Problem::new(StatusCode::FORBIDDEN, "wrong_origin", "Wrong origin", detail))
}

/// The value of a header that stands once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether a host, with or without a port, is a loopback one or in the list.
fn is_allowed(host: &str, hosts: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
    name == "localhost"
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn loopback_and_configured_hosts_are_allowed_and_no_others() {
        let hosts = ["helio.example".to_owned()];
        for good in
            ["localhost", "LOCALHOST:8321", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:80", "helio.example:443"]
        {
            assert!(is_allowed(good, &hosts), "{good}");
        }
        for bad in [
            "",
            "example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "x.helio.example",
            "[::2]:1",
        ] {
            assert!(!is_allowed(bad, &hosts), "{bad}");
        }
    }
}
