"""The roster changes while the daemon runs, over a real broker: by file, by SIGHUP, by command."""

import hashlib
import os
import re
import subprocess
import time

import pytest
from daemon import BINARY, ROSTER, task_path
from inbox import Inbox, team_queue
from load import Sender

NOON = "2026-11-24T10:00:00Z"  # London, Warsaw, Nairobi and Mumbai are open
WITHIN_SECONDS = 30
CORK = """
[[teams]]
id = "cork"
country = "IE"
region = "eu"
calendar = "london"
seats = 5
capabilities = [{ jurisdiction = "IE", specialty = "litigation", languages = ["en"] }]
skills = { advocacy = 5 }
vetted_until = "2029-12-31"
cost_per_hour = 80
"""
WALL = """
[[walls]]
team = "london"
client = "thames-llp"
matter = "M-9"
reason = "a conflict of interest"
"""


class Edited:
    """A roster file that is swapped whole, as editors and deployments do it, and the daemon that watches it."""

    def __init__(self, bed, folder):
        self.bed, self.folder, self.file = bed, folder, folder / "roster.toml"
        self.text = ROSTER.read_text()
        self.put(self.text)
        self.daemon = bed.daemon(NOON, roster=self.file)

    def put(self, text):
        """Puts a text in the place of the file."""
        new = self.folder / "next.toml"
        new.write_text(text)
        os.replace(new, self.file)
        return hashlib.sha256(text.encode()).hexdigest()

    def until(self, found, what):
        """Waits until the detail of the roster's check satisfies."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while not found(detail := self.daemon.check("roster")[1]):
            assert time.monotonic() < deadline, f"{what}: {detail}"
            time.sleep(0.05)  # readiness is asked for, it does not tell
        return detail

    def in_force(self, digest):
        """Waits until a roster is in force and nothing is wrong."""
        self.until(lambda detail: detail == f"{digest} is in force", digest)

    def plan(self, *options):
        """Runs `plan` with the file as it is and gives (exit code, output)."""
        command = [BINARY, "plan", self.file, "--against", self.daemon.address, *options]
        ran = subprocess.run(command, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def shows(self, sample, value):
        """Waits until a metric shows a value: pictures are renewed each second."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while f"{sample} {value}" not in self.daemon.text("/metrics").splitlines():
            assert time.monotonic() < deadline, sample
            time.sleep(0.05)


@pytest.fixture
def edited(bed, tmp_path):
    it = Edited(bed, tmp_path)
    with it.daemon:
        yield it


def request(request_id, jurisdiction, matter="M-1"):
    return {
        "id": request_id,
        "client": "thames-llp",
        "matter": matter,
        "work_type": "drafting_pleadings",
        "jurisdiction": jurisdiction,
        "payload": {"n": 1},
    }


def test_a_team_that_is_added_gets_its_queue_and_what_nobody_could_do(edited):
    with Sender(edited.bed.client("thames-llp")) as firm, Inbox(edited.bed.watcher(), events=True) as events:
        firm.send(request("ie-1", "IE"))
        events.first("task.unroutable", task="thames-llp/ie-1")
        digest = edited.put(edited.text + CORK)
        edited.in_force(digest)
        with Inbox(edited.bed.watcher(), [team_queue("cork")]) as cork:
            assert cork.first("offer", task="thames-llp/ie-1")["payload"] == {"n": 1}
        assert events.first("roster.changed", digest=digest)
    assert [it["id"] for it in edited.daemon.get("/api/v1/teams")["teams"]].count("cork") == 1
    edited.shows('heliograph_tasks_open{state="offered",team="cork"}', 1)


