"""The row `reload`: rosters that are valid, invalid, half written, missing or behind a link that is swapped, under load."""

import hashlib
import json
import os
import signal
import time

WITHIN_SECONDS = 15
KINDS = ("valid", "link", "unknown calendar", "half written", "missing", "valid", "no toml")


class Reloads:
    """The roster's file of a leg, and what the daemon must say after each change."""

    def __init__(self, leg):
        self._leg, self._file = leg, leg.roster
        self._good = self._file.read_text()
        self._number = 0
        self._digest = self._note(self._good)

    def change(self, kind):
        """One change; waits until the daemon says what it must."""
        self._number += 1
        if kind in ("valid", "link"):
            text = f"{self._good}# version {self._number} of {self._leg.seed}\n"
            self._digest = self._note(text)
            self._put(text, is_link=kind == "link")
            self._await(kind, lambda detail: detail == f"{self._digest} is in force")
            return
        if kind == "missing":
            self._file.unlink(missing_ok=True)
        elif kind == "half written":
            # In place, as a bad editor does it, and without an end.
            self._file.unlink(missing_ok=True)
            self._file.write_text(self._good[: self._leg.rng.randrange(400, len(self._good) - 200)] + '"')
        elif kind == "unknown calendar":
            self._put(self._good.replace('calendar = "london"', 'calendar = "atlantis"', 1))
        else:
            self._put("= = =\n")
        self._await(kind, lambda detail: detail.startswith(f"{self._digest} is in force") and "is not" in detail)

    def _note(self, text):
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._leg.leg.rosters.add(digest)
        return digest

    def _put(self, text, is_link=False):
        new = self._file.with_name(f"version-{self._number}.toml")
        new.write_text(text)
        if not is_link:
            os.replace(new, self._file)
            return
        link = self._file.with_name("next")
        link.symlink_to(new)
        os.replace(link, self._file)

    def _await(self, kind, is_right):
        self._leg.daemon.signal(signal.SIGHUP)
        deadline = time.monotonic() + WITHIN_SECONDS
        while not is_right(detail := self._detail()):
            if time.monotonic() > deadline:
                self._leg.daemon.ended_itself.append(f"after a roster that is {kind} it says: {detail[:300]}")
                return
            time.sleep(0.02)

    def _detail(self):
        said = self._leg.daemon.text("/readyz")
        checks = json.loads(said)["checks"] if said else []
        return next((it["detail"] for it in checks if it["name"] == "roster"), "nothing")


def plan(count):
    """So many changes in a row, in no fixed order."""

    def run(leg):
        leg.up()
        reloads = Reloads(leg)
        for _ in range(count):
            reloads.change(leg.rng.choice(KINDS))
        reloads.change("valid")
        leg.figures["reloads"] = count + 1

    return run
