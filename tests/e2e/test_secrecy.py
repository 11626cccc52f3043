"""Nothing that a client, a team or an operator keeps to itself shows where it has no business, at the loudest log setting."""

import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest
from daemon import BINARY, Daemon, eventually, task_path
from inbox import Inbox, team_queue
from load import REQUESTS, UPDATES, Sender

MORNING = "2026-11-24T10:00:00Z"  # London is open
WORK = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG"}


@pytest.fixture
def loud(monkeypatch):
    """Every log target as loud as a setting can make it, and backtraces in full."""
    for name, value in {"HELIOGRAPH__LOG__LEVEL": "trace", "RUST_LOG": "trace", "RUST_BACKTRACE": "full"}.items():
        monkeypatch.setenv(name, value)


class Canaries:
    """Words that must be found nowhere; each time another one, so that a hit tells where it came from."""

    def __init__(self):
        self.words = []

    def __call__(self, place):
        self.words.append(f"canary-{place}-7f3a")
        return self.words[-1]

    def found_in(self, text):
        """The words that a text shows, as they are or as bytes in decimal or hexadecimal numbers."""
        shown = text.lower().replace(" ", "")
        return [word for word in self.words if any(form in shown for form in forms(word))]


def forms(word):
    return word, ",".join(str(byte) for byte in word.encode()), word.encode().hex()


def test_no_log_metric_answer_or_output_shows_a_payload_a_note_a_header_or_a_password(bed, loud):
    canary = Canaries()
    canary.words.append(bed.node.passwords["heliograph"])
    answers = []
    with bed.daemon(MORNING) as daemon:
        with (
            Inbox(bed.watcher(), ["heliograph.rejected"], events=True) as told,
            Sender(bed.client("thames-llp")) as firm,
            Sender(bed.team("london")) as team,
        ):
            with Inbox(bed.team("london"), [team_queue("london")]) as london:
                # Payloads and notes that are taken, over the broker and over HTTP.
                firm.send({"id": "by-broker", **WORK, "payload": {"text": canary("payload")}}, headers={"h": canary("header")})
                answers.append(daemon.text("/api/v1/requests", json.dumps({"id": "by-http", **WORK, "payload": canary("http-payload")}).encode()))
                for task in ("by-broker", "by-http"):
                    london.first("offer", task=f"thames-llp/{task}")
                about = {"team": "london", "assignment": 1}
                team.update({"id": "u-1", "task": "thames-llp/by-broker", "kind": "accept", **about})
                progress = {"kind": "progress", "remaining_minutes": 5, "note": canary("note"), **about}
                team.update({"id": "u-2", "task": "thames-llp/by-broker", **progress})
                told.first("task.progressed", task="thames-llp/by-broker")
                decline = {"id": "u-3", "task": "thames-llp/by-http", "kind": "decline", "reason": "busy", "note": canary("http-note"), **about}
                answers.append(daemon.text(task_path("thames-llp/by-http") + "/updates", json.dumps(decline).encode()))
            # What is refused, over both ways.
            bad = {"id": "bad", **WORK, "effort_minutes": -1}
            for place, body in {
                "not-json": b"{ %s",
                "bad-field": json.dumps({**bad, "payload": "PLACE"}).encode().replace(b"PLACE", b"%s"),
                "not-utf-8": b'{"payload": "%s \xff"}',
                "duplicate": b'{"payload": "%s", "id": "a", "id": "b"}',
            }.items():
                for way, exchange in {"requests": REQUESTS, "updates": UPDATES}.items():
                    firm.send(body % canary(f"{place}-{way}").encode(), exchange=exchange, headers={"h": canary(f"header-{place}-{way}")})
                answers.append(daemon.text("/api/v1/requests", body % canary(f"{place}-http").encode()))
                answers.append(daemon.text(task_path("thames-llp/by-http") + "/updates", body % canary(f"{place}-http-update").encode()))
            told.wait_for(lambda messages: len([it for it in messages if it.queue == "heliograph.rejected"]) == 8)
            # An offer that the broker returns; then both links are cut.
            with Sender(bed.watcher()) as admin:
                admin.channel.queue_delete(team_queue("london"))
            firm.send({"id": "returned", **WORK, "payload": canary("returned")})
            told.first("task.withdrawn", task="thames-llp/returned")
        bed.node.rabbitmqctl("close_all_connections", "--vhost", bed.vhost, "cut by a test")
        with Sender(bed.client("thames-llp")) as firm, Inbox(bed.watcher(), events=True) as told:
            firm.send({"id": "after", **WORK, "payload": canary("after")})
            told.first("task.admitted", task="thames-llp/after")
        pages = [daemon.text(path) for path in ("/metrics", "/readyz", "/livez", "/", "/api/v1/tasks", "/api/v1/teams")]
        output = daemon.stop()
    log = daemon.log()
    assert '"TRACE"' in log or '"DEBUG"' in log or '"INFO"' in log
    assert "lapin::returned_messages" not in log and "panicked" not in log
    for text in (log, output, *answers, *pages):
        assert not canary.found_in(text), text[:2_000]


