"""The broker's users of these tests may do what those that are deployed may do, and no more."""

import json

import pytest
from conftest import may
from daemon import ROOT

DEFINITIONS = json.loads((ROOT / "deploy/rabbitmq/definitions.json").read_text())


@pytest.mark.parametrize("deployed", DEFINITIONS["permissions"], ids=lambda it: it["user"])
def test_a_user_may_do_what_the_deployed_definitions_give_it(node, deployed):
    patterns = (deployed[key].replace("\\", "\\\\") for key in ("configure", "write", "read"))
    assert may(deployed["user"], node) == ", ".join(f'<<"{pattern}">>' for pattern in patterns)
