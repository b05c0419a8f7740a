"""The report's text: how the figures were computed, how to read them, and on which data."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.evaluate import ECE_BINS
from benchmarks.quality.tabular.losses import (
    BASELINE,
    DEFAULT_LOSSES,
    EVERY_LOSS,
    QUERY_ROWS,
    ClassWeighted,
    Hypersimplex,
    Ranking,
)
from benchmarks.quality.tabular.plan import PAPER, Protocol
from benchmarks.quality.tabular.resample import SAMPLES
from benchmarks.quality.tabular.statistics import Statistics
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Cell

MARKED = (
    "Figures are on test: mean ± standard deviation over seeds. ▲ better and ▼ worse than log loss: the 95 % "
    "interval of the difference paired by seed excludes zero. Bold: the best loss of a column, where that is "
    "outside noise. Many intervals are drawn: about one in twenty is expected to exclude zero by chance."
)
CORRECTED = (
    "Figures are on test: mean ± standard deviation over seeds. ▲ better and ▼ worse than log loss: Holm's p, over all "
    "differences of the metric in this report, is below 0.05. Intervals are 95 % for one difference, uncorrected. "
    "Where each seed has a split of its own, the standard error is Nadeau and Bengio's for overlapping training rows; "
    f"where all seeds share their test rows it adds the seeds' spread and that of {SAMPLES} bootstrap samples of the "
    "test rows; with one seed it is the bootstrap's."
)
METRICS = (
    "P@k is precision among the k highest scores. Accuracy uses, for every loss, the cut with the highest "
    "accuracy on validation. Log loss is, for every loss, of probabilities calibrated by isotonic "
    "regression on validation; own log loss is of the loss's own probabilities, which only log loss defines."
)
SECONDS = (
    "Seconds are boosting alone (no data preparation, no validation metric), after an untimed warm-up. The "
    "two ratios compare total time, and time per boosting round, with log loss of the same seed: the median "
    "over seeds, because one disturbed run would move a mean."
)


def heading(statistics: Statistics, dataset: str) -> Cell:
    """Name a data set for a table: a published one with the number of rows used, which are rarely all."""
    data = statistics.data(dataset)
    used = sum(data["rows"].values())
    return Cell(f"{dataset} ({used:,} rows)", brief=dataset) if data.get("here") else Cell(dataset)


def notes(statistics: Statistics, settings: Record, protocol: Protocol) -> list[str]:
    """Explain how the figures were computed and how to read them, with the caveats."""
    seeds = sorted({run["seed"] for run in statistics.runs})
    cap = "all rows" if settings["rows"] is None else f"at most {settings['rows']:,} rows of each split"
    source = "" if settings["data_dir"] is None else " (published rows, where a data folder has them)"
    start = f"{len(statistics.runs)} runs; seeds {', '.join(map(str, seeds))}; {cap}{source}; "
    found = [start + _training(settings, protocol), CORRECTED if statistics.corrected else MARKED, METRICS]
    if statistics.corrected:
        found.append(
            f"ECE: expected calibration error of the calibrated probabilities, {ECE_BINS} bins of equal counts."
        )
    found.append(SECONDS)
    losses = set(statistics.losses)
    if Hypersimplex.name in losses:
        found.append(
            "HyperSimplex is trained with k at the training prevalence: it aims at P@prevalence, not at "
            "smaller budgets."
        )
    rivals = {ClassWeighted.name, Ranking.name}
    if {name for name in losses if name in EVERY_LOSS} - set(DEFAULT_LOSSES) - rivals and protocol is not PAPER:
        found.append(
            "The other losses are hsboost's, with their default parameters, started from the loss's best constant "
            "score where it has one in closed form."
        )
    if Ranking.name in losses:
        found.append(
            f"LambdaMART (LightGBM's lambdarank, XGBoost's rank:ndcg) ranks within random queries of some {QUERY_ROWS} "
            "training rows, truncated at the positives that such a query is expected to hold. One query of all rows is "
            "beyond LightGBM (10,000 rows at most)."
        )
    if len(seeds) > 1:
        found.append(
            "The seeds draw from the same rows and overlap, so the intervals are narrower than fresh data "
            "would make them."
            if not statistics.corrected
            else "All seeds draw from one table: the intervals hold for the population of that table only."
        )
    if (fixed := statistics.fixed_splits()) and not statistics.corrected:
        found.append(
            f"The test rows of {', '.join(fixed)} are the same for every seed: there the intervals show the "
            "variation of training only."
        )
    elif fixed:
        found.append(f"Every seed has the same test rows in: {', '.join(fixed)}.")
    if BASELINE not in statistics.losses:
        found.append("Log loss was not run, so nothing is compared to it.")
    return found


def _training(settings: Record, protocol: Protocol) -> str:
    """Explain how the models were trained and selected."""
    if protocol is PAPER:
        rounds = "the script's rounds" if settings["rounds"] is None else f"at most {settings['rounds']} rounds"
        return (
            f"the published scripts' LightGBM parameters and stopping rule (10 rounds without a better validation "
            f"{settings['selection']}), {rounds}, ids as numbers. The scripts select and report on the same rows: the "
            "first table's figures are on validation, at the round that is best there, and too high for every loss."
        )
    text = (
        f"at most {settings['rounds']} rounds at learning rate {settings['learning_rate']}, stopped after "
        f"{settings['patience']} rounds without a better validation {settings['selection']}. Within a "
        "booster every loss gets the same trees' settings, splits, selection metric and stopping rule."
    )
    if not settings.get("trials"):
        return text
    searched = "; ".join(
        f"{booster.label}: "
        + ", ".join(f"{name} {space.low:g}–{space.high:g}" for name, space in booster.space().items())
        for booster in BOOSTERS.values()
    )
    return (
        f"at most {settings['rounds']} rounds, stopped after {settings['patience']} rounds without a better "
        f"validation {settings['selection']}. Every loss was tuned on validation, for each split, by "
        f"{settings['trials']} trials of Optuna's TPE, none begun after {settings['tune_seconds']:g} seconds of "
        f"training; the first takes the defaults. Searched: {searched}; and "
        "one or two parameters of the loss's own where it has some."
    )


def data_lines(statistics: Statistics) -> Iterable[str]:
    """Describe each data set in a line: title, rows of the splits, columns, prevalence, licence, kind of copy."""
    for dataset in statistics.datasets:
        data = statistics.data(dataset)
        rows = data["rows"]
        licence = f"; licence: {data['licence']}" if data["licence"] else ""
        here = data.get("here")
        yield (
            f"**{dataset}** ({data['title']}): {rows['train']:,} training, {rows['valid']:,} validation and "
            f"{rows['test']:,} test rows, {data['columns']} columns ({data['categorical']} categorical), "
            f"{data['prevalence']:.1%} positive in test{licence}" + (f". {here}" if here else "")
        )
