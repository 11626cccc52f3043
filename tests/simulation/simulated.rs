//! What a simulation is made of, and one run of it.

mod audit;
mod book;
mod case;
mod dice;
mod firm;
mod hours;
mod observer;
mod rules;
mod world;

use std::time::Instant;

pub use world::{Load, World};

/// Runs a seed for so many steps and prints what was met.
#[expect(clippy::disallowed_methods, reason = "only to print how fast it was")]
pub fn simulate(seed: u64, steps: u64, days: i64, load: Load) -> World {
    println!("seed {seed}: {steps} steps, SEED={seed} EVENTS={steps} runs it again");
    let started = Instant::now();
    let mut world = World::new(seed, load);
    let until = world.until_days(days);
    world.run(steps, until);
    let (seconds, done) = (started.elapsed().as_secs_f64(), world.steps);
    let rate = done as f64 / seconds;
    println!(
        "seed {seed}: {done} steps over {} days in {seconds:.0} s, {rate:.0} a second, {}",
        world.days(),
        world.digest()
    );
    println!("{:?}", world.figures());
    world
}
