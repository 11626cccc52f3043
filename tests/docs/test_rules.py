"""Every rule in the table of tests/README.md has a test, and every test that it names exists."""

import re

import pytest
from documents import ROOT

TABLE = ROOT / "tests" / "README.md"
ROW = re.compile(r"^\| (?P<rule>.+?) \| (?P<tests>.*) \|$")


def rows():
    matches = (ROW.match(line) for line in TABLE.read_text().splitlines() if not line.startswith("| rule |"))
    return [(match["rule"], re.findall(r"`([\w-]+)`", match["tests"])) for match in matches if match]


def known():
    stories = {path.stem for path in (ROOT / "tests/fixtures/scenarios").glob("*.story")}
    rust = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "tests").rglob("*.rs")]
    functions = {name for path in rust for name in re.findall(r"#\[(?:tokio::)?test\](?:\s*#\[.*\])*\s*(?:async )?fn (\w+)", path.read_text())}
    # What every store promises is run by the macro that lists it.
    promises = (ROOT / "tests/store/conformance/mod.rs").read_text().split("$run! {", 1)[1].split("}", 1)[0]
    functions |= set(re.findall(r"(\w+),", promises))
    python = (ROOT / "tests").rglob("test_*.py")
    return stories | functions | {name for path in python for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


def test_the_table_has_rows():
    assert len(rows()) > 50


@pytest.mark.parametrize(("rule", "tests"), rows(), ids=[rule for rule, _ in rows()])
def test_a_rule_has_tests_that_exist(rule, tests):
    assert tests, "no test"
    assert set(tests) - known() == set()


def test_every_story_holds_some_rule():
    named = {name for _, tests in rows() for name in tests}
    assert {path.stem for path in (ROOT / "tests/fixtures/scenarios").glob("*.story")} - named == set()
