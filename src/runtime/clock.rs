//! The only place that reads time.
//!
//! Engine time is the wall clock at start, advanced by the time since boot (which counts suspended time), times a
//! speed that only `demo` and test builds set. Against the wall clock it is slewed by at most 500 ppm while they differ
//! by up to two seconds; a larger difference is a step, which stops timers until it ends or a restart accepts it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The largest difference from the wall clock that is slewed away, in milliseconds.
pub const MAX_SLEWED_MS: i64 = 2_000;

/// How much a correction moves the clock at most, in parts per million of the time since the last one.
pub const SLEW_PPM: i64 = 500;

/// Engine time.
#[derive(Debug)]
pub struct Clock {
    base: DateTime<Utc>,
    booted_base: Duration,
    speed: u32,
    /// Whether it is the wall clock, which it then keeps to.
    follows_wall: bool,
    /// What slewing has added, in microseconds.
    slewed_us: AtomicI64,
    /// The file in which a test states by how many milliseconds the wall clock is ahead.
    #[cfg(feature = "test-clock")]
    wall_ahead: Option<std::path::PathBuf>,
    /// The latest instant that was told, in milliseconds since 1970; it is never gone behind, whatever is slewed.
    latest_ms: AtomicI64,
}

/// How engine time stands to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Wall clock less engine time.
    pub wall_ahead: TimeDelta,
    /// Whether it is too large to be slewed away.
    pub stepped: bool,
}

impl Clock {
    /// The wall clock from now on.
    #[must_use]
    pub fn real() -> Self {
        Self { follows_wall: true, ..Self::starting(wall(), 1) }
    }

    /// The clock of `serve`: the wall clock. Built with the feature `test-clock`, `HELIOGRAPH_TEST_CLOCK` (an RFC 3339
    /// instant, a comma and a speed) gives another start and speed. With a comma and seconds since boot behind that, the
    /// instant was then, so that a process that is started again goes on with the same clock. `HELIOGRAPH_TEST_WALL` names
    /// a file that says by how many milliseconds the wall clock is ahead of it.
    ///
    /// # Errors
    /// What is wrong with the variable.
    pub fn of_environment() -> Result<Self, String> {
        #[cfg(feature = "test-clock")]
        if let Ok(text) = std::env::var("HELIOGRAPH_TEST_CLOCK") {
            let fault = || format!("HELIOGRAPH_TEST_CLOCK is {text:?}; give an RFC 3339 instant, a comma and a speed");
            let (base, rest) = text.split_once(',').ok_or_else(fault)?;
            let base = DateTime::parse_from_rfc3339(base).map_err(|_| fault())?;
            let (speed, origin) = rest.split_once(',').map_or((rest, None), |(speed, origin)| (speed, Some(origin)));
            let mut clock = Self::starting(base.to_utc(), speed.parse().map_err(|_| fault())?);
            if let Some(origin) = origin {
                let seconds = origin.parse().map_err(|_| fault())?;
                clock.booted_base = Duration::try_from_secs_f64(seconds).map_err(|_| fault())?;
            }
            clock.wall_ahead = std::env::var_os("HELIOGRAPH_TEST_WALL").map(Into::into);
            return Ok(clock);
        }
        Ok(Self::real())
    }

    /// A clock that starts at `base` and runs `speed` times as fast as the real one, whatever the wall clock says.
    #[must_use]
    pub fn starting(base: DateTime<Utc>, speed: u32) -> Self {
        Self {
            base,
            booted_base: since_boot(),
            speed: speed.max(1),
            follows_wall: false,
            slewed_us: AtomicI64::new(0),
            #[cfg(feature = "test-clock")]
            wall_ahead: None,
            latest_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Engine time, in whole milliseconds, never going back.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let read = self.read();
        let read_ms = read.timestamp_millis();
        let latest_ms = self.latest_ms.fetch_max(read_ms, Ordering::Relaxed).max(read_ms);
        DateTime::from_timestamp_millis(latest_ms).unwrap_or(read)
    }

    /// Engine time goes on from this instant at the earliest: it stands still until the clock has reached it.
    pub fn not_before(&self, at: DateTime<Utc>) {
        self.latest_ms.fetch_max(at.timestamp_millis(), Ordering::Relaxed);
    }

    /// What the clock reads, which a correction may set back by less than a millisecond.
    fn read(&self) -> DateTime<Utc> {
        let elapsed = since_boot().saturating_sub(self.booted_base) * self.speed;
        let elapsed_us = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let slewed_us = self.slewed_us.load(Ordering::Relaxed);
        self.base + TimeDelta::milliseconds(elapsed_us.saturating_add(slewed_us).div_euclid(1_000))
    }

    /// How much real time passes until engine time is `at`; zero when it has passed.
    #[must_use]
    pub fn until(&self, at: DateTime<Utc>) -> Duration {
        let engine = (at - self.now()).to_std().unwrap_or_default();
        // A millisecond more, since engine time is cut to whole ones and a timer must never be early.
        if engine.is_zero() { engine } else { engine / self.speed + Duration::from_millis(1) }
    }

    /// How many times as fast as the real clock it runs.
    #[must_use]
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// How it runs, in words.
    #[must_use]
    pub fn description(&self) -> String {
        if self.follows_wall {
            return "follows the wall clock".into();
        }
        let base = self.base.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("started at {base} and runs {} times as fast as the wall clock, whatever that shows", self.speed)
    }

    /// Compares with the wall clock and slews; to be called about once in `every`. A clock with a start of its own has
    /// no wall clock to follow.
    pub fn correct(&self, every: Duration) -> Difference {
        #[cfg(feature = "test-clock")]
        if let Some(ahead) = self.wall_ahead.as_ref().and_then(|file| std::fs::read_to_string(file).ok()) {
            let ahead_ms = ahead.trim().parse().unwrap_or(0);
            return self.compare(self.read() + TimeDelta::milliseconds(ahead_ms), every);
        }
        if !self.follows_wall {
            return Difference { wall_ahead: TimeDelta::zero(), stepped: false };
        }
        self.compare(wall(), every)
    }

    fn compare(&self, wall: DateTime<Utc>, every: Duration) -> Difference {
        let wall_ahead = wall - self.read();
        let stepped = wall_ahead.num_milliseconds().abs() > MAX_SLEWED_MS;
        if !stepped {
            let most_us = i64::try_from(every.as_micros()).unwrap_or(0) * SLEW_PPM / 1_000_000;
            let wanted_us = wall_ahead.num_microseconds().unwrap_or(0);
            self.slewed_us.fetch_add(wanted_us.clamp(-most_us, most_us), Ordering::Relaxed);
        }
        Difference { wall_ahead, stepped }
    }
}

#[cfg(test)]
impl Clock {
    /// Sets the wall clock against this one.
    pub fn step_wall(&self, by: TimeDelta) {
        self.slewed_us.fetch_sub(by.num_microseconds().unwrap_or(0), Ordering::Relaxed);
    }
}

/// The wall clock, in whole milliseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this file is the runtime's clock")]
pub fn wall() -> DateTime<Utc> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

/// Time since boot, suspended time included.
fn since_boot() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(at.tv_sec).unwrap_or(0), u32::try_from(at.tv_nsec).unwrap_or(0))
}

