#!/usr/bin/env python3
"""Runs one row of the campaign up to its floor: `python3 tests/campaign/campaign.py kill`.

What was reached is kept under target/campaign/ROW for the commit that is checked out, so that another call goes on. A leg
that is not content is never run again: the row has failed for this commit, and its folder is kept. The row's section of
docs/campaign.md is written anew at each end. Exit codes: 0 the floor is reached, 1 failed, 3 there is more to do.
"""

import argparse
import json
import logging
import sys
import time
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/bed"), str(ROOT / "tests/campaign")]

import report
from node import RabbitNode
from rows import ROWS

RUN_FOR_MINUTES = 38
FIRST_SEED = 1


def main():
    parser = argparse.ArgumentParser(description="runs one row of the fault campaign")
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--minutes", type=float, default=RUN_FOR_MINUTES, help="how long at most")
    arguments = parser.parse_args()
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # each refused connection is several lines there
    row, state = ROWS[arguments.row], State(arguments.row)
    deadline = time.monotonic() + 60 * arguments.minutes
    longest = 0.0
    with nullcontext() if row.own_nodes else RabbitNode() as node:
        while not state.has_failed() and not state.reaches(row.floor) and time.monotonic() + longest < deadline:
            began = time.monotonic()
            outcome = row.leg(node, state.next_seed(), False)
            longest = max(longest, time.monotonic() - began)
            state.add(outcome, longest)
            print(f"leg {len(state.legs)}: {state.figures()} worst {state.worst()}", flush=True)
    report.write(arguments.row, row, state)
    if state.has_failed():
        for violation in state.legs[-1]["violations"][:20]:
            print(violation, file=sys.stderr)
        print(f"failed; seed {state.legs[-1]['seed']}, left in {state.legs[-1]['folder']}", file=sys.stderr)
        return 1
    if not state.reaches(row.floor):
        print(f"{state.figures()} of {row.floor}; call it again to go on")
        return 3
    return 0


class State:
    """The legs of a row for one commit, in a file."""

    def __init__(self, row):
        self.commit = report.commit()
        self._file = ROOT / "target/campaign" / row / f"{self.commit}.json"
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self.legs = json.loads(self._file.read_text()) if self._file.exists() else []

    def next_seed(self):
        """Each leg has its own."""
        return FIRST_SEED + len(self.legs)

    def add(self, outcome, seconds):
        """Keeps a leg."""
        self.legs.append({"seed": self.next_seed(), "seconds": round(seconds, 1), **vars(outcome)})
        self._file.write_text(json.dumps(self.legs, indent=1))

    def has_failed(self):
        """Whether some leg was not content."""
        return any(leg["violations"] for leg in self.legs)

    def figures(self):
        """What the legs add up to."""
        return {name: sum(leg["figures"].get(name, 0) for leg in self.legs) for name in self._names("figures")}

    def worst(self):
        """The largest of each."""
        return {name: max(leg["worst"].get(name, 0) for leg in self.legs) for name in self._names("worst")}

    def reaches(self, floor):
        """Whether the floor is reached."""
        figures = self.figures()
        return all(figures.get(name, 0) >= count for name, count in floor.items())

    def _names(self, of):
        return dict.fromkeys(name for leg in self.legs for name in leg[of])


if __name__ == "__main__":
    sys.exit(main())
