"""The device of an objective's rounds: the processor, or a GPU through the optional `hsboost.cuda`."""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import cache
from typing import Any


class Accelerator:
    """The requested device and, after a round on a GPU, the state that stays there for the next.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:N"}, default "auto"
        ``"auto"``: on the GPU that the booster trains on where `hsboost.cuda` can, otherwise on the processor.
        ``"cuda"``: on a GPU, or a ValueError that says why not.
    """

    def __init__(self, device: str = "auto") -> None:
        if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', N the number of a GPU; got {device!r}")
        self.device = device
        self._rows: Any = None

    def step(
        self, loss: Any, y_true: Any, raw: Any, sample_weight: Any, state: Any, grouped: bool, dataset: Any
    ) -> tuple[Any, Any, Any] | None:
        """The round computed by `hsboost.cuda.boosting_step`; None if the processor has to compute it."""
        if not loss.runs_on_cuda:
            if self.device.startswith("cuda"):
                raise ValueError(f"device={self.device!r} does not know {loss!r} yet; use device='auto' or 'cpu'")
            return None
        cuda = _leaf(self.device)
        if cuda is None:
            return None
        if self._rows is None:
            self._rows = cuda.RowsByDataset()
        found: tuple[Any, Any, Any] | None = cuda.boosting_step(
            loss, y_true, raw, sample_weight, state, self.device, grouped, dataset, self._rows
        )
        return found

    def refuse_workers(self) -> None:
        """Refuse an explicit device when rows are distributed; raises the same ValueError on all workers."""
        if self.device.startswith("cuda"):
            raise ValueError(
                f"device={self.device!r} does not work on several workers yet; use device='auto', with which the "
                "boosters may train on GPUs while the gradient is computed on the processors"
            )


@cache
def _leaf(device: str) -> Any:
    """`hsboost.cuda` if the device may need it. Imported by name: the core must not import its optional leaves."""
    if device == "cpu" or (device == "auto" and importlib.util.find_spec("cupy") is None):
        return None
    return importlib.import_module("hsboost.cuda")
