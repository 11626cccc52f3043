//! Decisions and verdicts for people: every team on a line, those that could take the task first.

use std::cmp::Reverse;

use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::engine::explain::{Decision, Verdict};

/// Prints what was decided, with what.
pub(super) fn print_decision(decision: &Decision, output: &mut Output) -> Result<(), Failure> {
    output.field("decided at", &instant::text(decision.at))?;
    output.field("winner", decision.winner.as_ref().map_or("none", |team| team.as_str()))?;
    output.field("available", &decision.available_count.to_string())?;
    let rejected: Vec<_> =
        decision.rejected.iter().map(|(filter, count)| format!("{} {count}", filter.as_str())).collect();
    output.field("rejected by", &rejected.join(", "))?;
    output.field("roster", &decision.roster.0)?;
    output.field("tzdata", &decision.tzdata)
}

/// Prints the full table.
pub(super) fn print_verdicts(verdicts: &[Verdict], output: &mut Output) -> Result<(), Failure> {
    let mut verdicts: Vec<&Verdict> = verdicts.iter().collect();
    verdicts.sort_by(|a, b| rank(a).cmp(&rank(b)));
    let rows: Vec<_> = verdicts.into_iter().map(row).collect();
    output.table(&["TEAM", "VERDICT", "TOTAL", "FINISH", "SCORES OR WHAT WOULD CLEAR IT"], &rows)
}

/// Teams that meet the due time first, then by total; then rejections, the last filter first, since that is the nearest to
/// a yes; then by team.
fn rank(verdict: &Verdict) -> (u8, bool, Reverse<u32>, Reverse<u8>, &str) {
    match verdict {
        Verdict::Available(it) => (0, !it.meets_due, Reverse(it.total), Reverse(0), it.team.as_str()),
        Verdict::Rejected { team, filter, .. } => (1, false, Reverse(0), Reverse(*filter as u8), team.as_str()),
    }
}

fn row(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Verdict::Available(it) => {
            let scores = &it.scores;
            let shown = format!(
                "margin {}, uninterrupted {}, affinity {}, headroom {}, level {}, cost {}",
                scores.margin, scores.uninterrupted, scores.affinity, scores.headroom, scores.level, scores.cost
            );
            let verdict = if it.meets_due { "available" } else { "available, late" };
            vec![it.team.as_str().into(), verdict.into(), it.total.to_string(), instant::or_dash(it.finish_at), shown]
        }
        Verdict::Rejected { team, filter, cleared_by, .. } => {
            vec![team.as_str().into(), format!("no: {}", filter.as_str()), "-".into(), "-".into(), cleared_by.clone()]
        }
    }
}
