"""What an export wrote and what was compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ExportResult:
    """What :meth:`hsboost.HSClassifier.export` wrote, how to read it, and what was compared with the model.

    Attributes
    ----------
    path, format : str
        The file and its format: ``"xgboost"``, ``"lightgbm"``, ``"onnx"`` or ``"treelite"``.
    output : {"decision", "probability"}
        What the file's runtime returns: ``decision_function`` (0 is the cut; of several classes the highest wins), or
        ``predict_proba`` (of two classes that of ``classes[1]``; ONNX files return both columns).
    cut : float or None
        What the output exceeds where ``predict`` gives ``classes[1]``; None for several classes, of which the highest
        output wins.
    classes : list
        The labels, in the order of the outputs.
    categories : dict
        Name of each categorical column (its number, for columns without names) to its categories, in the order of the
        codes 0, 1, 2 … that runtimes without names of categories take; None for a column whose categories the model
        does not name. XGBoost's and LightGBM's own runtimes read data frames by name.
    runtime : str or None
        Name and version of what read the file back; None where it is not installed and nothing was compared.
    rows : int
        Rows compared: those that were given, and rows drawn at, below and between the model's own split values, with
        missing values and categories.
    largest_difference : float or None
        Between the outputs (margins, before a sigmoid or softmax, where the runtime gives them) and the model's.
    tolerance : float
        What rounding can explain of it: float32 of XGBoost's runtime, float64 of the others where they compute so.
    decisions_equal : int or None
        Rows whose decision is that of ``predict``; ``rows`` minus ``ties``.
    ties : int or None
        Rows whose decision differs as they lie at the cut within rounding.
    """

    path: str
    format: str
    output: Literal["decision", "probability"]
    cut: float | None
    classes: list[Any]
    categories: dict[Any, list[Any] | None]
    runtime: str | None
    rows: int
    largest_difference: float | None
    tolerance: float
    decisions_equal: int | None
    ties: int | None

    @property
    def checked(self) -> bool:
        """Whether the file was read back by its runtime and compared."""
        return self.runtime is not None

    def __str__(self) -> str:
        rule = "the highest output wins" if self.cut is None else f"{self.classes[1]!r} above {self.cut:.9g}"
        said = f"{self.path}: {self.format}, output {self.output}, {rule}; "
        if not self.checked:
            return said + "NOT CHECKED: its runtime is not installed"
        return said + (
            f"read back by {self.runtime}: {self.rows} rows, largest difference {self.largest_difference:.3g} "
            f"(rounding explains {self.tolerance:.3g}), {self.decisions_equal} decisions equal, {self.ties} ties"
        )
