"""Shared by the objective tests: data, parameters, readable trees, and the objective again in slow NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb
from sklearn.metrics import average_precision_score

#: Exact splits: no quantile sketch whose bins would follow the weights.
XGB: dict[str, Any] = {
    "nthread": 1, "max_depth": 3, "tree_method": "exact", "base_score": 0.0, "verbosity": 0, "seed": 0,
    "objective": "reg:squarederror",
}  # fmt: skip
LGB: dict[str, Any] = {
    "num_threads": 1, "num_leaves": 8, "verbose": -1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip


def make_data(n: int = 500, seed: int = 0, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 5) and noisy labels, ``share`` of them 1; each value a LightGBM bin."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).round(1)
    score = X[:, 0] + X[:, 1] * X[:, 2] + 0.7 * rng.normal(size=n)
    return X, (score > np.quantile(score, 1.0 - share)).astype(np.float64)


def make_weight(n: int, seed: int = 1) -> np.ndarray:
    """Weights between 0.2 and 3, exact in float32."""
    return np.random.default_rng(seed).uniform(0.2, 3.0, n).astype(np.float32)


def xgb_data(X: np.ndarray, y: np.ndarray | None = None, **kwargs: Any) -> xgb.DMatrix:
    return xgb.DMatrix(X, label=y, nthread=1, **kwargs)


def train_xgb(obj: Any, dtrain: xgb.DMatrix, rounds: int = 5, **params: Any) -> xgb.Booster:
    return xgb.train({**XGB, **params}, dtrain, rounds, obj=obj)


def lgb_data(X: np.ndarray, y: np.ndarray | None = None, **kwargs: Any) -> lgb.Dataset:
    return lgb.Dataset(X, y, free_raw_data=False, params={"min_data_in_bin": 1, "verbose": -1}, **kwargs)


def train_lgb(obj: Any, dtrain: lgb.Dataset, rounds: int = 5, **params: Any) -> lgb.Booster:
    return lgb.train({**LGB, "objective": obj, **params}, dtrain, rounds)


def train_any(
    booster: str, obj: Any, X: np.ndarray, y: np.ndarray, rounds: int = 5, weight: Any = None, **params: Any
) -> Any:
    """A model of either booster."""
    if booster == "xgboost":
        return train_xgb(obj, xgb_data(X, y, weight=weight), rounds, **params)
    return train_lgb(obj, lgb_data(X, y, weight=weight), rounds, **params)


def raw(booster: xgb.Booster | lgb.Booster, X: np.ndarray) -> np.ndarray:
    """Raw scores, float64."""
    if isinstance(booster, xgb.Booster):
        return booster.predict(xgb_data(X), output_margin=True).astype(np.float64)
    return np.asarray(booster.predict(X, raw_score=True, num_threads=1))


def trees(booster: xgb.Booster | lgb.Booster) -> list[Any]:
    """Every digit of every tree: for models that must be the same model."""
    # LightGBM: statistics beside splits and leaves lose digits in the text through which `lgb.train` passes.
    if isinstance(booster, xgb.Booster):
        return [json.loads(tree) for tree in booster.get_dump(dump_format="json", with_stats=True)]
    return [*splits(booster), *leaves(booster)]


def splits(booster: xgb.Booster | lgb.Booster) -> list[tuple[Any, ...]]:
    """(tree, node, feature, threshold) of every node, leaves with an empty threshold."""
    frame = booster.trees_to_dataframe()
    if isinstance(booster, xgb.Booster):
        columns = frame[["Tree", "Node", "Feature", "Split"]]
    else:
        columns = frame[["tree_index", "node_index", "split_feature", "threshold"]]
    return list(columns.astype(object).where(columns.notna(), None).itertuples(index=False, name=None))


def leaves(booster: xgb.Booster | lgb.Booster) -> np.ndarray:
    """Values of all leaves, in the order of `splits`."""
    frame = booster.trees_to_dataframe()
    if isinstance(booster, xgb.Booster):
        return frame.loc[frame["Feature"] == "Leaf", "Gain"].to_numpy(copy=True)
    return frame.loc[frame["split_feature"].isna(), "value"].to_numpy(copy=True)


class Recorder:
    """An objective that passes everything through and keeps copies of what went in and out."""

    def __init__(self, objective: Any, watch: Callable[..., None] | None = None) -> None:
        self.objective, self.watch = objective, watch
        self.inputs: list[np.ndarray] = []
        self.outputs: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, preds: np.ndarray, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
        self.inputs.append(preds.copy())
        result = self.objective(preds, dataset)
        self.outputs.append(result)
        if self.watch is not None:
            self.watch(preds, dataset, result)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Recorder:
        return self


def slow_projection(z: np.ndarray, w: np.ndarray, k: float) -> np.ndarray:
    """argmin ½ Σ w (y - z)² over 0 <= y <= 1, Σ w y = k, by bisection on the multiplier."""
    lo, hi = z.min() - 1.0, z.max()
    for _ in range(200):
        nu = 0.5 * (lo + hi)
        lo, hi = (nu, hi) if (w * np.clip(z - nu, 0.0, 1.0)).sum() > k else (lo, nu)
    return np.clip(z - 0.5 * (lo + hi), 0.0, 1.0)


class SlowObjective:
    """The HyperSimplex objective from the formulas, in float64, row sets spelled out."""

    def __init__(self, share: float | None = None, temperature: float = 1.0, floor: float = 1e-3) -> None:
        self.share, self.temperature, self.floor = share, temperature, floor

    def __call__(self, preds: np.ndarray, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
        y = dataset.get_label().astype(np.float64)
        w = dataset.get_weight()
        w = np.ones_like(y) if w is None or len(w) == 0 else w.astype(np.float64)
        k = (w * y).sum() if self.share is None else self.share * w.sum()
        projected = slow_projection(preds.astype(np.float64) / self.temperature, w, k)
        active = (projected > 1e-12) & (projected < 1.0 - 1e-12)
        r = projected - y
        gradient, hessian = np.zeros_like(y), w * self.floor
        if active.any():
            among = w[active].sum()
            mean = (w * r)[active].sum() / among
            gradient[active] = self.temperature * (w * (r - mean))[active]
            hessian[active] = w[active]
        return gradient.astype(np.float32), hessian.astype(np.float32)


def average_precision(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """A scorer on raw scores, which both wrappers can give."""
    unlinked = "output_margin" if hasattr(model, "get_booster") else "raw_score"
    return float(average_precision_score(y, model.predict(X, **{unlinked: True})))
