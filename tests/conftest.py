"""The folder of the real data, the devices, and the number of examples of a property.

``SKIMBALANCE_TESTS=slow`` runs properties on 200 examples instead of 20.
"""

import importlib.util
import json
import os
from pathlib import Path

import pytest
from hypothesis import settings

# An example takes longer than the 200 ms of Hypothesis where other programs run.
settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")
settings.register_profile(
    "properties",
    max_examples=200 if os.environ.get("SKIMBALANCE_TESTS") == "slow" else 20,
)

_DATA = Path(
    os.environ.get(
        "SKIMBALANCE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"
    )
)


@pytest.fixture(scope="session")
def load():
    """Return the function that reads a real data set by name, or skip."""
    script = _DATA / "load.py"
    if not script.exists():
        pytest.skip(f"real data not found at {_DATA}; set SKIMBALANCE_DATA")
    spec = importlib.util.spec_from_file_location("skimbalance_test_data", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load


@pytest.fixture(scope="session")
def resampling_reference():
    """Return the reference figures of resampling, or skip."""
    path = _DATA.parent / "reference" / "resampling.json"
    if not path.exists():
        pytest.skip(f"reference figures not found at {path}")
    return json.loads(path.read_text())


def pytest_collection_modifyitems(items):
    """Skip the tests that are marked `cuda` where there is no such device."""
    import torch

    if not torch.cuda.is_available():
        skip = pytest.mark.skip(reason="no CUDA device here")
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(skip)


def pytest_generate_tests(metafunc):
    """Run a test that asks for `device` on every device of this machine."""
    if "device" in metafunc.fixturenames:
        import torch

        devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        metafunc.parametrize("device", devices)
