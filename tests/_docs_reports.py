"""Figures of the committed reports, docs/results/*/results.json, as the documentation quotes them."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

README, GUIDE, METHOD, LOSSES = "README.md", "docs/guide.md", "docs/method.md", "docs/losses.md"
COMPARE = "docs/compare.md"
API, COMING_FROM, INDEX = "docs/api.md", "docs/coming_from.md", "docs/index.md"
DATASETS, DISTRIBUTED, GPU, PLOTS = "docs/datasets.md", "docs/distributed.md", "docs/gpu.md", "docs/plots.md"
SPARK = "docs/spark.md"
PROTOCOLS, SCALING, TORCH = "docs/protocols.md", "docs/scaling.md", "docs/torch.md"
WHEN = "docs/when-it-helps.md"

TEN = 10_000_000

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


@cache
def report(name: str) -> Any:
    return json.loads((RESULTS / name / "results.json").read_text(encoding="utf-8"))


def only(records: list[Any], /, **wanted: Any) -> Any:
    """The one record with these entries."""
    found = [record for record in records if all(record[key] == value for key, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def seconds(case: str, method: str, name: str = "kernels") -> float:
    return float(only(report(name)["cases"], case=case)["methods"][method]["seconds"]["median"])


def times(case: str, slow: str, fast: str, name: str = "kernels") -> float:
    """How many times the time of ``fast`` the method ``slow`` takes."""
    return seconds(case, slow, name) / seconds(case, fast, name)


def plain(n: int, dtype: str = "float64") -> str:
    """The case with one budget for n normal scores."""
    return f"normal/half/{dtype}/unweighted/{n}"


def groups(layout: str) -> str:
    return f"{layout}/float64/unweighted/1000000"


def of_one_problem(layout: str) -> float:
    case = only(report("kernels")["cases"], case=groups(layout))
    return float(case["methods"]["projection"]["ratio_to_one_problem"])


def fastest_loop(layout: str) -> float:
    """The fastest rival that loops over groups (our own ``pav`` knows groups), over ours."""
    methods = only(report("kernels")["cases"], case=groups(layout))["methods"]
    rivals = [name for name in ("numpy_newton", "scipy_isotonic") if "seconds" in methods[name]]
    return min(times(groups(layout), rival, "projection") for rival in rivals)


def fastest_rivals() -> tuple[str, float]:
    """Where a rival that returns a new array comes nearest in float64, and its time over ours."""
    found = {}
    for case in report("kernels")["cases"]:
        if case["dtype"] == "float64" and case["n"] >= 1_000_000 and "distribution" in case:
            rivals = [
                name for name in ("numpy_newton", "jaxopt", "scipy_isotonic", "entmax") if name in case["methods"]
            ]
            timed = [name for name in rivals if "seconds" in case["methods"][name]]
            found[case["case"]] = min(times(case["case"], name, "projection") for name in timed)
    return min(found.items(), key=lambda pair: pair[1])


def saved_by_out() -> list[float]:
    """Share of the time that ``out=`` saves from 10 million rows on."""
    sizes = [plain(n, dtype) for n in (10_000_000, 100_000_000) for dtype in ("float64", "float32")]
    return [1.0 - times(case, "projection_into", "projection") for case in sizes]


def most_extra_mib() -> float:
    """Memory beside inputs and outputs of one call on 100 million scores."""
    cases = (only(report("kernels")["cases"], case=plain(100_000_000, dtype)) for dtype in ("float64", "float32"))
    ours = ("projection", "projection_into", "step_cold")
    found = [case["methods"][name] for case in cases for name in ours if name in case["methods"]]
    return float(max(method["peak_bytes"] - method["output_bytes"] for method in found)) / 2**20


def training(booster: str, rows: int) -> tuple[float, float]:
    """HyperSimplex's time over that of the built-in log loss, and over that of a trivial objective."""
    row = only(report("training")["rows"], booster=booster, rows=rows, objective="hypersimplex")
    return row["ratio_to_log_loss"]["median"], row["ratio_to_trivial"]["median"]


def scaling(rows: int, workers: int, engine: str = "tracker", name: str = "scaling") -> Any:
    return only(report(name)["rows"], engine=engine, rows=rows, workers=workers)


def ratio(rows: int, workers: int, engine: str = "tracker", name: str = "scaling") -> float:
    return float(scaling(rows, workers, engine, name)["ratio_to_log_loss"]["median"])


def memory(way: str, objective: str, columns: int) -> float:
    """Peak MiB of training out of core."""
    return float(only(report("outofcore")["runs"], way=way, objective=objective, columns=columns)["peak_bytes"]) / 2**20


def raw_mib(columns: int) -> float:
    runs = [run for run in report("outofcore")["runs"] if run["columns"] == columns]
    return float(runs[0]["raw_bytes"]) / 2**20


def recipe_auc(dataset: str, loss: str) -> float:
    """Validation AUC of the published scripts' recipe."""
    return float(only(report("tabular-paper")["runs"], dataset=dataset, loss=loss)["valid_auc"])


