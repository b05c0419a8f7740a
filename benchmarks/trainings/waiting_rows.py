"""The rows of the waiting benchmark: what is timed, what it is divided by, and the bound of that ratio.

This module runs within processes of either build, so that it uses nothing that only one of them has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[[], Any]

#: The number of the turn that is a profile.
PROFILE = -1

#: Rows of the calls, of the evaluation sets and of the first fit.
MANY, WATCHED, FEW = 1_000_000, 100_000, 2_000


@dataclass(frozen=True)
class Row:
    """One row: ``make(scale)`` prepares the calls ``measured`` and ``base``, whose times are divided.

    ``long``: calls of seconds, which are timed less often. ``kind`` is ``ratio``; ``memory``, where the calls' peaks
    are divided; ``figure``, where what they return is divided; or ``process``, where the row is a ``script``, timed in
    a new process from start to end against the other build (``cached``: with the compiled kernels on disk;
    ``alone``: only the part that the script times itself).
    """

    claim: str
    bound: float
    make: Callable[[float], Mapping[str, Call]] | None = None
    long: bool = False
    kind: str = "ratio"
    script: str = ""
    cached: bool = False
    alone: bool = False
    at_least: bool = False


def _grouped(groups: int, shuffled: bool) -> Callable[[float], Mapping[str, Call]]:
    """The projection in groups, and of the same rows as one problem; of the most groups the budgets are a mapping."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import project_hypersimplex

        rng = np.random.default_rng(0)
        n = int(MANY * scale)
        x, labels = rng.standard_normal(n), rng.integers(0, groups, n)
        labels = labels if shuffled else np.sort(labels)
        mass = 0.05 * n / groups
        k = {g: min(mass, float((labels == g).sum())) for g in range(groups)} if groups > 1000 else mass
        return {
            "measured": lambda: project_hypersimplex(x, k, groups=labels),
            "base": lambda: project_hypersimplex(x, 0.05 * n),
        }

    return make


def _boosters(name: str, rounds: int, **settings: Any) -> Any:
    if name == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(n_estimators=rounds, **settings)
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=rounds, verbose=-1, **settings)


def _table(n: int, columns: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, columns), dtype=np.float32)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + rng.standard_normal(n) > 1.5).astype(np.int64)


