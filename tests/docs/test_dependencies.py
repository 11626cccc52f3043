"""Licences and sources of everything that is built in, against a list that somebody has read."""

import json
import re
import subprocess
import tomllib

import pytest
from documents import ROOT

# Each may be linked into a program under Apache-2.0 and asks for no more than its notice.
REVIEWED = {
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}
OWN = "heliograph"
TOKEN = re.compile(r"\(|\)|[\w.+-]+(?: WITH [\w.+-]+)?")


def packages():
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["packages"]


def is_reviewed(expression):
    """Whether some choice that an SPDX expression gives has reviewed licences only; `/` is an old way to write OR."""
    if not expression:
        return False
    tokens = TOKEN.findall(expression.replace("/", " OR "))
    names = {"OR": "or", "AND": "and", "(": "(", ")": ")"}
    return bool(eval(" ".join(names.get(token, str(token in REVIEWED)) for token in tokens), {"__builtins__": {}}))


def test_every_dependency_has_a_reviewed_licence():
    found = packages()
    assert len(found) > 100
    assert [f"{it['name']} {it['license']}" for it in found if not is_reviewed(it["license"])] == []


def test_every_dependency_comes_from_one_registry_with_its_checksum_in_the_lock():
    locked = {(it["name"], it["version"]): it for it in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    sources = set()
    for package in packages():
        if package["name"] == OWN:
            assert package["source"] is None
            continue
        sources.add(package["source"])
        assert len(locked[package["name"], package["version"]]["checksum"]) == 64, package["name"]
    assert len(sources) == 1 and sources.pop().startswith("registry+https://")


def test_no_manifest_takes_a_dependency_from_a_folder_or_a_repository():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert "patch" not in manifest and "replace" not in manifest
    for section in ("dependencies", "dev-dependencies", "build-dependencies"):
        for name, wanted in manifest.get(section, {}).items():
            assert isinstance(wanted, str) or not {"path", "git", "registry"} & set(wanted), name


def test_the_fuzz_targets_are_built_with_the_versions_of_the_program():
    locks = [ROOT / "Cargo.lock", ROOT / "fuzz/Cargo.lock"]
    own, fuzzed = ({(it["name"], it["version"]) for it in tomllib.loads(lock.read_text())["package"]} for lock in locks)
    names = {name for name, _ in own}
    assert {(name, version) for name, version in fuzzed if name in names} <= own
    assert len(fuzzed & own) > 100


def test_the_projects_own_licence_is_apache_2_in_full():
    assert tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("MIT/Apache-2.0", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", True),
        ("MIT AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", True),
        ("Apache-2.0 WITH Commons-Clause", False),
        ("", False),
        (None, False),
    ],
)
def test_an_expression_fits_when_one_of_its_choices_does(expression, fits):
    assert is_reviewed(expression) is fits