def recipe_sets() -> list[str]:
    return sorted({run["dataset"] for run in report("tabular-paper")["runs"]})


def recipe_best_lead() -> float:
    """The most by which the recipe's HyperSimplex beats both L2 and log loss, rounded up to three places."""
    leads = [
        recipe_auc(name, "hypersimplex-published") - max(recipe_auc(name, loss) for loss in ("l2", "log-loss"))
        for name in recipe_sets()
    ]
    return math.ceil(max(leads) * 1000) / 1000


def recipe_rows(name: str) -> int:
    rows = only(report("tabular-paper")["runs"], dataset=name, loss="l2")["data"]["rows"]
    return int(sum(rows.values()))


def fair_cases(loss: str, verdict: str) -> list[tuple[str, str, str]]:
    """(data set, booster, metric) of a verdict against log loss."""
    rows = report("tabular-fair")["differences_to_log_loss"]
    return [(r["dataset"], r["booster"], r["metric"]) for r in rows if (r["loss"], r["verdict"]) == (loss, verdict)]


def fair_auc_losses() -> tuple[int, int]:
    """In how many cases log loss has the higher mean AUC than HyperSimplex, and of how many."""
    rows = report("tabular-fair")["differences_to_log_loss"]
    found = [row["mean"] for row in rows if (row["loss"], row["metric"]) == ("hypersimplex", "auc")]
    return sum(value < 0.0 for value in found), len(found)


def vision(figure: str, batch: int, name: str = "vision") -> float:
    """HyperSimplex minus cross entropy, mean over seeds."""
    cells = report(name)["cells"]
    ours, theirs = (only(cells, batch=batch, loss=loss)[figure] for loss in ("hypersimplex-half", "ce"))
    return mean(ours) - mean(theirs)


def vision_p(figure: str, batch: int, name: str = "vision") -> float:
    """p of the paired t-test."""
    from scipy.stats import ttest_rel

    cells = report(name)["cells"]
    ours, theirs = (only(cells, batch=batch, loss=loss)[figure] for loss in ("hypersimplex-half", "ce"))
    return float(ttest_rel(ours, theirs).pvalue)


def vision_trend(figure: str) -> tuple[float, float, float]:
    """Change of the difference per doubling of the batch, and its 95 % interval."""
    row = only(report("vision")["gap_to_cross_entropy_by_batch"], figure=figure)
    return row["slope"], row["low"], row["high"]


def vision_max(loss: str) -> float:
    return mean(only(report("vision-long")["cells"], loss=loss)["max"])


#: Parts of the predicted round.
PARTS = ("objective", "objective_talk", "booster", "booster_talk")


def shares_in_the_band() -> dict[str, float]:
    """Least share of rows that the published recipe keeps in the band, from the report's table."""
    page = (RESULTS / "tabular-paper" / "table.md").read_text(encoding="utf-8")
    table = page.split("## HyperSimplex as published: its step")[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.endswith("% |")]
    return {row[0].split(" ")[0]: float(row[-2].rstrip("%")) / 100 for row in cells}


def nodes(classes: int) -> float:
    """Quadrature nodes of EXACT for scores of unit spread."""
    import numpy as np

    from hsboost._kernels import exact
    from hsboost._kernels.normal import table

    rng = np.random.default_rng(0)
    return float(exact.count_nodes(rng.normal(size=(200, classes)), rng.integers(0, classes, 200), 1.0, table()))


def shipped_bytes() -> int:
    return sum(path.stat().st_size for path in (RESULTS.parents[1] / "datasets" / "shipped").glob("*.parquet"))


def gap_at_the_top(name: str, key: str) -> tuple[float, float]:
    """A method minus log loss in docs/results/top, mean and standard error over the splits."""
    found = report("top")
    gaps = [one[key] - base[key] for one, base in zip(found[name], found["log loss"], strict=True)]
    return mean(gaps), stdev(gaps) / math.sqrt(len(gaps))


def targets_of_budgets(rival: str, name: str = "budgets") -> tuple[int, int, int]:
    """Cells of all rows together, and in how many the default is significantly above and below a tuned rival."""
    found = {one["claim"]: one for one in report(name)["targets"]}
    above, below = (found[f"share of cells {word} tuned {rival}"] for word in ("above", "below"))
    cells = int(above["note"].split()[0])
    return cells, round(above["measured"] * cells), round(below["measured"] * cells)


def target_of_budgets(claim: str, name: str) -> float:
    """The measured figure of a target."""
    return float(only(report(name)["targets"], claim=claim)["measured"])


def gains_of_budgets(name: str, method: str, rival: str = "log-loss") -> list[Any]:
    """Cells of a method beside a tuned rival, at its defaults and with its trials."""
    cells = [one for one in report(name)["cells"] if (one["method"], one["rival"]) == (method, rival)]
    assert cells
    return cells
