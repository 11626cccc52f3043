"""A private RabbitMQ node with the settings and the definitions of deploy/rabbitmq, and passwords for their users."""

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import pika
from node import RabbitNode

FOLDER = Path(__file__).resolve().parents[2] / "deploy/rabbitmq"
CONFIGURED_DEFINITIONS = "/etc/rabbitmq/definitions.json"
VHOST = "heliograph"
USERS = ("heliograph", "client-acme-llp", "team-sydney")


class DeployedBroker:
    """`with DeployedBroker() as broker:` starts the node and removes every trace at the end."""

    def __init__(self):
        self.passwords = {user: secrets.token_hex(16) for user in USERS}
        self._folder = tempfile.TemporaryDirectory(prefix="heliograph-deployed-")
        filled = Path(self._folder.name) / "definitions.json"
        filled.write_text(self._definitions())
        configured = (FOLDER / "rabbitmq.conf").read_text()
        assert CONFIGURED_DEFINITIONS in configured
        self.node = RabbitNode(extra_config=configured.replace(CONFIGURED_DEFINITIONS, str(filled)))

    def __enter__(self):
        self.node.__enter__()
        return self

    def __exit__(self, *error):
        self.node.__exit__(*error)
        self._folder.cleanup()

    def url(self, user):
        """The address for a user of the definitions."""
        return self.node.amqp_url(VHOST, user, self.passwords[user])

    def connect(self, user):
        """A connection of a user of the definitions."""
        return pika.BlockingConnection(pika.URLParameters(self.url(user)))

    def _definitions(self):
        arguments = []
        for user, password in self.passwords.items():
            file = Path(self._folder.name) / user
            file.write_text(password + "\n")
            arguments.append(f"{user}={file}")
        fill = [sys.executable, FOLDER / "fill_passwords.py", *arguments]
        return subprocess.run(fill, capture_output=True, text=True, check=True).stdout
