"""The code of README and user guide runs, and the pages are linked."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "user_guide").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
    script = ModuleType("script_of_the_page")
    monkeypatch.setitem(sys.modules, script.__name__, script)
    for needed in re.findall(r"^<!-- needs: (.*) -->$", page.read_text(), re.M):
        for name in needed.split():
            pytest.importorskip(name, reason=f"the page needs {name}")
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
        exec(compile(block, str(page), "exec"), vars(script))


def test_pages_are_linked_from_the_index():
    index = (ROOT / "docs" / "user_guide" / "index.md").read_text().split()
    missing = {page.stem for page in PAGES[1:]} - {"index"} - set(index)
    assert not missing


def test_every_benchmark_page_has_its_script_and_is_linked():
    folder = ROOT / "docs" / "benchmarks"
    index = (folder / "index.md").read_text().split()
    pages = {page.stem for page in folder.glob("*.md")} - {"index"}
    scripts = {script.stem for script in folder.glob("*.py")}
    assert pages <= scripts
    assert pages <= set(index)
