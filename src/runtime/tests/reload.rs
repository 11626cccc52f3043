//! Rosters that come while the loop runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::http::{Health, NoPlan, RosterPlan};
use crate::roster::zones::ZoneSource;
use crate::wire::fact::FactSeq;

use super::super::clock::Clock;
use super::super::reload::{Apply, Ask, Reloader, ReloaderParts};
use super::bed::{Looped, Stored, plain, request, roster_text, soon, team};

/// A loop and a reloader with a roster file.
struct Watched {
    looped: Looped,
    asks: mpsc::Sender<Ask>,
    stop: CancellationToken,
    folder: tempfile::TempDir,
}

impl Watched {
    /// The loop's own roster stands in the file.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("roster.toml"), roster_text()).expect("a file");
        Self::at(folder, |folder| folder.join("roster.toml"))
    }

    fn at(folder: tempfile::TempDir, path: impl FnOnce(&Path) -> std::path::PathBuf) -> Self {
        let looped = Looped::new(Stored::new(), Clock::real(), plain);
        let (asks, asked) = mpsc::channel(1);
        let reloader = Reloader::new(ReloaderParts {
            path: Some(path(folder.path())),
            zones: ZoneSource::Bundled,
            fault: None,
            asks: asked,
            intake: looped.intake.clone(),
            links: None,
            in_force: looped.in_force.clone(),
            clock: Arc::clone(&looped.clock),
            metrics: Arc::clone(&looped.metrics),
            status: Arc::clone(&looped.status),
        });
        let stop = CancellationToken::new();
        tokio::spawn(reloader.run(stop.clone()));
        Self { looped, asks, stop, folder }
    }

    /// Puts a text in the place of the file, whole.
    fn put(&self, text: &str) {
        let (next, file) = (self.folder.path().join("next"), self.folder.path().join("roster.toml"));
        fs::write(&next, text).expect("a file");
        fs::rename(next, file).expect("in its place");
    }

    async fn ask(&self, text: String, apply: Option<Apply>) -> Result<RosterPlan, NoPlan> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask { text, apply, reply }).await.expect("it runs");
        soon(answer).await.expect("it answers")
    }

    fn has_team(&self, id: &str) -> bool {
        self.looped.in_force.roster().team_index(&team(id)).is_some()
    }

    /// Waits until the detail of the roster's check says something.
    async fn until(&self, says: impl Fn(&str) -> bool) -> String {
        soon(async {
            loop {
                let Health { checks, .. } = self.looped.status.health();
                let check = checks.into_iter().find(|check| check.name == "roster").expect("it is checked");
                if says(&check.detail) {
                    return check.detail;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// What the gauge of the last reload shows.
    fn succeeded(&self) -> bool {
        self.looped.metrics.render().lines().any(|line| line == "heliograph_roster_last_reload_successful 1")
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.looped.end().await;
    }
}

/// The loop's roster with one more team, a copy of the first one.
fn with_team(id: &str) -> String {
    let text = roster_text();
    let start = text.find("[[teams]]").expect("a team");
    let end = text[start + 1..].find("\n[[").map_or(text.len(), |end| start + 1 + end);
    let entry: Vec<_> = text[start..end]
        .lines()
        .map(|line| match line {
            line if line.starts_with("id =") => format!("id = \"{id}\""),
            line if line.starts_with("broker_user") => format!("broker_user = \"{id}\""),
            line => line.to_owned(),
        })
        .collect();
    format!("{text}\n{}\n", entry.join("\n"))
}

#[tokio::test]
async fn a_changed_file_comes_into_force_whole_and_every_reader_follows() {
    let watched = Watched::new();
    assert!(!watched.has_team("cork"));
    watched.put(&with_team("cork"));
    let digest = crate::roster::digest(&with_team("cork"));
    watched.until(|detail| detail.starts_with(&*digest.0)).await;
    soon(async {
        while !watched.has_team("cork") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(watched.looped.in_force.mailbox(&team("cork")).is_some());
    watched.end().await;
}

#[tokio::test]
async fn a_faulty_half_written_or_missing_file_leaves_the_last_good_one_in_force_until_it_is_mended() {
    let watched = Watched::new();
    let whole = roster_text();
    let before = watched.looped.in_force.roster().digest.clone();
    let half = whole.find("capabilities = [").expect("a list") + "capabilities = [".len();
    watched.put(&whole[..half]);
    let detail = watched.until(|detail| detail.contains("is not")).await;
    assert!(detail.starts_with(&*before.0), "{detail}");
    assert!(!watched.succeeded());
    fs::remove_file(watched.folder.path().join("roster.toml")).expect("removed");
    watched.until(|detail| detail.contains("cannot be read")).await;
    watched.put(&whole);
    let detail = watched.until(|detail| !detail.contains("is not")).await;
    assert!(detail.starts_with(&*before.0) && watched.succeeded(), "{detail}");
    watched.end().await;
}

#[tokio::test]
async fn a_folder_that_is_swapped_behind_its_link_comes_into_force() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("one", roster_text()), ("two", with_team("cork"))] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
        fs::write(folder.path().join(name).join("roster.toml"), text).expect("a file");
    }
    symlink("one", folder.path().join("current")).expect("a link");
    let watched = Watched::at(folder, |folder| folder.join("current/roster.toml"));
    watched.until(|_| watched.succeeded()).await;
    symlink("two", watched.folder.path().join("next")).expect("a link");
    fs::rename(watched.folder.path().join("next"), watched.folder.path().join("current")).expect("swapped");
    watched.until(|_| watched.has_team("cork")).await;
    watched.end().await;
}

#[tokio::test]
async fn bytes_that_were_in_force_before_come_back_only_when_they_are_forced() {
    let watched = Watched::new();
    let old = with_team("cork");
    let apply = |check_index: u64, forced| Some(Apply { check_index: FactSeq(check_index), forced });
    let first = watched.ask(old.clone(), apply(0, false)).await.expect("a plan");
    assert!(first.applied, "{first:?}");
    let second = watched.ask(with_team("oslo"), apply(first.check_index, false)).await.expect("a plan");
    assert!(second.applied, "{second:?}");
    let refused = watched.ask(old.clone(), apply(second.check_index, false)).await.expect("a plan");
    assert_eq!(refused.refused.map(|it| it.code), Some("earlier".into()));
    assert!(watched.has_team("oslo"));
    let forced = watched.ask(old, apply(second.check_index, true)).await.expect("a plan");
    assert!(forced.applied && watched.has_team("cork") && !watched.has_team("oslo"));
    watched.end().await;
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_is_not_applied_once_something_has_changed() {
    let watched = Watched::new();
    let plan = watched.ask(with_team("cork"), None).await.expect("a plan");
    assert!(!plan.applied && !watched.has_team("cork"));
    assert_eq!(plan.changes.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["cork"]);
    let apply = |check_index| Some(Apply { check_index: FactSeq(check_index), forced: false });
    assert!(watched.ask(with_team("oslo"), apply(plan.check_index)).await.expect("a plan").applied);
    let late = watched.ask(with_team("cork"), apply(plan.check_index)).await.expect("a plan");
    assert_eq!(late.refused.map(|it| it.code), Some("moved".into()));
    assert!(watched.has_team("oslo") && !watched.has_team("cork"));
    watched.end().await;
}

#[tokio::test]
async fn a_team_that_has_work_is_not_removed_and_its_task_is_named() {
    let watched = Watched::new();
    let answer = watched.looped.call(request("one")).await;
    soon(answer).await.expect("admitted");
    let text = roster_text().replace("thames-llp", "tiber-llp");
    let plan = watched.ask(text, None).await.expect("a plan");
    let refusal = plan.refused.expect("it is in use");
    assert_eq!((refusal.code.as_str(), refusal.missing.len()), ("in_use", 1));
    assert_eq!(refusal.missing[0].needs, "client thames-llp");
    watched.end().await;
}

#[tokio::test]
async fn a_file_that_lacks_what_a_task_needs_comes_into_force_when_the_task_has_ended() {
    let watched = Watched::new();
    let answer = watched.looped.call(request("one")).await;
    soon(answer).await.expect("admitted");
    watched.put(&roster_text().replace("thames-llp", "tiber-llp"));
    let detail = watched.until(|detail| detail.contains("needs client")).await;
    assert!(detail.contains("thames-llp/one needs client thames-llp"), "{detail}");
    watched.looped.cancel("one").await;
    watched.until(|detail| !detail.contains("needs client")).await;
    assert!(watched.looped.in_force.roster().clients.keys().any(|client| client.as_str() == "tiber-llp"));
    watched.end().await;
}
