//! What is wrong with a roster, and where: `file:line:column: message`.

use std::fmt;
use std::sync::Arc;

/// Findings that are shown at most; a file that is not a roster at all would give one for each line.
pub const MAX_FINDINGS: usize = 1_000;

/// One fault or warning. Findings sort by file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file as it was named; empty when the finding is about no file.
    pub file: Arc<str>,
    /// Line, from 1; 0 when the finding is about the whole file.
    pub line: u32,
    /// Column in characters, from 1; 0 when the finding is about the whole file.
    pub column: u32,
    /// What is wrong and what to do, in lower case.
    pub message: String,
}

impl Finding {
    /// A finding about a file as a whole, such as one that cannot be read.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_ref(), self.line) {
            ("", _) => f.write_str(&self.message),
            (file, 0) => write!(f, "{file}: {}", self.message),
            (file, line) => write!(f, "{file}:{line}:{}: {}", self.column, self.message),
        }
    }
}

/// The faults of a roster in the order of its files: at least one, at most [`MAX_FINDINGS`], then the number of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Finding>);

impl Faults {
    /// Sorts, and adds how many `more` there are.
    pub(super) fn of(mut findings: Vec<Finding>, more: usize) -> Self {
        findings.sort();
        findings.dedup();
        if more > 0 {
            findings.push(Finding::of_file("", format!("{more} more faults")));
        }
        Self(findings)
    }
}

impl From<Finding> for Faults {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
