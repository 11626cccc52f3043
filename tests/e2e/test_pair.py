"""An active daemon and its standby on one PostgreSQL database."""

import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from daemon import BINARY, Daemon
from inbox import Inbox, copies, team_queue
from load import Sender
from postgres import PostgresServer

NOW = "2026-11-24T14:00:00Z"
TAKEN_OVER_WITHIN_SECONDS = 5


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        yield server


class Pair:
    """Two daemons on one database and one broker, the second one started when the first one leads."""

    def __init__(self, bed, folder, postgres, database):
        postgres.run_sql(f"CREATE DATABASE {database}")
        store = f'postgres = "{postgres.url(database)}"'
        self.daemons = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            self.daemons.append(Daemon(folder / name, NOW, 1, bed.url() if bed else None, store=store + f'\nname = "{name}"'))

    def __enter__(self):
        first, second = self.daemons
        first.start()
        first.await_leading()
        second.start(clock=first.engine_now().isoformat())
        return self.daemons

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.__exit__()


@pytest.fixture
def pair(bed, tmp_path, postgres):
    return Pair(bed, tmp_path, postgres, f"pair_{bed.vhost}")


def request(number):
    return {
        "id": f"r{number:05}",
        "client": "acme-llp",
        "matter": "M-1",
        "work_type": "legal_writing",
        "effort_minutes": 30,
        "payload": {"number": number},
    }


def refusal(daemon, path):
    try:
        urllib.request.urlopen(daemon.address + path, timeout=10)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    return None


def test_one_leads_and_the_other_stands_by_and_says_who_does(pair):
    with pair as (active, standby):
        assert active.is_ready() and not standby.is_ready() and standby.is_ready("")
        ready = standby.get("/readyz")
        assert (ready["role"], {it["name"]: it["ok"] for it in ready["checks"]}) == (
            "standby",
            {"store": True, "clock": True, "leadership": True},
        )
        assert standby.check("leadership") == (True, "a leads")
        code, problem = refusal(standby, "/api/v1/tasks")
        assert (code, problem["code"], problem["detail"]) == (503, "standby", "this daemon stands by; a leads: ask that one")
        assert (active.metric("heliograph_leader"), standby.metric("heliograph_leader")) == (1, 0)
        assert active.metric("heliograph_lease_epoch") == standby.metric("heliograph_lease_epoch") == 1
        assert "a fail-over of the database may lose acknowledged work" in active.check("store")[1]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_standby_goes_on_where_the_active_one_ended(pair, bed, how):
    with pair as (active, standby), Inbox(bed.watcher(), events=True) as events, Sender(bed.client("acme-llp")) as client:
        with Inbox(bed.watcher(), [team_queue(it) for it in ("london", "warsaw", "nairobi", "mumbai", "new-york")]) as teams:
            for number in range(20):
                client.send(request(number))
            events.wait_for(lambda seen: sum(it.type == "task.offered" for it in seen) >= 20, what="20 offers")
            ended_at = time.monotonic()
            getattr(active, how)()
            for number in range(20, 30):
                client.send(request(number))
            standby.await_leading()
            took = time.monotonic() - ended_at
            events.wait_for(lambda seen: len({json.loads(it.raw)["task"] for it in seen if it.type == "task.admitted"}) == 30)
            tasks = standby.tasks()
            assert len(tasks) == 30
            assert took < TAKEN_OVER_WITHIN_SECONDS, f"taken over after {took:.2f} s"
            assert standby.metric("heliograph_lease_epoch") == 2
            # Each copy is the same to the byte; after a stop in order nothing comes twice.
            again = copies(events.messages) + copies(teams.messages)
            assert again == 0 or how == "kill"
            numbers = {}
            for it in {message.id: message.json for message in events.messages}.values():
                if "task_seq" in it:
                    numbers.setdefault(it["task"], []).append(it["task_seq"])
            assert all(sorted(seen) == list(range(1, len(seen) + 1)) for seen in numbers.values())


def test_a_leader_that_was_stopped_for_longer_than_its_lease_writes_nothing_more(pair, bed, postgres):
    with pair as (active, standby), Sender(bed.client("acme-llp")) as client:
        client.send(request(1))
        active.pause()
        standby.await_leading()
        client.send(request(2))
        active.resume()
        assert active.await_end() == 1
        while len(standby.tasks()) < 2:
            time.sleep(0.02)
        assert postgres.run_sql("SELECT epoch FROM fence", f"pair_{bed.vhost}") == "2"


def test_a_pair_outlives_a_restart_of_its_database(pair, postgres):
    with pair as (active, standby):
        code, answer = active.post("/api/v1/requests", request(1))
        assert (code, answer["outcome"]) == (201, "admitted")
        postgres.stop()
        # What it has decided may or may not be on disk: it ends, and whoever leads next reads what is.
        assert active.await_end() == 1
        while standby.is_ready(""):
            time.sleep(0.02)
        postgres.start()
        standby.await_leading()
        assert [it["id"] for it in standby.tasks()] == ["acme-llp/r00001"]


def test_a_server_that_may_lose_what_it_acknowledged_is_refused(tmp_path):
    with PostgresServer(["fsync=off"]) as server:
        daemon = Daemon(tmp_path, NOW, store=f'postgres = "{server.url()}"')
        command = [str(BINARY), "serve", "--settings", str(daemon.settings)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 1, ran.stderr
    assert 'store setting fsync is "off" and must be "on"' in ran.stderr
