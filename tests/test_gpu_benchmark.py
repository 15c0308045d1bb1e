"""The script of the GPU page runs from end to end, at tiny sizes on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"


def run(*arguments):
    """Return what the script prints; the page must stay as it is."""
    page = FOLDER / "gpu.md"
    before = page.read_bytes(), page.stat().st_mtime_ns
    root = str(FOLDER.parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(FOLDER / "gpu.py"), *arguments],
        capture_output=True,
        text=True,
        env=os.environ
        | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (page.read_bytes(), page.stat().st_mtime_ns) == before
    return done.stdout


def test_without_a_device_the_script_ends_with_a_sentence():
    printed = run()
    assert printed == (
        "There is no CUDA device here; the page stays as it was measured.\n"
    )


@pytest.mark.slow
def test_the_script_measures_every_section():
    printed = run("--device", "cpu", "--quick")
    page = printed[printed.index("# On a GPU") :]
    sections = page.split("\n## ")[1:]
    assert len(sections) == 6
    assert "Not measured" not in page
    tables = [section for section in sections if "| --- |" in section]
    assert len(tables) == 5
    assert "skipped" in page or "passed" in page  # what pytest counts
