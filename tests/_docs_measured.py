"""Sentences of the documentation that quote committed reports; see `_docs_figures`."""

from __future__ import annotations

from typing import Any

import _docs_reports as reports
from _docs_reports import (
    COMING_FROM,
    GUIDE,
    INDEX,
    README,
    SCALING,
    TEN,
    TORCH,
    memory,
    plain,
    ratio,
    seconds,
    times,
    training,
    vision,
    vision_p,
)
from _docs_scripts import script

from benchmarks.quality.tabular.plan import FAIR, QUICK
from benchmarks.quality.thresholds import BUDGETS
from datasets.registry import registry

top = script("figures_top")


def measured() -> list[tuple[str, str, tuple[Any, ...]]]:
    """(page, sentence with room for its numbers, the numbers)."""
    vision_row = " | {:.4f} ({}) | {:.4f} ({}) | {:.4f} ({}) | {:.4f} ({:.4f} … {:+.4f}) |"

    def vision_figures(figure: str, *p: str) -> tuple[Any, ...]:
        trios = ((vision(figure, batch), shown) for batch, shown in zip((64, 256, 1024), p, strict=True))
        for batch, shown in zip((64, 256, 1024), p, strict=True):
            assert float(shown) == float(f"{vision_p(figure, batch):.{len(shown) - 2}f}"), (figure, batch)
        return (*[value for pair in trios for value in pair], *reports.vision_trend(figure))

    cases = reports.report("tabular")["wins"]["hypersimplex"]["l2"][1]
    thresholds = reports.report("thresholds")
    spark = reports.scaling(1_000_000, 2, "spark", "scaling-spark")
    under_spark = "under Spark, 1e6 rows on 2 workers: HyperSimplex against SparkXGBClassifier's log loss"
    named = {
        "training": '`"training"`',
        "holdout": '`"holdout"`, a tenth set aside',
        "auto": '`"auto"` (cross-fitted here)',
    }
    return [
        # Home and "Coming from"
        (INDEX, "Cases (data set × booster, {} in all)", (cases,)),
        (INDEX, "{} seeds, at most {:,} training rows", (QUICK.seeds, QUICK.rows)),
        (
            COMING_FROM,
            "LightGBM, {} trees of {} leaves, learning rate {}, nothing tuned, the shipped nycflights13 (which flights "
            "leave late; {:.0f} % do): {:,} training rows, test rows of other days (a fifth of all), {} splits.",
            (
                *(top.TREES[key] for key in ("n_estimators", "num_leaves", "learning_rate")),
                100 * registry()["nycflights13"].positive_rate,
                top.ROWS,
                len(top.SEEDS),
            ),
        ),
        # The guide: where predict cuts
        *[
            (
                GUIDE,
                f"| {'LightGBM' if row['booster'] == 'lightgbm' else 'XGBoost'} | {named[row['threshold']]} | "
                "{:.0f} % | {:.0f} % | {:.1f} |",
                (100 * row["median"], 100 * row["ninety"], row["time"]),
            )
            for row in thresholds["off_the_budget"]
        ],
        (
            GUIDE,
            "of at most {:,} training rows, {} trees of either booster's defaults, k of {:.0f} %, {:.0f} % and the "
            "prevalence",
            (
                thresholds["settings"]["rows"],
                thresholds["settings"]["trees"],
                *(100 * k for k in BUDGETS.values() if k is not None),
            ),
        ),
        # README: the comparisons
        (README, "{} seeds, at most {:,} training rows, figures on test", (QUICK.seeds, QUICK.rows)),
        (
            README,
            "Cases (data set × booster, {} in all)",
            (reports.report("tabular")["wins"]["hypersimplex"]["l2"][1],),
        ),
        (
            README,
            "copies of a few thousand to {:,} rows",
            (round(max(map(reports.recipe_rows, reports.recipe_sets())), -4),),
        ),
        (README, "both L2 and log loss on validation by more than {:.3f}", (reports.recipe_best_lead(),)),
        *[
            (README, "on HIGGS it loses {:.2f} to either", (gap,))
            for gap in (
                reports.recipe_auc("higgs", loss) - reports.recipe_auc("higgs", "hypersimplex-published")
                for loss in ("l2", "log-loss")
            )
        ],
        (README, "at most {:,} training rows, {} seeds, both boosters)", (FAIR.rows, FAIR.seeds)),
        (README, "Of {} cases (data set × booster) HyperSimplex is better", (reports.fair_auc_losses()[1],)),
        (README, "Log loss has the higher mean AUC in {} of the {}.", reports.fair_auc_losses()),
        (README, "What {} seeds can tell apart is little", (FAIR.seeds,)),
        # README: the costs
        (
            README,
            "Projection of 10 million float64 scores into a new array: {:.1f} times a `numpy.copyto` of the array; "
            "{:.1f} times "
            "faster than a naive NumPy Newton search, the fastest rival, {:.0f} times faster than our own "
            "pool-adjacent-violators, which sorts, and {:.0f} times faster than sorting with SciPy's isotonic "
            "regression",
            (
                times(plain(TEN), "projection", "copy"),
                *[times(plain(TEN), slow, "projection") for slow in ("numpy_newton", "pav", "scipy_isotonic")],
            ),
        ),
        (
            README,
            "(`out=`): {:.1f} times a copy, {:.1f} times faster than NumPy without",
            (times(plain(TEN), "projection_into", "copy"), times(plain(TEN), "numpy_in_place", "projection_into")),
        ),
        (
            README,
            "1 million scores, all saturated, in two far clusters of the same size (the naive search takes {:.2f} "
            "of our",
            (reports.fastest_rivals()[1],),
        ),
        (
            README,
            "took {:.1f} instead of {:.1f} ms ({:.1f} times faster than the naive search), with `out=` {:.1f} "
            "instead of {:.1f} ms",
            (
                1e3 * seconds(plain(TEN), "projection", "kernels-second"),
                1e3 * seconds(plain(TEN), "projection"),
                times(plain(TEN), "numpy_newton", "projection", "kernels-second"),
                1e3 * seconds(plain(TEN), "projection_into", "kernels-second"),
                1e3 * seconds(plain(TEN), "projection_into"),
            ),
        ),
        (
            README,
            "1 million float64 scores: 10,000 groups sorted by label take {:.1f} times one problem of that size, "
            "{:.0f} times less "
            "than the fastest rival in a loop over groups; 10 groups {:.1f} times, {:.1f} times less. Shuffled "
            "rows take {:.0f} "
            "and {:.0f} times",
            (
                reports.of_one_problem("many_sorted"),
                reports.fastest_loop("many_sorted"),
                reports.of_one_problem("few_sorted"),
                reports.fastest_loop("few_sorted"),
                reports.of_one_problem("many_shuffled"),
                reports.of_one_problem("few_shuffled"),
            ),
        ),
        (
            README,
            "Gradient and curvature of 10 million float32 predictions: {:.1f} times a kernel that only reads and "
            "writes the same "
            "arrays in the second and later rounds, {:.1f} times in the first",
            tuple(times(plain(TEN, "float32"), step, "stream") for step in ("step_warm", "step_cold")),
        ),
        *[
            (
                README,
                text,
                (xgb[0], lgb[0], xgb[1], lgb[1]),
            )
            for text, xgb, lgb in (
                (
                    "1 million rows × 28, 100 rounds: {:.2f} of the time with built-in log loss on XGBoost, {:.2f} "
                    "on LightGBM; "
                    "{:.2f} and {:.2f} of a one-line NumPy objective",
                    training("xgboost", 1_000_000),
                    training("lightgbm", 1_000_000),
                ),
                (
                    "5 million rows: {:.2f} and {:.2f}, {:.2f} and {:.2f}",
                    training("xgboost", 5_000_000),
                    training("lightgbm", 5_000_000),
                ),
                (
                    "100,000 rows: {:.2f} and {:.2f}, {:.2f} and {:.2f}",
                    training("xgboost", 100_000),
                    training("lightgbm", 100_000),
                ),
            )
        ],
        (README, "100 million scores need {:.0f} MiB at most beside inputs and outputs", (reports.most_extra_mib(),)),
        (
            README,
            "Two workers under Dask, 1 million rows: {:.2f} of the time with built-in log loss, {:.2f} in [another "
            "run](docs/results/scaling-spark/table.md), and {:.2f} under Spark there; two or three all-reduce calls of "
            "{:.1f} KB a round; 3 million flights with 64 columns, out of core: {:.0f} MiB for {:.0f} MiB of "
            "features",
            (
                ratio(1_000_000, 2, "dask"),
                ratio(1_000_000, 2, "dask", "scaling-spark"),
                ratio(1_000_000, 2, "spark", "scaling-spark"),
                max(row["traffic"]["largest"] for row in reports.report("scaling")["rows"]) / 1000,
                memory("out of core", "hypersimplex", 64),
                reports.raw_mib(64),
            ),
        ),
        (
            README,
            "on {:,} pictures of CIFAR-10 (JPEG copy, small network, {} epochs, {} seeds) it was {:.1f} points of "
            "test accuracy "
            "behind cross entropy at batch 64 (p {:.2f}) and {:.1f} at 1024 (p {:.2f})",
            (
                reports.report("vision")["data"]["cifar10"]["rows"]["train"],
                reports.report("vision")["settings"]["epochs"],
                len(reports.report("vision")["cells"][0]["seeds"]),
                -100 * vision("max", 64),
                vision_p("max", 64),
                -100 * vision("max", 1024),
                vision_p("max", 1024),
            ),
        ),
        # Scaling
        (
            SCALING,
            "{} rounds, {} repeats ([the full report]",
            tuple(reports.report("scaling")["settings"][name] for name in ("rounds", "repeats")),
        ),
        (
            SCALING,
            "{:.2f} under Dask, which misses its bound of {:.2f}, and {:.2f} times `SparkXGBClassifier`'s log loss "
            "under Spark, which meets it (quartiles {:.2f} and {:.2f}). The objective's own share of a round is "
            "{:.0f} % on both",
            (
                ratio(1_000_000, 2, "dask", "scaling-spark"),
                reports.only(reports.report("scaling-spark")["targets"], claim=under_spark)["bound"],
                *(spark["ratio_to_log_loss"][name] for name in ("median", "q1", "q3")),
                spark["share_inside_objective"] * 100,
            ),
        ),
        (
            SCALING,
            "all-reduce calls of at most {:,} bytes; a first round ten at most",
            (max(row["traffic"]["largest"] for row in reports.report("scaling")["rows"]),),
        ),
        (
            SCALING,
            "under Dask: {:.2f} times the training time of `binary:logistic` (repeats from {:.2f} to {:.2f}); "
            "through the tracker "
            "alone {:.2f}. Ten million rows on two workers: {:.2f}.",
            (
                ratio(1_000_000, 2, "dask"),
                *map(float, reports.report("scaling")["targets"][2]["note"].split("; ")[1].split("–")),
                ratio(1_000_000, 2),
                ratio(TEN, 2),
            ),
        ),
        (
            SCALING,
            "100,000 rows on four workers that share two cores take {:.2f} times log loss, and spend {:.0f} % of "
            "the training in",
            (ratio(100_000, 4), 100 * reports.scaling(100_000, 4)["share_in_reductions"]),
        ),
        (
            SCALING,
            "without a search over many, the ratio is {:.2f} to {:.2f}",
            tuple(f(ratio(rows, 1) for rows in (100_000, 1_000_000, TEN)) for f in (min, max)),
        ),
        (SCALING, "at depth {}, and XGBoost adds up", (reports.report("scaling")["params"]["max_depth"],)),
        (
            SCALING,
            "a round of the largest case would take {:.1f} s, {:.1f} s of it in the objective's two calls",
            (
                sum(reports.report("scaling")["cost_model"]["prediction"][part] for part in reports.PARTS),
                reports.report("scaling")["cost_model"]["prediction"]["objective_talk"],
            ),
        ),
        (
            SCALING,
            "price of a ring step as measured here, {:.1f} ms",
            (1e3 * reports.report("scaling")["cost_model"]["objective"]["step"],),
        ),
        (
            SCALING,
            "it took {:.0f} MiB, {:.2f} of the features' {:.0f} MiB; log loss took {:.0f} MiB, and the same rows "
            "in memory {:,.0f} "
            "MiB. With the flights' own 8 columns ({:.0f} MiB) out of core takes {:.0f} MiB and in memory {:.0f} MiB",
            (
                memory("out of core", "hypersimplex", 64),
                memory("out of core", "hypersimplex", 64) / reports.raw_mib(64),
                reports.raw_mib(64),
                memory("out of core", "log_loss", 64),
                memory("in memory", "hypersimplex", 64),
                reports.raw_mib(8),
                memory("out of core", "hypersimplex", 8),
                memory("in memory", "hypersimplex", 8),
            ),
        ),
        # PyTorch
        (
            TORCH,
            "{:,} training and {:,} validation pictures (drawn anew for each of {} seeds) and all {:,} test "
            "pictures, {} channels, "
            "{} epochs, Adam 1e-3",
            (
                *[reports.report("vision")["data"]["cifar10"]["rows"][part] for part in ("train", "valid")],
                len(reports.report("vision")["cells"][0]["seeds"]),
                reports.report("vision")["data"]["cifar10"]["rows"]["test"],
                reports.report("vision")["settings"]["hidden"],
                reports.report("vision")["settings"]["epochs"],
            ),
        ),
        (TORCH, "mean of {} seeds with p of the paired t-test", (len(reports.report("vision")["cells"][0]["seeds"]),)),
        (TORCH, "figure)" + vision_row, vision_figures("max", "0.27", "0.016", "0.010")),
        (TORCH, "after the last epoch" + vision_row, vision_figures("final", "0.056", "0.012", "0.001")),
        (TORCH, "chosen on validation rows" + vision_row, vision_figures("selected", "0.48", "0.020", "0.009")),
        (TORCH, "from their cuts" + vision_row, vision_figures("aligned", "0.45", "0.10", "0.047")),
        (
            TORCH,
            "after {} epochs at batch 1024 ({} seeds only) it is {:.3f} behind in the maximum ({:.4f} and {:.4f}), "
            "{:.3f} in the last "
            "epoch, {:.3f} at the epoch chosen on validation rows, and {:.3f} ahead",
            (
                reports.report("vision-long")["settings"]["epochs"],
                len(reports.report("vision-long")["cells"][0]["seeds"]),
                -vision("max", 1024, "vision-long"),
                reports.vision_max("hypersimplex-half"),
                reports.vision_max("ce"),
                *[-vision(figure, 1024, "vision-long") for figure in ("final", "selected")],
                vision("aligned", 1024, "vision-long"),
            ),
        ),
    ]
