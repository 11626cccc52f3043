"""One broker for the short campaign; each leg has a virtual host of its own."""

import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from daemon_process import BINARY
from node import RabbitNode

logging.getLogger("pika").setLevel(logging.CRITICAL)  # each refused connection is several lines there


@pytest.fixture(scope="session")
def node():
    """A broker that faults may be done to."""
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is missing: make campaign-build")
    with RabbitNode() as node:
        yield node
