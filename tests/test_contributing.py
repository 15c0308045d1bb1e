"""CONTRIBUTING.md names files, targets and levels that exist; hooks match make lint."""

import re
from pathlib import Path

import pytest
from test_architecture import LEVELS

from skimbalance import thresholds
from skimbalance.thresholds._rules import RULES

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
PATHS = sorted(set(re.findall(r"`((?:\w+/)+\w+(?:\.\w+)?|\w+\.(?:toml|txt))`", GUIDE)))
# Each step of a list: the file that it begins with, and its text.
STEPS = re.findall(r"^\d\. `([\w/]+\.\w+)`(.*?)(?=^\d\. |\n\n)", GUIDE, re.M | re.S)


@pytest.mark.parametrize("path", PATHS)
def test_named_files_exist(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "text"), STEPS, ids=[path for path, _ in STEPS])
def test_a_step_names_what_its_file_holds(path, text):
    of_other_files = r"`[\w/]+\.py` \(`\w+`\)"
    source = (ROOT / path).read_text()
    for name in re.findall(r"`(_?[A-Z]\w+|__\w+__)`", re.sub(of_other_files, "", text)):
        assert name in source


@pytest.mark.parametrize(
    ("path", "name"), re.findall(r"`([\w/]+\.py)`\s+\(`(\w+)`\)", GUIDE)
)
def test_a_name_behind_a_file_is_in_it(path, name):
    assert name in (ROOT / path).read_text()


def test_targets_of_make_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    named = set(re.findall(r"`make ([\w-]+)`", GUIDE))
    assert named <= set(targets)
    assert set(targets) - named == {"clean"}


def test_the_table_of_levels_is_that_of_the_architecture_test():
    rows = re.findall(r"^\| (\d) \| (.*?) \|", GUIDE, re.M)
    levels = {
        module: int(level)
        for level, modules in rows
        for module in re.findall(r"`(\w+)`", modules)
    }
    assert levels == LEVELS


def test_pre_commit_and_make_use_the_same_versions():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    found = re.findall(r"repo: .*/(\w+)(?:-pre-commit)?\n\s+rev: v(\S+)", hooks)
    assert {name for name, _ in found} == {"ruff", "codespell", "numpydoc"}
    for name, version in found:
        assert pins[name] == version


@pytest.mark.parametrize(("name", "rule"), RULES.items(), ids=list(RULES))
def test_every_rule_is_public_and_in_the_guide(name, rule):
    assert rule.__name__ in thresholds.__all__
    # The docstrings of `threshold` refer to this table, and list no names.
    rows = re.findall(
        r"^\|.*\|$", (ROOT / "docs/user_guide/decisions.md").read_text(), re.M
    )
    assert any(f'`"{name}"`' in row or f"`{rule.__name__}(" in row for row in rows), (
        f'decisions.md has no row of its table with `"{name}"`'
    )
