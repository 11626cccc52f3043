"""The known bugs of the running daemon that the checker is held to: what is done to show each, and the promise it breaks."""

import time
from dataclasses import dataclass

import plans


@dataclass(frozen=True)
class Bug:
    """A bug by its name in `src/engine/planted.rs`; `steps` are delays that make what it does likelier."""

    name: str
    promise: str
    plan: callable
    steps: str = ""
    bound_mib: int = 600


def killed(count=6, within=1.5):
    """Ready, some load, and SIGKILL, a few times."""

    def plan(leg):
        for _ in range(count):
            leg.up()
            time.sleep(leg.rng.uniform(0.1, within))
            leg.kill()

    return plan


BUGS = [
    Bug("ack-before-commit", "P1", killed(), "write=sleep(150)"),
    Bug("update-forgotten", "P1", plans.none),
    Bug("repeat-done-again", "P2", plans.none),
    Bug("mark-before-confirm", "P3", killed(), "publish=sleep(1000)"),
    Bug("publish-dropped", "P3", plans.none),
    Bug("watermark-one-too-high", "P3", killed(), "publish=sleep(600)"),
    Bug("new-id-for-a-second-copy", "P3", killed()),
    Bug("new-bytes-for-a-second-copy", "P3", killed()),
    Bug("warning-a-millisecond-early", "P4", plans.none),
    Bug("timers-in-memory-only", "P4", killed(3)),
    Bug("lateness-not-told", "P4", killed(3)),
    Bug("publish-before-commit", "P7", killed(3), "write=sleep(200)"),
    Bug("memory-kept", "P9", plans.none, bound_mib=400),
    Bug("walls-not-asked", "P11", plans.wall_raised),
    Bug("payload-in-the-log", "P12", plans.none),
]
