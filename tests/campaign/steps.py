"""The row `steps`: at each step of the daemon it ends, fails or waits; and it ends again while it recovers.

`POINTS` repeats the failpoints of the sources, with what a failure there must come to: `exit` (nothing is acknowledged or
published any more, and the process ends), `link` (the link is built anew) or `start` (it does not start).
"""

import re
import time

from daemon_process import ROOT

POINTS = {
    "deliver": "link",
    "parse": "exit",
    "decide": "exit",
    "begin": "exit",
    "write": "exit",
    "commit": "exit",
    "committed": "exit",
    "settle": "exit",
    "ack": "link",
    "acked": "link",
    "hand-over": "exit",
    "publish": "exit",
    "confirm": "link",
    "confirmed": "exit",
    "mark": "exit",
    "fire": "exit",
    "fired": "exit",
    "recover": "start",
    "opened": "start",
    "recovered": "start",
    "restored": "start",
}
RECOVERING = [point for point, end in POINTS.items() if end == "start"]
# These have no way to fail but to panic.
PANICS = {"mark", "fire", "fired"}
ACTIONS = ("abort", "error", "delay")
DELAY_MS = 400
PASSES_AT_MOST = 12
ENDS_WITHIN_SECONDS = 25
READY_STATUS = 200


def points_in_sources():
    """The failpoints that are compiled in."""
    found = set()
    for file in (ROOT / "src").rglob("*.rs"):
        found |= set(re.findall(r'failpoint!\(\s*"([a-z-]+)"', file.read_text()))
    return found


def matrix():
    """Every point with every action."""
    return [(point, action) for point in POINTS for action in ACTIONS]


def plan(cells):
    """Goes through cells of the matrix, each in a life of its own; half of the recoveries are ended once more."""

    def run(leg):
        leg.figures["second_crashes"] = 0
        for point, action in cells:
            leg.kill()
            leg.fault(f"{point} {action}")
            leg.daemon.steps = f"{point}={_told(point, action, leg.rng)}"
            leg.daemon.start()
            _await_end(leg, point, action)
            leg.fault("cell")
            leg.daemon.steps = ""
            if leg.rng.random() < 0.5:
                _end_recovery(leg)
            leg.up()

    return run


def _told(point, action, rng):
    passes = "" if POINTS[point] == "start" else f"{rng.randint(0, PASSES_AT_MOST)}*off->"
    if action == "delay":
        return f"{passes}3*sleep({DELAY_MS})"
    if action == "abort":
        return f"{passes}return(abort)"
    return f"{passes}1*panic" if point in PANICS else f"{passes}1*return"


def _await_end(leg, point, action):
    """What the cell must come to; a cell that comes to something else is a violation."""
    must_end = action == "abort" or action == "error" and POINTS[point] != "link"
    if must_end:
        code = leg.daemon.await_end(ENDS_WITHIN_SECONDS)
        if code is None:
            answers = leg.daemon.status("/readyz")
            leg.daemon.ended_itself.append(f"it did not end at {point} ({action}); /readyz says {answers}")
            leg.kill()
        elif code == 0:
            leg.daemon.ended_itself.append(f"it ended with 0 at {point} ({action})")
        return
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    time.sleep(DELAY_MS / 1000)
    while leg.daemon.is_running() and leg.daemon.status("/readyz") != READY_STATUS:
        if time.monotonic() > deadline:
            leg.daemon.ended_itself.append(f"it is not ready again after {point} ({action})")
            return
        time.sleep(0.1)


def _end_recovery(leg):
    """A crash while the daemon recovers from the one before."""
    leg.kill()
    leg.fault("second crash")
    leg.figures["second_crashes"] += 1
    leg.daemon.steps = f"{leg.rng.choice(RECOVERING)}=return(abort)"
    leg.daemon.start()
    if leg.daemon.await_end(ENDS_WITHIN_SECONDS) is None:
        leg.daemon.ended_itself.append(f"it recovered in spite of {leg.daemon.steps}")
    leg.daemon.steps = ""