@pytest.mark.parametrize(
    "address",
    [
        "amqp://heliograph:PASSWORD@127.0.0.1:1/x",
        "amqp://heliograph:PASSWORD@127.0.0.1:99999/x",
        "amqp://heliograph:PASSWORD@192.0.2.1:5672/x",
        "amqp://heliograph:PASSWORD@[::zz]/x",
        "http://heliograph:PASSWORD@127.0.0.1/x",
        "wrong password",
    ],
)
def test_an_address_of_a_broker_that_cannot_be_used_is_refused_without_its_password(bed, loud, address):
    password = "canary-password-7f3a"
    if address == "wrong password":
        address = bed.node.amqp_url(bed.vhost, "heliograph", password)
    settings = bed.daemon(MORNING).folder / "heliograph.toml"
    environment = dict(os.environ, HELIOGRAPH__AMQP__URL=address.replace("PASSWORD", password), HELIOGRAPH_TEST_CLOCK=f"{MORNING},1")
    run = subprocess.run([BINARY, "serve", "--settings", settings], env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode in (1, 78), run.stderr
    assert run.stderr and password not in run.stdout + run.stderr, run.stderr


def test_no_log_answer_or_metric_shows_a_token_or_its_digest(tmp_path, loud):
    made = [json.loads(subprocess.run([BINARY, "--format", "json", "token", name, "admin"], capture_output=True, check=True).stdout) for name in ("ann", "gone")]
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    file.write_text("\n".join(it["line"] for it in made) + "\n")
    canary = Canaries()
    for it in made:
        canary.words += [it["token"], it["line"].split()[-1]]
    answers = []
    with Daemon(tmp_path, MORNING, http=[f'tokens_file = "{file}"']) as daemon:

        def call(token, path="/api/v1/tasks", **headers):
            known = {"authorization": f"Bearer {token}"} if token else {}
            request = urllib.request.Request(daemon.address + path, headers={**known, **headers})
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answers.append(answer.read().decode() + str(answer.headers))
                    return answer.status
            except urllib.error.HTTPError as error:
                answers.append(error.read().decode() + str(error.headers))
                return error.code

        assert call(made[0]["token"]) == 200
        assert call(canary("wrong-token")) == 401
        assert call(None, "/api/v1/tasks?token=" + canary("token-in-the-address")) == 401
        assert call(made[0]["token"], "/api/v1/tasks?token=" + made[0]["token"][:10]) == 400
        assert call(None, Cookie="token=" + canary("token-in-a-cookie")) == 401
        assert call(canary("token-and-more").replace("-", " ")) == 401
        # One is taken away, and then the file is broken by a token in the place of its digest.
        seen = []
        for text in (made[0]["line"], f"ann admin {canary('in-the-file')}", canary("alone-in-the-file")):
            file.write_text(text + "\n")
            daemon.hang_up()
            eventually(lambda: daemon.log().count("http credentials") == len(seen) + 1)
            seen.append(text)
        assert call(made[1]["token"]) == 401
        assert [call(made[0]["token"], path) for path in ("/metrics", "/readyz", "/api/v1/audit", "/")] == [200] * 4
        output = daemon.stop()
    for text in (daemon.log(), output, *answers):
        assert not canary.found_in(text), text[:2_000]
