//! Known bugs that a test plants, one at a time and by name, to see that the tests catch them.
//!
//! Without the feature `planted`, which no released program has, [`planted`] is the constant `false` and nothing of this is
//! left in the program.

/// The name of each bug.
pub const BUGS: [&str; 34] = [
    "wall-not-asked",
    "consent-not-asked",
    "denied-country-allowed",
    "residency-not-asked",
    "presence-relaxed",
    "vetting-has-no-end",
    "admission-has-no-end",
    "skills-not-asked",
    "turn-down-forgotten",
    "drained-team-takes-new-work",
    "start-window-off-by-one",
    "seat-too-many",
    "urgent-reserve-for-all",
    "offer-lapses-over-lunch",
    "shift-end-is-a-turn-down",
    "warning-a-millisecond-early",
    "lateness-not-told",
    "pause-stops-no-clock",
    "pause-has-no-cap",
    "grace-in-a-closed-office",
    "pass-for-any-gain",
    "hand-offs-without-limit",
    "late-completion-at-any-time",
    "late-completion-after-progress",
    "opening-wakes-nobody",
    "deadline-not-due",
    "derived-deadline-not-due",
    "process-ends-with-its-first-step",
    "preferred-though-late",
    "past-counted-anew",
    "repeat-done-again",
    "conflict-without-wall",
    "closed-owner-has-no-reason",
    "hand-off-without-a-plan-check",
];

/// The name of each bug of what surrounds the engine; `tests/campaign` plants them, and some of the engine's, in a running
/// daemon.
pub const DAEMON_BUGS: [&str; 12] = [
    "ack-before-commit",
    "mark-before-confirm",
    "publish-before-commit",
    "publish-dropped",
    "watermark-one-too-high",
    "new-id-for-a-second-copy",
    "new-bytes-for-a-second-copy",
    "timers-in-memory-only",
    "walls-not-asked",
    "update-forgotten",
    "payload-in-the-log",
    "memory-kept",
];

#[cfg(feature = "planted")]
mod on {
    use std::cell::Cell;
    use std::sync::OnceLock;

    thread_local! {
        static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    static PLANTED_EVERYWHERE: OnceLock<&'static str> = OnceLock::new();

    /// Plants a bug in everything that runs in this process from now on; false when there is no bug of this name, or when
    /// one is planted already.
    #[must_use]
    pub fn plant_everywhere(name: &str) -> bool {
        let known = super::BUGS.iter().chain(&super::DAEMON_BUGS).find(|known| **known == name);
        known.is_some_and(|known| PLANTED_EVERYWHERE.set(known).is_ok())
    }

    /// Plants a bug in everything that runs on this thread from now on, or none.
    pub fn plant(name: Option<&'static str>) {
        PLANTED.set(name);
    }

    /// Whether a bug is planted.
    #[must_use]
    pub fn planted(name: &str) -> bool {
        assert!(super::BUGS.contains(&name) || super::DAEMON_BUGS.contains(&name), "{name} is not listed");
        PLANTED.get() == Some(name) || PLANTED_EVERYWHERE.get() == Some(&name)
    }
}

#[cfg(feature = "planted")]
pub use on::{plant, plant_everywhere, planted};

/// Whether a bug is planted: never.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn planted(_name: &str) -> bool {
    false
}
