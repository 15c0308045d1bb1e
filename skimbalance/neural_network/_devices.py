"""Where a net trains, in which precision, and where its data lie."""

import numpy as np
import torch

from skimbalance.neural_network._rows import is_tiny

# The dtype of weights and rows. In half precision only the products are computed.
_PRECISIONS = {
    "16": torch.float32,
    "32": torch.float32,
    "64": torch.float64,
    "bf16": torch.float32,
}
# Fraction of the free memory of a device that training data may take by themselves.
_DEVICE_FRACTION = 0.5


def resolve_device(device, name="device"):
    """Return a torch device; None is CUDA where there is one, else the CPU."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{name}={device!r} is not a torch device: use 'cpu', 'cuda', "
            "'cuda:1' for the second one, or a torch.device."
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"{name}={str(device)!r}, but torch finds no CUDA device. Use {name}=None "
            "or 'cpu', or install a CUDA build of torch."
        )
    return device


def check_devices(estimator):
    """Raise a ValueError unless the net can train, and its data lie, where they should.

    Numbers are written to the device and read back, as a device may exist and fail.
    """
    device, data_device = resolve_device(estimator.device), estimator.data_device
    try:
        if estimator.accelerator is None:
            torch.zeros(1, device=device).item()
    except Exception as error:  # each kind of device has errors of its own
        raise ValueError(
            f"device={str(device)!r} cannot be used here. Use device=None or 'cpu'."
        ) from error
    if data_device != "auto" and (
        resolve_device(data_device, "data_device").type not in ("cpu", device.type)
    ):
        raise ValueError(
            f"data_device={data_device!r} must be 'auto', 'cpu' or the device that "
            "trains."
        )


def find_device(estimator):
    """Return the torch device on which an estimator trains."""
    if estimator.accelerator is None:
        return resolve_device(estimator.device)
    return estimator.accelerator.device


def resolve_precision(precision, X, n_rows):
    """Return the dtype of the weights and of the rows that the net reads.

    Few rows are computed in double precision: `check_estimator` of scikit-learn
    compares the fit of weighted rows with that of repeated ones at 1e-7, which float32
    does not hold. More rows take twice the time in it, and gain nothing.
    """
    if precision != "auto":
        return _PRECISIONS[precision]
    narrow = X.dtype in (np.float32, np.float16)
    is_double = is_tiny(n_rows) and not narrow
    return torch.float64 if is_double else torch.float32


def moves_data(data_device, device, n_bytes):
    """Whether training data of that size are put on the device for good."""
    if device.type == "cpu" or data_device == "cpu":
        return False
    if data_device != "auto":
        return True
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= _DEVICE_FRACTION * free
