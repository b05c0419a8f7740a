"""The parts of the check in order of worth, each with its steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.suite.store import Record

#: A step: given whether sizes are tiny, it returns its figures.
Step = Callable[[bool], Record]


@dataclass(frozen=True)
class Part:
    """Steps that run one after the other in one process, which ends after ``seconds`` at the latest.

    ``module`` has them in the dictionary ``STEPS``, by part and name. With fewer than ``least`` seconds left the part
    is not begun.
    """

    name: str
    title: str
    module: str
    seconds: float
    least: float = 10.0

    def steps(self) -> dict[str, Step]:
        """The steps by name, in order."""
        found: dict[str, Step] = importlib.import_module(self.module).STEPS[self.name]
        return found


_HERE = "benchmarks.device"
PARTS = {
    part.name: part
    for part in (
        Part("environment", "card and software", f"{_HERE}.tests", 40.0, 5.0),
        Part("cuda-tests", "tests of the CUDA path on the card", f"{_HERE}.tests", 130.0, 30.0),
        Part("equality", "the card's results and the processor's", f"{_HERE}.equality", 60.0, 20.0),
        Part("kernels", "kernels against copies, 1e8", f"{_HERE}.speed", 80.0, 20.0),
        Part("training", "XGBoost on 1e7 rows", f"{_HERE}.training", 110.0, 40.0),
        Part("layer", "the layer of PyTorch", f"{_HERE}.layer", 80.0, 20.0),
        Part("torch-tests", "tests of the layer and the losses on the card", f"{_HERE}.tests", 120.0, 30.0),
        Part("passes", "each pass at several sizes of its grid", f"{_HERE}.speed", 40.0, 15.0),
        Part("more-kernels", "kernels against copies, 1e6 and 1e7", f"{_HERE}.speed", 60.0, 15.0),
        Part("more-training", "XGBoost on 1e6 rows, from host memory, and on 5e7", f"{_HERE}.training", 200.0, 30.0),
    )
}
