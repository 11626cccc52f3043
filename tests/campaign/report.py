"""The rows' sections of docs/campaign.md: each says of which commit it is, and stays until its row is run again."""

import os
import platform
import re
import subprocess
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/campaign.md"
# What a result is of: another page of the docs leaves it as it is.
JUDGED = ("src", "tests/campaign", "tests/bed", "Cargo.toml", "Cargo.lock")
HEAD = """# The fault campaign

Each section is one row of the campaign as it was run last: `make campaign ROW=<row>`, which goes on where the last call
stopped and never runs a leg that failed again. Floors are what a row has to reach; `0 violations` is what the checker of
`tests/campaign` found over everything that was sent, committed and received.
"""


def commit():
    """The last commit that changed the daemon or the campaign, and whether what is checked out differs from it."""
    run = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    last = run("git", "log", "-1", "--format=%h", "--abbrev=12", "--", *JUDGED)
    return last + ("-changed" if run("git", "status", "--porcelain", "--untracked-files=no", "--", *JUDGED) else "")


def machine():
    """Cores and memory, without a name."""
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    kernel = platform.release().split("-")[0]
    return f"{os.cpu_count()} cores, {memory / 1024 / 1024:.0f} GiB, Linux {kernel}"


def versions():
    """What it ran against."""
    server = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "rabbitmq-server"], capture_output=True, text=True).stdout
    return f"RabbitMQ {server or 'unknown'}, Python {platform.python_version()}, development build of the daemon"


def write(name, row, state):
    """Puts the section of a row in its place."""
    if not state.legs:
        return
    violations = [it for leg in state.legs for it in leg["violations"]]
    ended = "failed" if violations else "reached" if state.reaches(row.floor) else "not reached yet"
    figures, worst = state.figures(), state.worst()
    lines = [
        f"## {name}",
        "",
        f"{row.about} ({row.promises}).",
        "",
        f"- {date.today()}, commit {state.commit}, {machine()}, {versions()}",
        f"- floor: {listed(row.floor)}: {ended}",
        f"- {len(state.legs)} legs, seeds {state.legs[0]['seed']} to {state.legs[-1]['seed']}, "
        f"{sum(leg['seconds'] for leg in state.legs) / 60:.0f} minutes",
        f"- {listed(figures)}",
        f"- at most: {listed(worst)}",
        *(f"- {name}: {spread(measured)}" for name, measured in state.samples().items()),
        *(f"- {note}" for leg in state.legs for note in leg["notes"]),
        f"- {len(violations)} violations" + "".join(f"\n  - {it}" for it in violations[:10]),
    ]
    before = sections()
    before[name] = "\n".join(lines) + "\n"
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join([HEAD, *before.values()]))


def sections():
    """The sections that stand, by row."""
    if not PAGE.exists():
        return {}
    parts = re.split(r"^(?=## )", PAGE.read_text(), flags=re.M)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.strip() + "\n" for part in parts}


def spread(measured):
    """The middle, the 99th of a hundred and the largest of what was measured, which is in order."""
    at = lambda part: measured[min(len(measured) - 1, int(part * len(measured)))]
    return f"median {at(0.5)}, 99th percentile {at(0.99)}, most {measured[-1]}, of {len(measured)}"


def listed(figures):
    """Figures in words."""
    return ", ".join(f"{count:,} {name}" if isinstance(count, int) else f"{count} {name}" for name, count in figures.items())
