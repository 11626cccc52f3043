"""The alert rules: valid, each tested both ways, each with a section in the runbook."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import DEPLOY
from prometheus import promtool

RULES = DEPLOY / "prometheus/rules/heliograph.yml"
RULE_TESTS = sorted((DEPLOY / "prometheus/tests").glob("*.yml"))
RUNBOOK = (DEPLOY / "runbook.md").read_text()
METRIC = re.compile(r"\bheliograph_\w+")
SECTION_PARTS = ("**Means:**", "**Look:**", "**Do:**")


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alert_names():
    return sorted({rule["alert"] for rule in rules() if "alert" in rule})


def sections():
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_promtool_accepts_the_rules_and_the_settings():
    for arguments in (("check", "rules", RULES), ("check", "config", DEPLOY / "prometheus/prometheus.yml")):
        run = promtool(*arguments)
        assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_the_rules_do_what_their_tests_say(path: Path):
    run = promtool("test", "rules", path)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("alert", alert_names())
def test_an_alert_is_tested_firing_and_not_firing(alert):
    checks = [
        check
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for check in test["alert_rule_test"]
        if check["alertname"] == alert
    ]
    assert any(check["exp_alerts"] for check in checks), f"no test sees {alert} fire"
    assert any(not check["exp_alerts"] for check in checks), f"no test sees {alert} silent"


def test_the_runbook_has_one_section_for_each_alert_and_no_others():
    assert sorted(sections()) == alert_names()
    for alert, text in sections().items():
        assert all(part in text for part in SECTION_PARTS), alert


def test_each_alert_says_how_loud_it_is_and_links_to_its_section():
    for rule in rules():
        if "alert" in rule:
            assert re.fullmatch(r"Heliograph([A-Z][a-z]+)+", rule["alert"])
            assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
            assert rule["annotations"]["runbook_url"] == f"runbook.md#{rule['alert'].lower()}"
            assert rule["annotations"]["summary"] and rule["annotations"]["description"].endswith(".")


def test_the_rules_use_listed_metrics_only(metrics_list):
    for rule in rules():
        for metric in METRIC.findall(re.sub(r"job:\w+:\w+", "", rule["expr"])):
            assert metric.removesuffix("_bucket") in metrics_list, f"{rule}: {metric}"
