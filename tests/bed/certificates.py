"""Certificate authorities for tests, and what they sign, made with the `openssl` command.

Promises: every file is in the folder that was given; keys are elliptic, so that making one takes no time; nothing is valid
for longer than two days.
"""

import subprocess
from collections import namedtuple
from pathlib import Path

VALID_DAYS = "2"
MADE_WITHIN_SECONDS = 30

Certificate = namedtuple("Certificate", "certificate key")

AUTHORITY = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n"
SERVER = "basicConstraints = critical, CA:FALSE\nextendedKeyUsage = serverAuth\n"
CLIENT = "basicConstraints = critical, CA:FALSE\nextendedKeyUsage = clientAuth\n"


class Authority:
    """An authority of its own; `file` is what those who trust it are given."""

    def __init__(self, folder, name):
        self._folder, self._name = Path(folder), name
        self._own = self._make(name, AUTHORITY)
        self.file = self._own.certificate

    def server(self, name, *alternative_names):
        """A server's certificate for names such as `DNS:localhost` or `IP:127.0.0.1`."""
        return self._make(name, SERVER + f"subjectAltName = {','.join(alternative_names)}\n", signed=True)

    def client(self, name):
        """A client's certificate."""
        return self._make(name, CLIENT, signed=True)

    def _make(self, name, extensions, signed=False):
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        described = self._folder / f"{name}.cnf"
        described.write_text(
            "[req]\nprompt = no\ndistinguished_name = subject\nx509_extensions = extensions\n"
            f"[subject]\nCN = {name}\n[extensions]\n{extensions}"
        )
        command = ["openssl", "req", "-x509", "-config", described, "-days", VALID_DAYS, "-nodes"]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", made.key, "-out", made.certificate]
        if signed:
            command += ["-CA", self._own.certificate, "-CAkey", self._own.key]
        run = subprocess.run(command, capture_output=True, text=True, timeout=MADE_WITHIN_SECONDS)
        if run.returncode != 0:
            raise RuntimeError(f"openssl made no certificate for {name}: {run.stderr}")
        return made
