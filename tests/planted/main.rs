//! Do the tests catch what they are for? Each known bug of the engine is planted by name and must be caught, by a story
//! when one tells of its rule, else by the simulation. With none planted both are content; their own tests show that.

#[path = "../simulation/simulated.rs"]
mod simulated;
#[path = "../scenarios/stories.rs"]
mod stories;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use heliograph::engine::planted::{BUGS, plant};
use libtest_mimic::{Arguments, Failed, Trial};

/// How many steps of a simulation, of each of two seeds, a bug may hide in.
const STEPS: u64 = 30_000;
/// Few seats, which are fought for.
const LOAD: simulated::Load = simulated::Load { hourly: 25, all_seats: false };

fn main() -> ExitCode {
    // A bug that is caught by a panic is what is wanted; its message is told in one line.
    panic::set_hook(Box::new(|_| {}));
    let mut trials: Vec<Trial> = BUGS.iter().map(|name| Trial::test(*name, move || is_caught(name))).collect();
    trials.push(Trial::test("nothing-planted-is-nothing-caught", nothing_is_caught));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn is_caught(name: &'static str) -> Result<(), Failed> {
    plant(Some(name));
    let caught = by_a_story().or_else(by_the_simulation);
    plant(None);
    match caught {
        Some(by) => {
            println!("{name} is caught by {by}");
            Ok(())
        }
        None => Err(format!("{name} is caught by nothing").into()),
    }
}

fn nothing_is_caught() -> Result<(), Failed> {
    match by_a_story() {
        Some(by) => Err(format!("nothing is planted, and it is caught by {by}").into()),
        None => Ok(()),
    }
}

/// The first story that does not end as it is told.
fn by_a_story() -> Option<String> {
    stories::files().into_iter().find_map(|path| {
        let played = panic::catch_unwind(AssertUnwindSafe(|| stories::play(&path)));
        let name = || path.file_stem().expect("a name").to_string_lossy().into_owned();
        (!matches!(played, Ok(Ok(())))).then(|| format!("the story {}", name()))
    })
}

fn by_the_simulation() -> Option<String> {
    (1..=2).find_map(|seed| {
        let run = panic::catch_unwind(AssertUnwindSafe(|| simulated::simulate(seed, STEPS, 365, LOAD)));
        run.err().map(|why| {
            let text = why.downcast_ref::<String>().map_or("a panic", String::as_str);
            format!("the simulation of seed {seed}: {}", text.lines().next().unwrap_or_default())
        })
    })
}
