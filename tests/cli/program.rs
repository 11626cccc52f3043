//! Runs the binary and keeps what it says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The stdout of a run that went well and had nothing to say on stderr.
    pub fn data(&self) -> &str {
        assert!(self.code == 0 && self.stderr.is_empty(), "{self:?}");
        &self.stdout
    }

    /// Stdout as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary, with nothing of the environment of the tests.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliograph"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with arguments.
pub fn run(arguments: &[&str]) -> Ran {
    ran(command().args(arguments))
}

/// Runs it with arguments and text on stdin.
pub fn run_with_stdin(arguments: &[&str], stdin: &str) -> Ran {
    let mut child = command().args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    kept(child.wait_with_output().unwrap())
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    kept(command.output().unwrap())
}

fn kept(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with files in it.
pub struct Files(TempDir);

impl Files {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// The sample roster.
pub fn sample() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(Path::new("config/roster.toml")).display().to_string()
}
