//! The command line as a user meets it: the real binary, its exit codes, its stdout and its stderr.

#[path = "cli/check.rs"]
mod check;
#[path = "cli/daemon.rs"]
mod daemon;
#[path = "cli/fake.rs"]
mod fake;
#[path = "cli/hours.rs"]
mod hours;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/route.rs"]
mod route;
#[path = "cli/submit.rs"]
mod submit;
#[path = "cli/token.rs"]
mod token;
#[path = "cli/usage.rs"]
mod usage;
