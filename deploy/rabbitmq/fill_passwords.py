#!/usr/bin/env python3
"""Fills passwords into definitions.json: `fill_passwords.py USER=FILE ... > /etc/rabbitmq/definitions.json`.

Each FILE holds one user's password. In definitions.json every hash is empty, and RabbitMQ lets nobody in with an empty hash,
so a user that is forgotten here cannot log in. To change one later: `rabbitmqctl change_password USER`.
"""

import base64
import hashlib
import json
import os
import sys
from pathlib import Path

SALT_BYTES = 4
SHORTEST_PASSWORD = 16
DEFINITIONS = Path(__file__).resolve().with_name("definitions.json")


def hashed(password, salt):
    """RabbitMQ's form of a password: base64 of salt and SHA-256 of salt and password."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def filled(definitions, passwords):
    """The definitions with the hash of each user in `passwords` set; raises ValueError that names what is wrong."""
    users = {user["name"]: user for user in definitions["users"]}
    for name, password in passwords.items():
        if name not in users:
            raise ValueError(f"user {name!r} is not in the definitions; they have: {', '.join(users)}")
        if len(password) < SHORTEST_PASSWORD:
            raise ValueError(f"the password of {name!r} has {len(password)} characters; give at least {SHORTEST_PASSWORD}")
        users[name]["password_hash"] = hashed(password, os.urandom(SALT_BYTES))
    return definitions


def main():
    pairs = [argument.partition("=") for argument in sys.argv[1:]]
    if not pairs or not all(name and path for name, _, path in pairs):
        sys.exit("usage: fill_passwords.py USER=FILE ... > definitions.json")
    try:
        passwords = {name: Path(path).read_text().strip() for name, _, path in pairs}
        json.dump(filled(json.loads(DEFINITIONS.read_text()), passwords), sys.stdout, indent=2)
    except (OSError, ValueError) as error:
        sys.exit(f"fill_passwords: {error}")


if __name__ == "__main__":
    main()