/// A stopwatch for durations in metrics.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Duration);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        Self(since_boot())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        since_boot().saturating_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_starts_at_its_base_and_waits_for_less() {
        let base = DateTime::parse_from_rfc3339("2026-11-24T08:58:00Z").unwrap().to_utc();
        let clock = Clock::starting(base, 60);
        assert!(clock.now() >= base && clock.now() < base + TimeDelta::minutes(10));
        let wait = clock.until(base + TimeDelta::hours(1));
        assert!(wait <= Duration::from_millis(60_001), "{wait:?}");
        assert_eq!(clock.until(base - TimeDelta::seconds(1)), Duration::ZERO);
    }

    #[test]
    fn a_clock_tells_whether_it_follows_the_wall_clock_or_what_else_it_does() {
        let base = DateTime::parse_from_rfc3339("2026-11-24T13:30:00Z").unwrap().to_utc();
        assert_eq!(Clock::real().description(), "follows the wall clock");
        let fast = Clock::starting(base, 60).description();
        assert_eq!(
            fast,
            "started at 2026-11-24T13:30:00Z and runs 60 times as fast as the wall clock, whatever that shows"
        );
    }

    #[test]
    fn a_clock_with_a_start_of_its_own_never_steps() {
        let base = DateTime::parse_from_rfc3339("2026-11-24T03:00:00Z").unwrap().to_utc();
        let difference = Clock::starting(base, 1).correct(Duration::from_secs(1));
        assert_eq!(difference, Difference { wall_ahead: TimeDelta::zero(), stepped: false });
    }

    #[test]
    fn a_small_difference_is_slewed_by_500_ppm_and_no_more() {
        let clock = Clock::real();
        let slewed = || clock.slewed_us.load(Ordering::Relaxed);
        let ahead = clock.compare(clock.read() + TimeDelta::milliseconds(1_500), Duration::from_secs(1));
        assert!(!ahead.stepped && slewed() == 500, "{ahead:?} {}", slewed());
        let behind = clock.compare(clock.read() - TimeDelta::milliseconds(1_500), Duration::from_secs(4));
        assert!(!behind.stepped && slewed() == 500 - 2_000, "{behind:?} {}", slewed());
    }

    #[test]
    fn a_difference_over_two_seconds_is_a_step_and_moves_nothing() {
        let clock = Clock::real();
        for by_ms in [3_600_000, -3_600_000, 2_500, -2_500] {
            let difference = clock.compare(clock.read() + TimeDelta::milliseconds(by_ms), Duration::from_secs(1));
            assert!(difference.stepped, "{by_ms}: {difference:?}");
        }
        assert_eq!(clock.slewed_us.load(Ordering::Relaxed), 0);
        assert!(!clock.compare(clock.read(), Duration::from_secs(1)).stepped, "it ends when the difference does");
    }

    #[test]
    fn time_never_goes_back_when_it_is_slewed_back() {
        let clock = Clock::real();
        let mut last = clock.now();
        for _ in 0..2_000 {
            clock.compare(clock.read() - TimeDelta::milliseconds(1_900), Duration::from_secs(1));
            let now = clock.now();
            assert!(now >= last, "{last} then {now}");
            last = now;
        }
    }

    #[test]
    fn time_stands_still_until_it_passes_what_is_on_disk() {
        let base = DateTime::parse_from_rfc3339("2026-11-24T03:00:00Z").unwrap().to_utc();
        let clock = Clock::starting(base, 1);
        let last = base + TimeDelta::hours(1);
        clock.not_before(last);
        assert_eq!((clock.now(), clock.now()), (last, last));
    }

    #[test]
    fn the_real_clock_follows_the_wall_clock_without_a_step() {
        let difference = Clock::real().correct(Duration::from_secs(1));
        assert!(!difference.stepped && difference.wall_ahead.num_milliseconds().abs() < 1_000, "{difference:?}");
    }
}
