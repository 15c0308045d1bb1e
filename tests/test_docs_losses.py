"""The page of losses is what its script writes from the registry."""

import doctest
import importlib.util
from pathlib import Path

import pytest

from skimbalance.losses import LOSSES

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location(
        "losses_page", DOCS / "user_guide" / "losses.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date(script, tmp_path):
    """Run ``python docs/user_guide/losses.py`` where this fails."""
    written = (script.HERE / "losses.md").read_text()
    script.HERE = tmp_path
    script.main()
    assert (tmp_path / "losses.md").read_text() == written


def test_every_entry_of_the_registry_is_on_the_page(script):
    page = (script.HERE / "losses.md").read_text()
    labels, classes = page.split("## Classes: multiclass")
    for name, kind in LOSSES:
        part = classes if kind == "multiclass" else labels
        assert f"`{name}`" in part


def test_sessions_on_the_page_show_what_python_answers(script):
    failed, tried = doctest.testfile(
        str(script.HERE / "losses.md"), module_relative=False
    )
    assert tried >= 7
    assert failed == 0
