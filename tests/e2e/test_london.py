"""Work that only London may do waits for London's opening, to the second, and is offered there."""

from datetime import datetime, timedelta

import pytest
from inbox import Inbox, team_queue
from load import Sender

LONDON_ONLY = {
    "id": "london-1",
    "client": "thames-llp",
    "matter": "M-1",
    "work_type": "court_appearance",
    "jurisdiction": "GB-ENG",
    "place": "GB",
    "payload": {"court": "Royal Courts of Justice"},
}
TASK = "thames-llp/london-1"


@pytest.mark.parametrize(
    "sent_at, opens_at",
    [("2026-11-24T03:00:00Z", "2026-11-24T09:00:00Z"), ("2027-07-06T02:00:00Z", "2027-07-06T08:00:00Z")],
    ids=["winter", "summer"],
)
def test_a_request_at_three_in_the_morning_waits_for_nine_local_time(bed, sent_at, opens_at):
    with bed.daemon(sent_at) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Sender(bed.client("thames-llp")) as client:
            client.send(LONDON_ONLY)
        told = events.first("task.waiting", task=TASK)
        task = daemon.task(TASK)
    opens_at = datetime.fromisoformat(opens_at)
    assert (told["reason"], datetime.fromisoformat(told["wakes_at"])) == ("no_team_open", opens_at)
    assert (task["state"], datetime.fromisoformat(task["waiting"]["wakes_at"])) == ("waiting", opens_at)
    assert "team_opens" in task["waiting"]["woken_by"]


@pytest.mark.parametrize(
    "start, speed, resolution",
    [
        # At 60 a second of a busy machine is a minute of the engine's; at 1 it is a second.
        ("2026-11-24T08:58:00Z", 60, timedelta(seconds=30)),
        ("2026-11-24T08:59:57Z", 1, timedelta(milliseconds=500)),
    ],
    ids=["sixty times as fast", "real speed"],
)
def test_it_is_offered_at_nine_and_never_before(bed, start, speed, resolution):
    opens_at = datetime.fromisoformat("2026-11-24T09:00:00Z")
    daemon = bed.daemon("2026-11-24T03:00:00Z")
    with daemon, Inbox(bed.watcher(), events=True) as events, Sender(bed.client("thames-llp")) as client:
        client.send(LONDON_ONLY)
        events.first("task.waiting", task=TASK)
        daemon.stop()
        daemon.start(clock=start, speed=speed)
        with Inbox(bed.team("london"), [team_queue("london")]) as london:
            offer = london.first("offer")
            early = [it.type for it in london.messages if it.type != "offer"]
        told = events.first("task.offered", task=TASK)
        task = daemon.task(TASK)
    at = datetime.fromisoformat(offer["at"])
    assert opens_at <= at < opens_at + resolution, f"offered at {at}"
    assert early == []
    assert (offer["task"], offer["team"], offer["assignment"]) == (TASK, "london", 1)
    assert offer["payload"] == LONDON_ONLY["payload"]
    assert "payload" not in told and told["at"] == offer["at"]
    assert (task["state"], task["team"]) == ("offered", "london")
    assert len(events.of_type("task.offered")) == 1
