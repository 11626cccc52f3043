//! The command line: data on stdout, messages on stderr, one exit code per kind of end.
//!
//! | code | when |
//! |---|---|
//! | 0 | done |
//! | 1 | not done, or the answer is "no" |
//! | 2 | the command was written wrongly |
//! | 3 | `plan` found changes |
//! | 69 | the daemon cannot be reached, or says that it cannot answer now |
//! | 78 | settings or roster are at fault |

mod audit;
mod backup;
mod check;
mod completions;
mod configuration;
mod confirm;
mod costs;
mod coverage;
mod daemon;
mod explanation;
mod failure;
mod forecast;
mod healthcheck;
mod hours;
mod instant;
mod ledger;
mod man;
mod orders;
mod output;
mod overrides;
mod plan;
mod processes;
mod purge;
mod route;
mod schema;
mod serve;
mod submit;
mod tasks;
mod tls;
mod token;
mod update;
mod version;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use self::failure::Failure;
use self::output::{Format, Output};

/// Follow-the-sun task scheduler for legal process outsourcing.
#[derive(Debug, Parser)]
#[command(name = "heliograph", disable_version_flag = true, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Arguments {
    /// Print the version and that of the zone rules
    #[arg(short = 'V', long)]
    version: bool,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 not done, or the answer is no; 2 usage; 3 changes; 69 daemon unreachable; 78 settings or roster at fault.
Environment: HELIOGRAPH_URL and HELIOGRAPH_TOKEN for commands that talk to a daemon; HELIOGRAPH__SECTION__KEY for settings; NO_COLOR.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(serve::ServeArguments),
    /// Run the daemon with the sample roster, a simulated firm and simulated teams
    Demo(serve::DemoArguments),
    /// Check settings and roster, and print every fault as file:line:column
    Check(check::CheckArguments),
    /// Say what a roster would change on a daemon, and bring it into force
    Plan(plan::PlanArguments),
    /// Sum what was worked on tasks that ended in a span of time, and what it cost
    Costs(costs::CostsArguments),
    /// Say when anybody is open for each capability in the days ahead
    Coverage(coverage::CoverageArguments),
    /// Say what is booked and expected in the next 72 hours, against those who are open
    Forecast(forecast::ForecastArguments),
    /// Ask a calendar of the roster
    Hours(hours::HoursArguments),
    /// Say where a request would go, and why, without a daemon
    Route(route::RouteArguments),
    /// Say why a task is where it is
    Why(why::WhyArguments),
    /// Say why a team does not have a task, and what would change that
    WhyNot(why::WhyNotArguments),
    /// Send work requests
    Submit(submit::SubmitArguments),
    /// List tasks
    Tasks(tasks::TasksArguments),
    /// Show a task with its history
    Task(tasks::TaskArguments),
    /// List processes, with how far each is
    Processes(processes::ProcessesArguments),
    /// Show a process: its steps, their derived deadlines and slack, and the critical path
    Process(processes::ProcessArguments),
    /// Send an update of a task or a process
    Update(Box<update::UpdateArguments>),
    /// Close, open, drain or size a team for a time
    Override(overrides::OverrideArguments),
    /// Let a team take nothing new for a time, and hand off at its shift end
    Drain(overrides::DrainArguments),
    /// Take a task back from the team that has it
    Recall(orders::RecallArguments),
    /// Have a task offered to a team
    OfferTo(orders::OfferToArguments),
    /// Forget payload and notes of the closed tasks of a matter
    Purge(purge::PurgeArguments),
    /// Check the chain of facts, or write it out for others to check
    Audit(audit::AuditArguments),
    /// Copy the store, while a daemon runs on it or not
    Backup(backup::BackupArguments),
    /// Make a token for callers over HTTP: prints it, and behind it the line for http.tokens_file
    Token(token::TokenArguments),
    /// Print a schema of the contract
    Schema(schema::SchemaArguments),
    /// Print a script that completes commands in a shell
    Completions(completions::CompletionsArguments),
    /// Print a manual page
    Man(man::ManArguments),
    /// Ask a daemon whether it is well
    Healthcheck(healthcheck::HealthcheckArguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed stream has nobody left to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let mut output = Output::of_stdout(arguments.format);
    if arguments.version {
        return version::run(&mut output);
    }
    let Some(command) = arguments.command else {
        return Err(Failure::Usage("give a command; heliograph --help lists them".to_owned()));
    };
    match command {
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Demo(arguments) => serve::demo(&arguments),
        Command::Check(arguments) => check::run(&arguments, &mut output),
        Command::Plan(arguments) => plan::run(&arguments, &mut output),
        Command::Costs(arguments) => costs::run(&arguments, &mut output),
        Command::Coverage(arguments) => coverage::run(&arguments, &mut output),
        Command::Forecast(arguments) => forecast::run(&arguments, &mut output),
        Command::Hours(arguments) => hours::run(&arguments, &mut output),
        Command::Route(arguments) => route::run(&arguments, &mut output),
        Command::Why(arguments) => why::why(&arguments, &mut output),
        Command::WhyNot(arguments) => why::why_not(&arguments, &mut output),
        Command::Submit(arguments) => submit::run(&arguments, &mut output),
        Command::Tasks(arguments) => tasks::list(&arguments, &mut output),
        Command::Task(arguments) => tasks::show(&arguments, &mut output),
        Command::Processes(arguments) => processes::list(&arguments, &mut output),
        Command::Process(arguments) => processes::show(&arguments, &mut output),
        Command::Update(arguments) => update::run(&arguments, &mut output),
        Command::Override(arguments) => overrides::run(arguments, &mut output),
        Command::Drain(arguments) => overrides::drain(arguments, &mut output),
        Command::Recall(arguments) => orders::recall(&arguments, &mut output),
        Command::OfferTo(arguments) => orders::offer_to(&arguments, &mut output),
        Command::Purge(arguments) => purge::run(arguments, &mut output),
        Command::Audit(arguments) => audit::run(&arguments, &mut output),
        Command::Backup(arguments) => backup::run(&arguments, &mut output),
        Command::Token(arguments) => token::run(&arguments, &mut output),
        Command::Schema(arguments) => schema::run(&arguments, &mut output),
        Command::Completions(arguments) => completions::run(&arguments, &mut Arguments::command(), &mut output),
        Command::Man(arguments) => man::run(&arguments, Arguments::command(), &mut output),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments, &mut output),
    }
}
