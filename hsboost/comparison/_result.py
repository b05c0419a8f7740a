"""LossComparison: the figures of a comparison as frames, as a table to read, as a picture."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hsboost.comparison._recommendation import Recommendation, recommend
from hsboost.comparison._statistics import Difference, difference, holm
from hsboost.comparison._trials import BASELINE, Candidate, Trial

if TYPE_CHECKING:
    from hsboost.plotting import LossComparisonDisplay

#: Width of the printed table, in characters.
WIDTH = 80
#: Room for a loss's name in it.
NAME = 19
METRICS = ("precision", "recall", "auc")


class LossComparison:
    """Log loss and its rivals on the same trees and splits: made by :func:`hsboost.compare_losses`.

    ``print(comparison)`` gives the table and the recommendation, in 80 columns.

    Attributes
    ----------
    frame : DataFrame
        A row per loss, log loss first: ``precision``, ``recall`` (both at k) and ``auc``, means over the splits; for
        each ``*_difference`` to log loss with its interval ``*_low``, ``*_high``; ``p`` of the difference in precision
        and ``p_adjusted`` for the number of losses (Holm); ``seconds`` of one ``fit``, ``search_seconds`` of all its
        trials and the ``rounds`` that validation rows chose, medians over the splits (the first may compile kernels);
        ``setting``, what they chose most often.
    splits : DataFrame
        A row per split and loss: the figures of the trial that the split's validation rows chose.
    trials : DataFrame
        A row per split and trial, with ``valid``, the precision at k among the validation rows.
    recommendation : Recommendation
    description : str
        Rows, k and splits in words.
    confidence : float
        Of the intervals, each by itself, and of the recommendation.

    Notes
    -----
    Intervals and p are those of Nadeau and Bengio's corrected resampled t-test: splits share rows, and a plain t-test
    over them would report differences that do not exist. The area under the curve is that of the rows of each group
    where there are groups.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        records: Sequence[Mapping[str, Any]],
        ratio: float,
        description: str,
        confidence: float,
        worth: float,
    ) -> None:
        self.confidence, self.worth, self.description = confidence, worth, description
        self.trials = pd.DataFrame([dict(record) for record in records])
        self._by_key = {trial.key: trial for one in candidates for trial in one.trials}
        found = {(record["split"], record["trial"]): record for record in records}
        numbers = sorted({record["split"] for record in records})
        rows = []
        for split in numbers:
            for one in candidates:
                tried = [found[split, trial.key] for trial in one.trials]
                chosen = max(tried, key=lambda record: record["valid"])  # the first of equals
                seconds = {"search_seconds": sum(record["seconds"] for record in tried)}
                rows.append({"split": split, "loss": one.name, **chosen, **seconds})
        self.splits = pd.DataFrame(rows).rename(columns={"trial": "setting"})
        self._ratio = ratio
        self.frame = self._summary([one.name for one in candidates])
        names = [one.name for one in candidates[1:]]
        differences = {name: self._difference(name, BASELINE, "precision") for name in names}
        against = {(a, b): self._difference(a, b, "precision") for a in names for b in names if a != b}
        self.recommendation: Recommendation = recommend(differences, against, confidence, worth)

    def difference(self, loss: str, other: str = BASELINE, metric: str = "precision") -> Difference:
        """One loss's mean difference to another, with its standard error, degrees of freedom and p.

        Parameters
        ----------
        loss, other : str
            Names in ``frame``.
        metric : {"precision", "recall", "auc"}, default "precision"

        Returns
        -------
        Difference
            A named tuple ``mean, error, freedom, p``; ``interval(confidence)`` of it gives the interval.
        """
        for name in (loss, other):
            if name not in self.frame.index:
                raise ValueError(f"no loss {name!r} was compared; known: {', '.join(self.frame.index)}")
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}; got {metric!r}")
        return self._difference(loss, other, metric)

    def plot(self, ax: Any = None, *, metric: str = "precision", **style: Any) -> LossComparisonDisplay:
        """Draw the differences to log loss with intervals: :class:`hsboost.plotting.LossComparisonDisplay`."""
        from hsboost.plotting import LossComparisonDisplay

        return LossComparisonDisplay.from_comparison(self, metric=metric, ax=ax, **style)

    def setting(self, loss: str | None = None) -> Trial:
        """The trial of a loss (default: the recommended one) that validation rows chose most often, first of equals."""
        name = self.recommendation.loss if loss is None else loss
        self.difference(name)
        return self._by_key[str(self.frame.loc[name, "setting"])]

    def __str__(self) -> str:
        return "\n".join([self.description, "", *self._table(), "", *self._notes()])

    def __repr__(self) -> str:
        losses = ", ".join(self.frame.index)
        return f"<LossComparison of {losses}: {self.recommendation.verdict}, {self.recommendation.loss}>"

    def _repr_html_(self) -> str:
        return f"<p>{self.description}</p>{self.frame.to_html()}<p>{self.recommendation.text}</p>"

    def _figures(self, loss: str, metric: str) -> list[float]:
        return [float(value) for value in self.splits.loc[self.splits["loss"] == loss, metric]]

    def _difference(self, loss: str, other: str, metric: str) -> Difference:
        return difference(self._figures(loss, metric), self._figures(other, metric), self._ratio)

    def _summary(self, names: list[str]) -> pd.DataFrame:
        rows: dict[str, dict[str, Any]] = {}
        for name in names:
            own = self.splits[self.splits["loss"] == name]
            row: dict[str, Any] = {metric: float(own[metric].mean()) for metric in METRICS}
            for metric in METRICS:
                gap = self._difference(name, BASELINE, metric)
                low, high = gap.interval(self.confidence)
                row |= {f"{metric}_difference": gap.mean, f"{metric}_low": low, f"{metric}_high": high}
                if metric == "precision":
                    row |= {"p": gap.p, "p_adjusted": np.nan}
            counts = Counter(own["setting"].tolist())
            row |= {
                "seconds": float(own["seconds"].median()),
                "search_seconds": float(own["search_seconds"].median()),
                "rounds": float(own["rounds"].median()),
                "setting": max(counts, key=counts.__getitem__),
            }
            rows[name] = row
        p = [rows[name]["p"] for name in names[1:]]
        adjusted = p if np.isnan(p).any() else holm(p)
        for name, value in zip(names[1:], adjusted, strict=True):
            rows[name]["p_adjusted"] = value
        rows[BASELINE] = {name: np.nan if _compares(name) else value for name, value in rows[BASELINE].items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(rows[names[1]])).rename_axis("loss")

    def _table(self) -> list[str]:
        confidence = f"[{100 * self.confidence:g} % interval]"
        lines = [
            f"{'':{NAME}}  {'precision among the top k':<31}{'p':>6} {'recall':>6} {'AUC':>6} {'fit':>6}",
            f"{'loss':{NAME}}  {'':5} {'gain':>8} {confidence:>16}{'':6} {'':6} {'gain':>6} {'s':>6}",
            "-" * (WIDTH - 1),
        ]
        for name, row in self.frame.to_dict("index").items():
            own = f"{_clipped(str(name)):{NAME}}  {_share(row['precision'])}"
            rest = f" {_share(row['recall']):>6}"
            if name == BASELINE:
                lines.append(f"{own}{'':32}{rest} {_share(row['auc']):>6} {_seconds(row['seconds'])}")
                continue
            interval = f"[{_signed(row['precision_low'])}, {_signed(row['precision_high'])}]"
            interval = "" if np.isnan(row["precision_low"]) else interval
            lines.append(
                f"{own} {_signed(row['precision_difference']):>8} {interval:>16}{_p(row['p_adjusted']):>6}{rest} "
                f"{_signed(row['auc_difference']):>6} {_seconds(row['seconds'])}"
            )
        return lines

    def _notes(self) -> list[str]:
        many = len(self.frame) - 1
        about = "Gains are over log loss, paired by split" + (
            f"; p is corrected for {many} losses." if many > 1 else "."
        )
        lines = [*textwrap.wrap(about, WIDTH - 1), "", *textwrap.wrap(self.recommendation.text, WIDTH - 1)]
        figures: Any = self.frame.to_dict("index")
        own = self.recommendation.loss
        if own != BASELINE:
            lines += textwrap.wrap(f"Its setting: {figures[own]['setting']}.", WIDTH - 1)
        if own != BASELINE and figures[own]["auc_high"] < 0.0:
            change = figures[own]["auc_difference"]
            lines += textwrap.wrap(f"It costs AUC ({change:+.4f}): it ranks the rest of the rows less well.", WIDTH - 1)
        if figures[BASELINE]["precision"] >= 0.98:
            text = (
                "Precision is near 1 with log loss: there is little to win. Does a column tell the label, "
                "because it is known only afterwards?"
            )
            lines += textwrap.wrap(text, WIDTH - 1)
        return lines


def _compares(column: str) -> bool:
    """Whether a column of ``frame`` is about a difference to log loss."""
    return column.endswith(("_difference", "_low", "_high")) or column in ("p", "p_adjusted")


def _clipped(name: str) -> str:
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


def _share(value: float) -> str:
    """Five characters: .1234, or 1.000."""
    return f"{value:.4f}"[1:] if value < 0.99995 else f"{value:.3f}"


def _signed(value: float) -> str:
    """Six characters: +.0123, a difference of shares; ends of intervals from few splits may be beyond 1."""
    if abs(value) >= 0.99995:
        return f"{value:+.2f}"
    return "nan" if np.isnan(value) else f"{value:+.4f}".replace("0.", ".", 1)


def _p(value: float) -> str:
    return "" if np.isnan(value) else "<.001" if value < 0.001 else f"{value:.3f}"[0 if value >= 0.9995 else 1 :][:5]


def _seconds(value: float) -> str:
    return f"{value:6.2f}" if value < 100 else f"{value:6.0f}"
