"""The code of README and user guide runs, and the pages are linked."""

import contextlib
import io
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDE = sorted((ROOT / "docs" / "user_guide").glob("*.md"))
# Its sections need a tool each, and run on their own.
TOOLS = ROOT / "docs" / "user_guide" / "clusters.md"
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem != "index"),
    *(page for page in GUIDE if page != TOOLS),
]
# Their code takes five seconds or more.
SLOW_PAGES = {
    "decisions",
    "four_classes",
    "rare_binary",
    "resampling",
    "serving",
    "weights",
}
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
# A block of code, and the output that follows it on some pages.
NUMBER = re.compile(r"\d+(?:\.\d+)?")
BLOCK = re.compile(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", re.M | re.S)


def _assert_alike(printed, shown):
    """Texts are equal, numbers nearly: other processors train to other last digits."""
    texts = [" ".join(NUMBER.sub("#", text).split()) for text in (printed, shown)]
    assert texts[0] == texts[1], "the text block is not what the code prints"
    numbers = [list(map(float, NUMBER.findall(text))) for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.15, abs=0.03)


def run_blocks(text, name, monkeypatch):
    """Run the code of a text from top to bottom, and return its variables."""
    script = ModuleType("script_of_the_page")
    monkeypatch.setitem(sys.modules, script.__name__, script)
    for needed in re.findall(r"^<!-- needs: (.*) -->$", text, re.M):
        for module in needed.split():
            pytest.importorskip(module, reason=f"the page needs {module}")
    for block, shown in BLOCK.findall(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, name, "exec"), vars(script))
        if shown:
            _assert_alike(printed.getvalue(), shown)
    return vars(script)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page.stem in SLOW_PAGES else ())
        for page in PAGES
    ],
    ids=lambda page: page.stem,
)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
    run_blocks(page.read_text(), str(page), monkeypatch)


def test_home_page_shows_the_code_of_the_readme():
    blocks = BLOCK.findall((ROOT / "docs" / "index.md").read_text())
    assert blocks == BLOCK.findall((ROOT / "README.md").read_text())


def test_questions_lead_to_examples_that_draw():
    """The README links the examples, the home page what the gallery makes of them."""
    readme = (ROOT / "README.md").read_text()
    home = (ROOT / "docs" / "index.md").read_text()
    names = re.findall(r"^\| .*\(examples/(plot_\w+)\.py\) \|$", readme, re.M)
    assert len(names) >= 5
    for name in names:
        assert f"(auto_examples/{name}.rst)" in home
        assert "plt.show" in (ROOT / "examples" / f"{name}.py").read_text()


def test_pages_are_linked_from_the_index():
    index = (ROOT / "docs" / "user_guide" / "index.md").read_text().split()
    missing = {page.stem for page in GUIDE} - {"index"} - set(index)
    assert not missing


def test_every_benchmark_page_has_its_script_and_is_linked():
    folder = ROOT / "docs" / "benchmarks"
    index = (folder / "index.md").read_text().split()
    pages = {page.stem for page in folder.glob("*.md")} - {"index"}
    scripts = {script.stem for script in folder.glob("*.py")}
    assert pages <= scripts
    assert pages <= set(index)


FOOTERS = re.findall(
    r"^:::\{card-footer\}\n(.*?)^:::$",
    (ROOT / "docs" / "decision.md").read_text(),
    re.M | re.S,
)


@pytest.mark.parametrize("footer", FOOTERS, ids=lambda footer: footer[:30])
def test_figures_of_a_decision_are_those_of_its_benchmark(footer):
    """Each decimal number before a link to a benchmark is on that page, rounded."""
    for claim, link in re.findall(r"(.*?)\]\((\S+?)\)", footer, re.S):
        if not link.startswith("benchmarks/"):
            continue
        page = (ROOT / "docs" / link.partition("#")[0]).read_text()
        measured = [float(number) for number in NUMBER.findall(page)]
        for figure in re.findall(r"\d+\.\d+", claim):
            n_decimals = len(figure.partition(".")[2])
            rounded = {f"{number:.{n_decimals}f}" for number in measured}
            assert figure in rounded, f"{figure} is not in {link}"


def test_every_example_is_in_the_order_of_the_gallery():
    order = (ROOT / "docs" / "_ext" / "conf_order.py").read_text()
    assert {f'"{example.stem}"' for example in EXAMPLES} == set(
        re.findall(r'"plot_\w+"', order)
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example_asks_a_question_and_ends_in_a_conclusion(example):
    text = example.read_text()
    title = text.splitlines()[1]
    assert title.endswith("?")
    assert "# Conclusion\n# ----------" in text
