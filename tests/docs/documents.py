"""Reads the `sh` blocks out of Markdown and runs them as a reader would, from the top of the repository."""

import os
import queue
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"target", ".git", ".venv", "node_modules"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LANGUAGES = {"sh", "text", "json", "toml"}
ENDS_WITHIN_SECONDS = 120
LISTENS_WITHIN_SECONDS = 600


class BlockFailed(AssertionError):
    """A block that did not do what its document says, with what it printed."""


@dataclass(frozen=True)
class Block:
    """A block and where it stands."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.document}:{self.line}"


def documents(root=ROOT):
    """Every Markdown file of the repository."""
    found = (path.relative_to(root) for path in root.rglob("*.md"))
    return sorted(path for path in found if not NOT_OURS & set(path.parts))


def blocks(document, text):
    """Every fenced block of a document's text."""
    return [
        Block(str(document), text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCE.finditer(text)
    ]


def all_blocks(root=ROOT):
    """Every `sh` block of every document; a language that nobody runs or knows to be shown only raises BlockFailed."""
    found = [block for document in documents(root) for block in blocks(document, (root / document).read_text())]
    for block in found:
        if block.language not in LANGUAGES:
            raise BlockFailed(f"{block}: language {block.language!r}; use one of {sorted(LANGUAGES)}")
    return [block for block in found if block.language == "sh"]


def run(text, environment):
    """Runs a block to its end; returns its stdout."""
    command = _command(text, ENDS_WITHIN_SECONDS)
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise BlockFailed(f"exit {done.returncode}\n{text}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def run_until(text, environment, wanted):
    """Runs a block that does not end by itself until it has printed a line with `wanted`, then stops it."""
    process = subprocess.Popen(
        _command(text, LISTENS_WITHIN_SECONDS),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines, said = queue.Queue(), []
    reader = threading.Thread(target=lambda: [*map(lines.put, process.stdout), lines.put(None)], daemon=True)
    reader.start()
    try:
        while (line := lines.get()) is not None:
            said.append(line)
            if wanted in line:
                return
        raise BlockFailed(f"exit {process.wait()} without a line with {wanted!r}\n{text}\n{''.join(said)}")
    finally:
        process.terminate()
        process.wait()
        reader.join()  # the pipe ends when the last process of the block has ended
        process.stdout.close()


def environment(bin_folders, **more):
    """The reader's environment, less what the program would take as settings, with these folders first on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH")}
    return {**kept, "PATH": os.pathsep.join([*map(str, bin_folders), kept["PATH"]]), **more}


def _command(text, seconds):
    """`timeout` has a process group of its own, passes SIGTERM on to all of it, and gets one when this thread ends."""
    return ["setpriv", "--pdeathsig", "TERM", "timeout", "--kill-after=10", str(seconds), "bash", "-euo", "pipefail", "-c", text]
