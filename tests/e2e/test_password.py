"""A password of the broker that changes while the daemon runs."""

from daemon import Daemon, eventually
from load import Sender

MORNING = "2026-11-24T10:00:00Z"  # London is open
REQUEST = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG", "effort_minutes": 60, "payload": {}}


def test_a_new_password_in_its_file_is_taken_at_the_next_connection(bed, tmp_path, monkeypatch):
    node, before = bed.node, bed.node.passwords["heliograph"]
    after = "canary-of-another-password"
    file = tmp_path / "amqp-url"
    file.write_text(bed.url() + "\n")
    monkeypatch.setenv("HELIOGRAPH__AMQP__URL_FILE", str(file))
    try:
        with Daemon(tmp_path, MORNING) as daemon:
            node.rabbitmqctl("change_password", "heliograph", after)
            file.write_text("no address")
            node.rabbitmqctl("close_all_connections", "--vhost", bed.vhost, "cut by a test")
            eventually(lambda: "amqp.url_file holds no address" in daemon.log())
            file.write_text(node.amqp_url(bed.vhost, "heliograph", after) + "\n")
            eventually(lambda: daemon.metric("heliograph_broker_up") == 1)
            with Sender(bed.client("thames-llp")) as firm:
                firm.send({"id": "r-1", **REQUEST})
            eventually(lambda: [task["id"] for task in daemon.tasks()] == ["thames-llp/r-1"])
            assert after not in daemon.log() and before not in daemon.log()
    finally:
        node.rabbitmqctl("change_password", "heliograph", before)
