"""Who may do what over HTTP, on a running daemon: each caller's part of a task's life, and tokens that come and go."""

import json
import subprocess
import urllib.error

import pytest
from daemon import BINARY, Daemon, eventually, task_path

MORNING = "2026-11-24T10:00:00Z"  # London is open
REQUEST = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG"}
CALLERS = {
    "thames": "submit:thames-llp,read:thames-llp",
    "acme": "submit:acme-llp,read:acme-llp",
    "london-desk": "team:london",
    "sydney-desk": "team:sydney",
    "ann": "operate",
    "zoe": "admin",
}
UNKNOWN, FORBIDDEN, NOT_KNOWN = 404, 403, 401


class Callers:
    """The tokens of a daemon, in its file."""

    def __init__(self, folder):
        self.file = folder / "tokens"
        self.tokens, self.lines = {}, {}
        for name, roles in CALLERS.items():
            made = subprocess.run(
                [BINARY, "--format", "json", "token", name, *roles.split(",")], capture_output=True, text=True, check=True
            )
            made = json.loads(made.stdout)
            self.tokens[name], self.lines[name] = made["token"], made["line"]
        self.write(self.lines.values())

    def write(self, lines):
        self.file.touch(mode=0o600)
        self.file.write_text("\n".join(lines) + "\n")


class Calls:
    """One daemon, called by those who know it."""

    def __init__(self, daemon, callers):
        self.daemon, self.callers = daemon, callers

    def get(self, caller, path):
        """(status, answer)"""
        self.daemon.token = self.callers.tokens[caller]
        try:
            return 200, self.daemon.get(path)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def post(self, caller, path, body):
        self.daemon.token = self.callers.tokens[caller]
        return self.daemon.post(path, body)

    def update(self, caller, task, kind, number, **more):
        body = {"id": f"u-{number}", "task": task, "kind": kind, **more}
        return self.post(caller, task_path(task) + "/updates", body)


@pytest.fixture
def callers(tmp_path):
    return Callers(tmp_path)


@pytest.fixture
def calls(tmp_path, callers):
    with Daemon(tmp_path, MORNING, http=[f'tokens_file = "{callers.file}"', "requests_per_second = 10000"]) as daemon:
        yield Calls(daemon, callers)


def test_each_caller_does_its_part_of_a_tasks_life_and_the_log_names_it(calls):
    task = "thames-llp/r-1"
    request = {"id": "r-1", **REQUEST, "effort_minutes": 60, "payload": {}}
    status, refused = calls.post("acme", "/api/v1/requests", request)
    assert (status, refused["code"]) == (FORBIDDEN, "identity"), refused
    status, answers = calls.post("acme", "/api/v1/requests", [request])
    assert answers[0]["refusal"]["code"] == "identity", answers
    status, answer = calls.post("thames", "/api/v1/requests", request)
    assert (status, answer["task"]) == (201, task), answer

    for stranger in ("acme", "sydney-desk"):
        assert calls.get(stranger, task_path(task))[0] == UNKNOWN
    _, messages = calls.get("london-desk", "/api/v1/teams/london/messages?wait=20")
    assert [it["type"] for it in messages["messages"]] == ["offer"]
    assert calls.get("sydney-desk", "/api/v1/teams/london/messages")[0] == UNKNOWN
    assert calls.get("london-desk", task_path(task))[1]["state"] == "offered"

    assert calls.update("sydney-desk", task, "accept", 1, assignment=1)[0] == UNKNOWN
    assert calls.update("sydney-desk", task, "accept", 2, assignment=1, team="london")[0] == FORBIDDEN
    assert calls.update("acme", task, "cancel", 3, reason="not mine")[0] == UNKNOWN
    assert calls.update("london-desk", task, "accept", 4, assignment=1)[0] == 200
    assert calls.update("thames", task, "recall", 5, reason="r")[0] == FORBIDDEN
    assert calls.update("ann", task, "recall", 6, reason="a call from the firm", by="Mr Thames")[0] == 200
    _, history = calls.get("thames", task_path(task) + "/history")
    recalled = next(it["body"] for it in history["facts"] if it["type"] == "task.recalled")
    assert recalled["order"] == {"by": "Mr Thames (by ann)", "reason": "a call from the firm"}
    assert calls.get("london-desk", task_path(task))[0] == UNKNOWN

    close = {"team": "sydney", "kind": "close", "until": "2026-11-25T00:00:00Z", "author": "Mallory", "reason": "flood"}
    assert calls.post("zoe", "/api/v1/overrides", close)[0] == 201
    assert calls.get("ann", "/api/v1/overrides")[1]["overrides"][0]["author"] == "zoe"


def test_a_token_comes_and_goes_with_its_line_and_a_faulty_file_changes_nothing(calls, callers):
    daemon = calls.daemon
    assert calls.get("ann", "/api/v1/tasks")[0] == 200
    daemon.token = callers.tokens["ann"]
    with daemon.open_events() as stream:
        callers.write(line for name, line in callers.lines.items() if name != "ann")
        daemon.hang_up()
        while stream.readline():
            pass  # the stream of a token that is gone ends
    assert calls.get("ann", "/api/v1/tasks")[0] == NOT_KNOWN
    assert calls.get("zoe", "/api/v1/tasks")[0] == 200

    callers.write(["ann operate canary-of-a-token"])
    daemon.hang_up()
    daemon.token = callers.tokens["zoe"]
    eventually(lambda: "tokens:1: the last word" in daemon.check("tokens")[1])
    assert daemon.check("tokens")[0] and "canary" not in daemon.log()
    assert calls.get("zoe", "/api/v1/tasks")[0] == 200
    callers.write(callers.lines.values())
    daemon.hang_up()
    eventually(lambda: daemon.check("tokens")[1] == "as they were read last")
    assert calls.get("ann", "/api/v1/tasks")[0] == 200


def test_commands_call_with_a_token_and_without_one_are_told_what_lacks(calls, callers):
    environment = {"HELIOGRAPH_URL": calls.daemon.address}

    def heliograph(*arguments, **more):
        return subprocess.run([BINARY, *arguments], env={**environment, **more}, capture_output=True, text=True)

    refused = heliograph("tasks")
    assert refused.returncode == 1 and "Authorization: Bearer" in refused.stderr, refused
    assert heliograph("tasks", HELIOGRAPH_TOKEN=callers.tokens["ann"]).returncode == 0
    refused = heliograph("purge", "M-1", "--client", "thames-llp", "--author", "x", "--reason", "r", "--yes", HELIOGRAPH_TOKEN=callers.tokens["ann"])
    assert refused.returncode == 1 and "admin" in refused.stderr, refused
    assert heliograph("healthcheck").returncode == 0