def test_a_wall_that_is_added_takes_a_task_back_and_tells_what_had_been_received(edited):
    with Sender(edited.bed.client("thames-llp")) as firm, Sender(edited.bed.team("london")) as london:
        with Inbox(edited.bed.team("london"), [team_queue("london")]) as inbox:
            with Inbox(edited.bed.watcher(), events=True) as events:
                firm.send(request("wall-1", "GB-ENG", "M-9"))
                inbox.first("offer", task="thames-llp/wall-1")
                london.update(
                    {"id": "u1", "task": "thames-llp/wall-1", "kind": "accept", "team": "london", "assignment": 1}
                )
                events.first("task.accepted", task="thames-llp/wall-1")
                edited.put(edited.text + WALL)
                edited.daemon.hang_up()
                assert inbox.first("ended", task="thames-llp/wall-1")
                assert events.first("task.recalled", task="thames-llp/wall-1")["because"]
                assert events.first("wall.exposure", team="london")["count"] >= 1
    assert edited.daemon.task("thames-llp/wall-1")["state"] == "waiting"


def test_under_load_faulty_half_written_and_missing_files_leave_the_last_good_one_in_force(edited):
    good = edited.text
    with Sender(edited.bed.client("thames-llp")) as firm, Inbox(edited.bed.watcher(), events=True) as events:
        for step in range(8):
            for number in range(20):
                firm.send(request(f"load-{step}-{number}", "GB-ENG"))
            if step % 4 == 0:
                edited.put(good[: good.index("capabilities = [") + 20])
            elif step % 4 == 1:
                edited.put(good.replace('calendar = "london"', 'calendar = "atlantis"', 1))
            elif step % 4 == 2:
                edited.file.unlink()
            else:
                good = good + f"# version {step}\n"
                edited.in_force(edited.put(good))
                continue
            edited.until(lambda detail: "is not" in detail, "it says so")
            assert edited.daemon.metric("heliograph_roster_last_reload_successful") == 0
            assert edited.daemon.check("roster")[0], "a daemon with a good roster is ready"
        events.wait_for(
            lambda messages: sum(it.type == "task.admitted" for it in messages) >= 160, what="every admission"
        )
    assert edited.daemon.metric("heliograph_roster_last_reload_successful") == 1
    digests = {it["decision"]["roster"] for it in explanations(edited.daemon)}
    known = {hashlib.sha256(text.encode()).hexdigest() for text in versions(edited.text, good)}
    assert digests <= known


def versions(first, last):
    """Every text that was in force: the first, and after each of the marks."""
    marks = [match.end() for match in re.finditer("# version .*\n", last)]
    return [first, *(last[:end] for end in marks)]


def explanations(daemon):
    return [daemon.get(task_path(it["id"]) + "/explanation") for it in daemon.tasks()[:20]]


def test_a_killed_daemon_comes_back_with_the_roster_in_force_and_not_with_an_old_file(edited):
    old = edited.text
    new = edited.put(old + CORK)
    edited.in_force(new)
    edited.daemon.kill()
    edited.put(old)
    edited.daemon.start()
    detail = edited.until(lambda detail: "is not" in detail, "the old file is seen")
    assert detail.startswith(new) and "in force before" in detail
    assert edited.plan()[0] == 3
    code, said = edited.plan("--apply")
    assert code == 1 and "force" in said
    code, said = edited.plan("--apply", "--force")
    assert code == 0, said
    edited.in_force(hashlib.sha256(old.encode()).hexdigest())
    code, said = edited.plan()
    assert code == 0 and said.startswith(f"no changes: {hashlib.sha256(old.encode()).hexdigest()} is in force\n")


def test_a_plan_names_what_differs_and_what_it_would_bring_about(edited):
    with Sender(edited.bed.client("thames-llp")) as firm, Inbox(edited.bed.watcher(), events=True) as events:
        firm.send(request("plan-1", "IE"))
        events.first("task.unroutable", task="thames-llp/plan-1")
    edited.put(edited.text + "# only a comment, and a fault\n[x]\n")
    assert edited.plan()[0] == 78
    held = edited.text.replace("seats = 300", "seats = 301", 1) + CORK
    with open(edited.folder / "planned.toml", "w") as file:
        file.write(held)
    command = [BINARY, "plan", edited.folder / "planned.toml", "--against", edited.daemon.address]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 3, ran.stderr
    assert "+ team cork" in ran.stdout and "capacity: Seats(300) -> Seats(301)" in ran.stdout
    assert "task.offered thames-llp/plan-1 (cork)" in ran.stdout
    assert edited.daemon.task("thames-llp/plan-1")["state"] == "waiting"
