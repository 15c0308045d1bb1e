"""The levels of the modules, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skimbalance

ROOT = Path(skimbalance.__file__).parent
LEVELS = {
    "exceptions": 0,
    "_counts": 0,
    "_columns": 1,
    "_validation": 1,
    "_base": 2,
    "_categories": 3,
    "_labels": 3,
    "_log_odds": 3,
    "_neighbors": 4,
    "datasets": 4,
    "losses": 4,
    "metrics": 4,
    "modules": 4,
    "preprocessing": 4,
    "weights": 4,
    "_resampling": 5,
    "displays": 5,
    "model_selection": 5,
    "_meta": 6,
    "_out_of_fold": 6,
    "over_sampling": 6,
    "under_sampling": 6,
    "calibration": 7,
    "thresholds": 7,
    "neural_network": 8,
    "ensemble": 9,
}
MAY_IMPORT = {
    "torch": {"losses", "modules", "neural_network"},
    "skorch": {"neural_network"},
    "matplotlib": {"displays"},
}


def _module_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def test_every_level_names_a_module():
    assert LEVELS.keys() == {_module_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward_only(path):
    module = _module_of(path)
    assert module in LEVELS, f"{module} has no level: add it to LEVELS"
    for name in _imports(path):
        if not name.startswith("skimbalance."):
            continue
        other = name.split(".")[1]
        allowed = other == module or LEVELS[other] < LEVELS[module]
        assert allowed, f"{module} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_are_imported_by_few_modules(path):
    for name in _imports(path):
        library = name.split(".")[0]
        if library in MAY_IMPORT:
            assert _module_of(path) in MAY_IMPORT[library], (
                f"{path.name} imports {name}"
            )
    assert not any(n.startswith("matplotlib") for n in _imports(path, True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_helpers_of_scikit_learn_are_imported_by_one_module(path):
    if _module_of(path) == "_validation":
        return
    for name in _imports(path):
        if name.startswith("sklearn."):
            private = any(part.startswith("_") for part in name.split("."))
            assert not private, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path):
    assert len(path.read_text().splitlines()) <= 1000


def _run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_else():
    code = """
import sys, numpy
before = set(sys.modules)
import skimbalance
new = {name for name in set(sys.modules) - before if not name.startswith("skimbalance")}
print(sorted(name for name in new if name.split(".")[0] not in sys.stdlib_module_names))
"""
    assert _run(code) == "[]"


@pytest.mark.parametrize(
    "module", ["model_selection", "weights", "metrics", "thresholds", "calibration"]
)
def test_light_modules_never_import_torch(module):
    code = f"import sys, skimbalance.{module}; print('torch' in sys.modules)"
    assert _run(code) == "False"


def test_editors_and_the_interpreter_know_the_same_modules():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    (imported,) = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert [alias.name for alias in imported.names] == skimbalance.__all__
    modules = {_module_of(path) for path in FILES}
    public = {module for module in modules if not module.startswith("_")}
    assert public == set(skimbalance.__all__)
    assert (ROOT / "py.typed").exists()


def test_submodules_load_on_first_use():
    code = "import skimbalance; print(skimbalance.weights.__name__)"
    assert _run(code) == "skimbalance.weights"
    assert set(skimbalance.__all__) <= set(dir(skimbalance))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skimbalance.nothing
