//! `token`: a token for callers over HTTP, and the line of the file that lets it in.

use serde::Serialize;

use super::failure::Failure;
use super::output::Output;
use crate::settings::tokens::{self, Role, TOKEN_BYTES, TokenName};

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArguments {
    /// Whose it is, as the audit log will have it
    name: TokenName,
    /// What it may do: read, read:CLIENT, submit:CLIENT, team:ID, operate, admin
    #[arg(required = true, value_name = "ROLE")]
    roles: Vec<Role>,
}

#[derive(Debug, Serialize)]
struct Made {
    token: String,
    line: String,
}

pub(super) fn run(arguments: &TokenArguments, output: &mut Output) -> Result<(), Failure> {
    let mut chance = [0; TOKEN_BYTES];
    let filled = rustix::rand::getrandom(&mut chance, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(TOKEN_BYTES) {
        return Err(Failure::Failed(format!("the system gives no chance to make a token of: {filled:?}")));
    }
    let token = tokens::written(&chance);
    let line = tokens::line(&arguments.name, &arguments.roles, &token);
    if output.is_json() {
        return output.json(&Made { token, line });
    }
    output.line(token)?;
    output.line(line)
}
