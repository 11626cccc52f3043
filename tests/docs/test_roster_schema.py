"""The JSON Schema of rosters, by a validator that others keep: what the program loads fits it, what is broken does not."""

import datetime
import json
import subprocess
import tomllib

import pytest
from documents import ROOT
from jsonschema import Draft202012Validator
from program import binary

ROSTERS = [ROOT / "config/roster.toml", *sorted((ROOT / "tests/fixtures/roster").glob("*.toml"))]
BROKEN = {"every-fault.toml"}


@pytest.fixture(scope="module")
def validator():
    command = [binary("debug", "release"), "schema", "roster"]
    schema = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def as_json(value):
    """TOML as the schema sees it: dates and times are text."""
    if isinstance(value, dict):
        return {key: as_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_json(entry) for entry in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def faults(validator, roster):
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in validator.iter_errors(as_json(roster))]


@pytest.mark.parametrize("path", [path for path in ROSTERS if path.name not in BROKEN], ids=lambda path: path.name)
def test_a_roster_that_loads_fits_the_schema(validator, path):
    assert faults(validator, tomllib.loads(path.read_text())) == []


CHANGES = {
    "a word that is none of the choices": lambda roster: roster["clients"][0].update(offshoring="sometimes"),
    "a key with a typing error": lambda roster: roster["teams"][0].update(seatz=3),
    "a country by its name": lambda roster: roster["teams"][0].update(country="Germany"),
    "no capacity": lambda roster: [roster["teams"][0].pop(key, None) for key in ("seats", "effort_hours")],
    "both capacities": lambda roster: roster["teams"][0].update(seats=1, effort_hours=1),
    "a number over its limit": lambda roster: roster["teams"][0].update(seats=10_001),
    "a span without a unit": lambda roster: roster.setdefault("routing", {}).update(handoff_notice="30"),
    "an empty span": lambda roster: roster.setdefault("routing", {}).update(handoff_notice=""),
    "hours in another form": lambda roster: next(iter(roster["calendars"].values())).update(hours={"mon": ["9-17"]}),
    "a level above five": lambda roster: roster["teams"][0].update(skills={"coding": 6}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_fault_of_type_word_or_limit_does_not_fit(validator, what):
    roster = tomllib.loads((ROOT / "config/roster.toml").read_text())
    CHANGES[what](roster)
    assert faults(validator, roster), what


def test_the_roster_with_every_fault_does_not_fit(validator):
    assert len(faults(validator, tomllib.loads((ROOT / "tests/fixtures/roster/every-fault.toml").read_text()))) > 20
