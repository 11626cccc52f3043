"""The row `clock`: the wall clock is set, by little and by much; what is too much stops decisions until it ends."""

import time

import committed

SLEWED_MS = 2_000
STEPS_MS = (500, -500, 1_900, 3_000, -3_000, 60_000, -60_000, 3_600_000, -3_600_000, 86_400_000)
# It is compared once a second.
NOTICED_WITHIN_SECONDS = 4
WATCHED_FOR_SECONDS = 0.6


def plan(count):
    """So many steps, each taken back; every tenth is met by a restart."""

    def run(leg):
        leg.up()
        for number in range(count):
            ahead_ms = leg.rng.choice(STEPS_MS)
            leg.wall.write_text(str(ahead_ms))
            if abs(ahead_ms) > SLEWED_MS:
                _is_stopped(leg, ahead_ms)
                if number % 10 == 9:
                    leg.kill()
                    leg.wall.write_text("0")
                    leg.up()
            else:
                time.sleep(1.2)
                if leg.daemon.status("/readyz") != 200:
                    leg.daemon.ended_itself.append(f"a step of {ahead_ms} ms stops it")
            leg.wall.write_text("0")
            _await(leg, 200, f"{ahead_ms} ms are over")
        leg.figures["steps"] = count

    return run


def _is_stopped(leg, ahead_ms):
    """Readiness says so, and nothing is decided meanwhile."""
    _await(leg, 503, f"{ahead_ms} ms")
    time.sleep(0.1)  # what was being written is written
    before = committed.known(leg.daemon.store)[2]
    time.sleep(WATCHED_FOR_SECONDS)
    after = committed.known(leg.daemon.store)[2]
    if after != before:
        leg.daemon.ended_itself.append(f"{after - before} facts were decided while the clock was {ahead_ms} ms off")


def _await(leg, status, what):
    deadline = time.monotonic() + NOTICED_WITHIN_SECONDS
    while leg.daemon.status("/readyz") != status:
        if time.monotonic() > deadline:
            leg.daemon.ended_itself.append(f"/readyz does not say {status} after {what}: {leg.daemon.text('/readyz')[:300]}")
            return
        time.sleep(0.05)
