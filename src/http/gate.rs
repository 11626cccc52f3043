//! Who is let in: the token of a caller, and whether it may use the route.
//!
//! A token comes in the header `Authorization: Bearer TOKEN` and nowhere else: neither in a cookie, which a browser would
//! send of itself, nor in an address, which ends in logs. No refusal shows anything of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use crate::settings::tokens::{RoleKind, Tokens};

use super::caller::Caller;
use super::guard::only;
use super::problem::Problem;
use super::rates::{Counted, Rates};

/// The scheme of the header.
const BEARER: &str = "bearer ";

/// The tokens that a server takes; others come into force while it runs.
pub type TokensInForce = watch::Receiver<Arc<Tokens>>;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Lets callers in.
#[derive(Debug)]
pub(super) struct Gate {
    tokens: Option<TokensInForce>,
    rates: Rates,
}

/// Who may use a route: one of these roles; nobody's is for everybody.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) gate: Arc<Gate>,
    pub(super) roles: &'static [RoleKind],
}

impl Gate {
    pub(super) fn new(tokens: Option<TokensInForce>, requests_per_second: u64) -> Self {
        Self { tokens, rates: Rates::new(requests_per_second) }
    }

    /// The tokens in force, for a caller that stays long.
    pub(super) fn tokens(&self) -> Option<TokensInForce> {
        self.tokens.clone()
    }

    fn admit(&self, roles: &[RoleKind], headers: &HeaderMap, peer: IpAddr) -> Result<Caller, Problem> {
        let Some(tokens) = &self.tokens else { return Ok(Caller::Local) };
        let found = shown(headers).and_then(|shown| tokens.borrow().find(shown).cloned());
        let Some(token) = found else { return self.without_token(roles, headers, peer) };
        if !self.rates.take(Counted::Token(token.name.clone())) {
            return Err(Problem::too_often("the token was used too often"));
        }
        let caller = Caller::Holder(Arc::new(token));
        if !roles.is_empty() && !caller.has_any(roles) {
            return Err(Problem::not_allowed(roles));
        }
        Ok(caller)
    }

    fn without_token(&self, roles: &[RoleKind], headers: &HeaderMap, peer: IpAddr) -> Result<Caller, Problem> {
        if roles.is_empty() {
            let may = self.rates.take(Counted::Peer(peer));
            return if may { Ok(Caller::Nobody) } else { Err(Problem::too_often("this address called too often")) };
        }
        if !headers.contains_key(header::AUTHORIZATION) {
            let may = self.rates.take(Counted::Peer(peer));
            let detail = "this address needs a token: send the header Authorization: Bearer TOKEN";
            return Err(if may {
                Problem::unknown_caller(detail)
            } else {
                Problem::too_often("this address called too often")
            });
        }
        if !self.rates.take(Counted::Wrong(peer)) {
            return Err(Problem::too_often("too many wrong tokens came from this address"));
        }
        tracing::info!(%peer, "http caller with a wrong token");
        Err(Problem::unknown_caller("the token is none of this daemon's; look at http.tokens_file"))
    }
}

/// The token that a caller shows.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let value = only(headers, &header::AUTHORIZATION)?;
    let scheme = value.get(..BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then(|| value[BEARER.len()..].trim())
}

/// Lets a request through to its route, with who sends it.
pub(super) async fn admit(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
    match door.gate.admit(door.roles, request.headers(), peer) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => refused(problem),
    }
}

fn refused(problem: Problem) -> Response {
    let is_unknown = problem.status == StatusCode::UNAUTHORIZED.as_u16();
    let mut response = problem.into_response();
    if is_unknown {
        let challenge = HeaderValue::from_static("Bearer realm=\"heliograph\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
