//! What a test build is told by its environment: which known bug it has, and at which steps it fails.
//!
//! `HELIOGRAPH_PLANTED` names a bug of [`crate::engine::planted`], `FAILPOINTS` the steps and what happens there. Without the
//! features `planted` and `failpoints`, which no released program has, nothing is read.

/// Plants what the environment names, for as long as the process lives.
///
/// # Errors
/// What is wrong with the environment.
pub fn of_environment() -> Result<(), String> {
    #[cfg(feature = "planted")]
    if let Ok(name) = std::env::var("HELIOGRAPH_PLANTED")
        && !crate::engine::planted::plant_everywhere(&name)
    {
        return Err(format!("HELIOGRAPH_PLANTED is {name:?}, which is no known bug; see src/engine/planted.rs"));
    }
    // What it gives would take the steps back when it is dropped.
    #[cfg(feature = "failpoints")]
    std::mem::forget(fail::FailScenario::setup());
    Ok(())
}
