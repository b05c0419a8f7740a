"""The report's prose: how the figures were made, how to read them, and on which data."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.tabular.aggregate import Statistics
from benchmarks.tabular.losses import BASELINE, DEFAULT_LOSSES, Hypersimplex
from benchmarks.tabular.store import Record

READING = (
    "Figures are on test: mean ± standard deviation over seeds. ▲ better and ▼ worse than log loss: the 95 % "
    "interval of the difference paired by seed excludes zero. Bold: the best loss of a column, where that is "
    "outside noise. Many intervals are drawn: about one in twenty is expected to exclude zero by chance.",
    "P@k is precision among the k highest scores. Accuracy uses, for every loss, the cut with the highest "
    "accuracy on validation. Log loss is, for every loss, of probabilities calibrated by isotonic "
    "regression on validation; own log loss is of the loss's own probabilities, which only log loss defines.",
    "Seconds are boosting alone (no data preparation, no validation metric), after an untimed warm-up. The "
    "two ratios compare total time, and time per boosting round, with log loss of the same seed: the median "
    "over seeds, because one disturbed run would move a mean.",
)


def notes(statistics: Statistics, settings: Record) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them, the caveats included."""
    seeds = sorted({run["seed"] for run in statistics.runs})
    cap = "all rows" if settings["rows"] is None else f"at most {settings['rows']:,} rows of each split"
    source = "" if settings["data_dir"] is None else f" (local data: {settings['data_dir']})"
    found = [
        f"{len(statistics.runs)} runs; seeds {', '.join(map(str, seeds))}; {cap}{source}; at most "
        f"{settings['rounds']} rounds at learning rate {settings['learning_rate']}, stopped after "
        f"{settings['patience']} rounds without a better validation {settings['selection']}. Within a "
        "booster every loss gets the same trees' settings, splits, selection metric and stopping rule.",
        *READING,
    ]
    if Hypersimplex.name in statistics.losses:
        found.append(
            "HyperSimplex is trained with k at the training prevalence: it aims at P@prevalence, not at "
            "smaller budgets."
        )
    if set(statistics.losses) - set(DEFAULT_LOSSES):
        found.append(
            "The other losses are hsboost's, with their default parameters, started from the loss's best constant "
            "score where it has one in closed form."
        )
    if len(seeds) > 1:
        found.append(
            "The seeds draw from the same rows and overlap, so the intervals are narrower than fresh data "
            "would make them."
        )
    if fixed := statistics.fixed_splits():
        found.append(
            f"The test rows of {', '.join(fixed)} are the same for every seed: there the intervals show the "
            "variation of training only."
        )
    if BASELINE not in statistics.losses:
        found.append("Log loss was not run, so nothing is compared to it.")
    return found


def data_lines(statistics: Statistics) -> Iterable[str]:
    """Describe each data set in a line: title, rows of the splits, columns, prevalence, licence."""
    for dataset in statistics.datasets:
        data = next(run["data"] for run in statistics.runs if run["dataset"] == dataset)
        rows = data["rows"]
        licence = f"; licence: {data['licence']}" if data["licence"] else ""
        yield (
            f"**{dataset}** ({data['title']}): {rows['train']:,} training, {rows['valid']:,} validation and "
            f"{rows['test']:,} test rows, {data['columns']} columns ({data['categorical']} categorical), "
            f"{data['prevalence']:.1%} positive in test{licence}"
        )
