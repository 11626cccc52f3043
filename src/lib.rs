//! Heliograph: a follow-the-sun task scheduler daemon for legal process outsourcing.
//!
//! Each layer imports only what is to its right; `tests/layers.rs` holds the arrows:
//!
//! ```text
//! main -> cli -> runtime -> { broker | http | store | telemetry | simulate } -> { wire | settings | roster } -> engine
//! ```

/// A step at which a test can end, fail or delay the program: `FAILPOINTS="<step>=<action>"` in the environment. `return`
/// makes the step fail with the error given here (a step without one can only be made to panic), `return(abort)` ends the
/// process at once, `sleep(<ms>)` delays it. Without the feature `failpoints` nothing of it is left in the program.
#[cfg(feature = "failpoints")]
macro_rules! failpoint {
    ($step:literal) => {
        let _ = fail::eval($step, |told| {
            if told.as_deref() == Some("abort") {
                std::process::abort()
            }
        });
    };
    ($step:literal, $error:expr) => {
        if fail::eval($step, |told| {
            if told.as_deref() == Some("abort") {
                std::process::abort()
            }
        })
        .is_some()
        {
            return Err($error);
        }
    };
}

#[cfg(not(feature = "failpoints"))]
macro_rules! failpoint {
    ($step:literal $(, $error:expr)?) => {};
}

pub mod broker;
pub mod cli;
pub mod engine;
pub mod http;
pub mod roster;
pub mod runtime;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod wire;
