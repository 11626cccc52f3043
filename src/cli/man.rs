//! `man`: the manual page of the program or of one command, for `man -l -`.

use clap_mangen::Man;

use super::failure::Failure;
use super::output::Output;
use crate::roster;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArguments {
    /// Command [default: the program]
    command: Option<String>,
}

pub(super) fn run(arguments: &ManArguments, mut program: clap::Command, output: &mut Output) -> Result<(), Failure> {
    program.build();
    let page = match &arguments.command {
        None => program.clone(),
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| unknown(name, &program))?,
    };
    let title = page.get_display_name().unwrap_or(page.get_name()).to_owned();
    let mut text = Vec::new();
    Man::new(page).title(title).render(&mut text)?;
    output.raw(&String::from_utf8_lossy(&text))
}

fn unknown(name: &str, program: &clap::Command) -> Failure {
    let known: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    let advice = match roster::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Failure::Usage(format!("there is no command {name:?}; {advice}"))
}