def _grouped_training(name: str) -> Callable[[float], Mapping[str, Call]]:
    """Twenty rounds on shuffled groups, and on the same rows sorted by group."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HSClassifier

        n = int(MANY * scale)
        X, y = _table(n)
        groups = np.random.default_rng(1).integers(0, 1000, n)
        order = np.argsort(groups, kind="stable")
        sorted_rows = X[order], y[order], groups[order]

        def fit(X: Any, y: Any, groups: Any) -> Call:
            return lambda: HSClassifier(_boosters(name, 20), k=0.05).fit(X, y, groups=groups)

        return {"measured": fit(X, y, groups), "base": fit(*sorted_rows)}

    return make


def _watched(name: str) -> Callable[[float], Mapping[str, Call]]:
    """``fit`` with an evaluation set in groups of four rows, and with the set alone."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HSClassifier

        n = int(WATCHED * scale)
        X, y = _table(n)
        pair = _table(n, seed=2)
        groups = np.random.default_rng(1).integers(0, n // 4, n)

        def fit(**more: Any) -> Call:
            model = HSClassifier(_boosters(name, 20), k=1)
            return lambda: model.fit(X, y, groups=groups, eval_set=pair, **more)

        return {"measured": fit(eval_groups=groups), "base": fit()}

    return make


def _classes(contiguous: bool) -> Callable[[float], Mapping[str, Call]]:
    """Ten classes at once, and one after the other, as many results kept."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HypersimplexLoss

        rng = np.random.default_rng(0)
        n, classes = int(MANY * scale), 10
        x, y = rng.standard_normal((n, classes)), rng.integers(0, classes, n)
        columns = [(np.ascontiguousarray(x[:, c]), (y == c).astype(np.float32)) for c in range(classes)]
        scores = x if contiguous else np.asfortranarray(x)
        loss = HypersimplexLoss()
        return {
            "measured": lambda: loss.gradient_hessian(y, scores),
            "base": lambda: [loss.gradient_hessian(of, column) for column, of in columns],
        }

    return make


def far_scores(n: int) -> dict[str, np.ndarray]:
    """Scores over many orders of magnitude."""
    rng = np.random.default_rng(0)

    def powers(least: float, most: float) -> np.ndarray:
        return np.asarray(np.sign(rng.standard_normal(n)) * 10.0 ** rng.uniform(least, most, n))

    return {
        "power law": powers(0, 240),
        "power law of both ends": powers(-300, 300),
        "log-normal": np.exp(50 * rng.standard_normal(n)),
        "a million temperatures": 1e6 * rng.standard_normal(n),
    }


def _far(name: str) -> Callable[[float], Mapping[str, Call]]:
    """The projection of scores far apart, at three budgets, and of normal ones."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import project_hypersimplex

        n = int(MANY * scale)
        far, near = far_scores(n)[name], np.random.default_rng(0).standard_normal(n)

        def project(x: np.ndarray) -> Call:
            return lambda: [project_hypersimplex(x, share * n) for share in (0.01, 0.3, 0.5)]

        return {"measured": project(far), "base": project(near)}

    return make


def _queue(name: str) -> Callable[[float], Mapping[str, Call]]:
    """``predict_top_k`` and the booster's own scores of the same rows."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HSClassifier

        X, y = _table(int(MANY * scale))
        model = HSClassifier(_boosters(name, 100), k=0.05).fit(X[:20_000], y[:20_000])
        option = "output_margin" if name == "xgboost" else "raw_score"
        return {
            "measured": lambda: model.predict_top_k(X),
            "base": lambda: model.estimator_.predict(X, **{option: True}),
        }

    return make


def _memory(name: str) -> Callable[[float], Mapping[str, Call]]:
    """What ``fit`` adds to the data, and what the booster's own wrapper adds."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HSClassifier

        X, y = _table(int(2 * MANY * scale), 28)
        return {
            "measured": lambda: HSClassifier(_boosters(name, 2), threshold="training").fit(X, y),
            "base": lambda: _boosters(name, 2).fit(X, y),
        }

    return make


def _smooth(scale: float) -> Mapping[str, Call]:
    """A warm step of the smooth loss, and of the Euclidean one."""
    from hsboost.losses import get_loss

    rng = np.random.default_rng(0)
    n = int(MANY * scale)
    x, y = rng.standard_normal(n).astype(np.float32), (rng.random(n) < 0.1).astype(np.float32)

    def step(name: str) -> Call:
        loss: Any = get_loss(name)
        state = loss.boosting_step(y, x, None, None)[2]
        return lambda: loss.boosting_step(y, x, None, state)

    return {"measured": step("hypersimplex-smooth"), "base": step("hypersimplex")}


#: Share of each group's rows in the rows about budgets per group, and how many groups there are.
SHARE, GROUPS = 0.05, 1000


def _groups(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features and labels of rows in groups, sorted by them, and the size of each group."""
    X, y = _table(n, seed=seed)
    groups = np.sort(np.random.default_rng(seed + 1).integers(0, GROUPS, n))
    return X, y, np.unique(groups, return_counts=True)[1]


#: LightGBM's settings for trees of a tenth of the rows each; losses still see every row.
TENTH = {"bagging_fraction": 0.1, "bagging_freq": 1}


def _rankers(n: int) -> Callable[..., Call]:
    """Twenty rounds of LightGBM on rows in groups, for each objective; LambdaMART truncates where the budget ends."""
    import lightgbm as lgb

    X, y, sizes = _groups(n, 0)

    def train(objective: Any, **settings: Any) -> Call:
        params = {"objective": objective, "verbose": -1} | settings
        if objective == "lambdarank":
            params["lambdarank_truncation_level"] = round(SHARE * n / GROUPS)
        rows = lgb.Dataset(X, y, group=sizes).construct()
        return lambda: lgb.train(params, rows, 20)

    return train


def _ranker(rival: str) -> Callable[[float], Mapping[str, Call]]:
    """Budgets per group with LightGBM, and a rival on the same rows."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HypersimplexObjective

        train = _rankers(int(MANY * scale))
        own = train(HypersimplexObjective(SHARE, groups="dataset"))
        if rival == "binary":
            return {"measured": own, "base": train(rival)}
        return {"measured": train(rival), "base": own}

    return make


def _sampled(scale: float) -> Mapping[str, Call]:
    """Budgets per group with trees of a tenth of the rows, and log loss with trees of all."""
    from hsboost import HypersimplexObjective

    train = _rankers(int(MANY * scale))
    own = train(HypersimplexObjective(SHARE, groups="dataset"), **TENTH)
    return {"measured": own, "base": train("binary")}


def _ranked(rival: Any, **settings: Any) -> Callable[[float], Mapping[str, Call]]:
    """Precision at the budget, on other rows: of budgets per group, trained so, and of a rival (None: all rows)."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import HypersimplexObjective, precision_at_k

        n = int(MANY * scale)
        train = _rankers(n)
        X, y, sizes = _groups(n, 2)
        groups = np.repeat(np.arange(sizes.size), sizes)

        def precision(objective: Any, **settings: Any) -> Call:
            call = train(objective, **settings)
            return lambda: precision_at_k(y, call().predict(X, raw_score=True), SHARE, groups=groups)

        own = HypersimplexObjective(SHARE, groups="dataset")
        return {"measured": precision(own, **settings), "base": precision(own if rival is None else rival)}

    return make


def _smooth_training(name: str) -> Callable[[float], Mapping[str, Call]]:
    """Twenty rounds with the smooth loss, and with the booster's own log loss."""

    def make(scale: float) -> Mapping[str, Call]:
        from hsboost import LossObjective
        from hsboost.losses import get_loss

        X, y = _table(int(MANY * scale), 28)
        smooth = LossObjective(get_loss("hypersimplex-smooth"))
        if name == "xgboost":
            import xgboost as xgb

            matrix = xgb.DMatrix(X, y)
            return {
                "measured": lambda: xgb.train({"base_score": 0.0}, matrix, 20, obj=smooth),
                "base": lambda: xgb.train({"objective": "binary:logistic"}, matrix, 20),
            }
        import lightgbm as lgb

        rows = lgb.Dataset(X, y).construct()
        return {
            "measured": lambda: lgb.train({"objective": smooth, "verbose": -1}, rows, 20),
            "base": lambda: lgb.train({"objective": "binary", "verbose": -1}, rows, 20),
        }

    return make


#: The first fit of a process.
FIRST_FIT = f"""
import numpy as np
from hsboost import HSClassifier
rng = np.random.default_rng(0)
X = rng.standard_normal(({FEW}, 10))
y = (X[:, 0] + rng.standard_normal({FEW}) > 1.0).astype(int)
model = HSClassifier()
"""
#: Builds that choose where the threshold comes from may train further models for it; others take the training rows.
_SAME_WORK = 'model.set_params(**{"threshold": "training"} if "threshold" in model.get_params() else {})\n'

#: Every library is there already; prints the seconds of the fit.
_ALONE = """
import time
import xgboost
xgboost.XGBClassifier(n_estimators=1).fit(X, y)
start = time.perf_counter()
model.fit(X, y)
print(time.perf_counter() - start)
"""

_ONE = "one problem of a million rows"
ROWS: dict[str, Row] = {
    **{
        f"first_fit{key}{'_cached' if cached else ''}": Row(
            f"first fit in a new process, {told}, {'kernels on disk' if cached else 'nothing cached'}, against the "
            "other build's",
            bound,
            kind="process",
            script=f"{FIRST_FIT}{first}model.fit(X, y)\n",
            cached=cached,
        )
        for key, told, first in (("", "threshold of the training rows", _SAME_WORK), ("_default", "all defaults", ""))
        for cached, bound in ((False, 0.45), (True, 0.6))
    },
    **{
        f"first_fit_alone{'_cached' if cached else ''}": Row(
            f"first fit in a new process, the fit alone, {'kernels on disk' if cached else 'nothing cached'}, against "
            "the other build's",
            bound,
            kind="process",
            script=f"{FIRST_FIT}{_SAME_WORK}{_ALONE}",
            cached=cached,
            alone=True,
        )
        for cached, bound in ((False, 0.45), (True, 0.6))
    },
    **{
        f"{order}_{groups}": Row(
            f"project_hypersimplex, {groups:,} {order} groups, against {_ONE}",
            bound,
            _grouped(groups, order == "shuffled"),
        )
        for order, bounds in (("shuffled", (4, 5, 8)), ("sorted", (1.3, 2, 4)))
        for groups, bound in zip((10, 1_000, 10_000), bounds, strict=True)
    },
    "training_shuffled": Row(
        "LightGBM, 20 rounds, 1,000 shuffled groups, against sorted ones", 1.3, _grouped_training("lightgbm"), True
    ),
    **{
        f"eval_groups_{name}": Row(
            f"{name}, fit with eval_groups of four rows, against eval_set alone", 1.3, _watched(name), True
        )
        for name in ("xgboost", "lightgbm")
    },
    "classes_rows": Row("gradient of ten classes, row by row in memory, against ten columns", 1.5, _classes(True)),
    "classes_columns": Row("the same, column by column", 1.5, _classes(False)),
    **{
        f"far_{i}": Row(f"projection of far scores ({name}) against normal ones", 15.0, _far(name))
        for i, name in enumerate(far_scores(1))
    },
    **{
        f"queue_{name}": Row(f"{name}, predict_top_k against the booster's own predict", 1.08, _queue(name), True)
        for name in ("xgboost", "lightgbm")
    },
    **{
        f"memory_{name}": Row(
            f"{name}, memory that fit adds against the booster's own wrapper", 1.6, _memory(name), True, "memory"
        )
        for name in ("xgboost", "lightgbm")
    },
    "smooth": Row("smooth loss, a warm step against the Euclidean one", 1.6, _smooth),
    **{
        f"smooth_training_{name}": Row(
            f"{name}, a million rows with the smooth loss, against built-in log loss",
            1.08,
            _smooth_training(name),
            True,
        )
        for name in ("xgboost", "lightgbm")
    },
    "groups_log_loss": Row("LightGBM, budgets per group against log loss", 0.9, _ranker("binary"), True),
    "groups_lambdamart": Row("LambdaMART (truncated at k) against LightGBM with budgets per group", 6.0,
                             _ranker("lambdarank"), True, at_least=True),
    "groups_precision": Row("precision at k on other rows, budgets per group against LambdaMART (truncated at k)", 1.0,
                            _ranked("lambdarank"), True, "figure", at_least=True),
    "sampled": Row("LightGBM, budgets per group, trees of a tenth of the rows, against log loss, trees of all", 1.0,
                   _sampled, True),
    "sampled_precision": Row("precision at k on other rows, trees of a tenth of the rows against trees of all", 0.99,
                             _ranked(None, **TENTH), True, "figure", at_least=True),
}  # fmt: skip


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let every library use so many threads."""
    from benchmarks.suite import measure

    with measure.pinned(count):
        yield
