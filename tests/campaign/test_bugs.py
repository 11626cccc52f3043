"""Does the checker catch what it is for? Each known bug of the daemon is planted in a running one and must be named."""

import re

import checker
import pytest
from bugs import BUGS
from daemon_process import ROOT
from supervisor import Supervisor

SEEDS, SPEED, PATIENCE_SECONDS = (1, 2, 3), 600, 4


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_breaks_its_promise_and_the_checker_says_which(node, bug):
    options = {"requests": 300, "rate": 60, "speed": SPEED, "patience": PATIENCE_SECONDS}
    broken = set()
    # When a fault meets the daemon is up to the machine: what one leg does not bring about, one of three has to.
    for seed in SEEDS:
        supervisor = Supervisor(node, seed, planted=bug.name, **options)
        supervisor.daemon.steps = bug.steps
        supervisor.leg.most_resident_bytes = bug.bound_mib << 20
        leg = supervisor.run(bug.plan)
        supervisor.close()
        broken |= {violation.promise for violation in checker.judge(leg)}
        if bug.promise in broken:
            return
    pytest.fail(f"{bug.name}: no leg of {len(SEEDS)} breaks {bug.promise}, only {sorted(broken)}")


def test_every_known_bug_of_the_daemon_is_planted():
    listed = (ROOT / "src/engine/planted.rs").read_text().split("DAEMON_BUGS", 1)[1].split("];", 1)[0]
    assert set(re.findall(r'"([a-z-]+)"', listed)) <= {bug.name for bug in BUGS}
