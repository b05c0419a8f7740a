#!/usr/bin/env bash
# LightGBM 4.7.0: quant_train_renew_leaf=True undoes monotone_constraints and path_smooth, in silence.
#
# Documentation recommends it with use_quantized_grad for accuracy, above all of ranking. Objectives that renew leaves
# (regression_l1, quantile) are refused together with monotone constraints, as renewed values know nothing of them, so one
# would guess that this renewal is refused as well or keeps within the bounds. Instead leaves are set to the plain optimum of
# their rows: a prediction that must not fall with a feature falls, for nearly every row of other values after 100 rounds,
# under the method "advanced" and custom objectives also; and path_smooth has no more effect on values. Quantized gradients
# without renewal respect both.
#
# Exits 0 while LightGBM behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "lightgbm==4.7.0" "numpy==2.4.6" "scipy==1.17.1"
cat > "$folder/renew.py" <<'PYTHON'
import sys
import warnings

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 3))
y = X[:, 0] + np.sin(2 * X[:, 1]) + 0.5 * rng.normal(size=2000) * (1 + np.abs(X[:, 2]))
paths = [np.column_stack([np.linspace(-3, 3, 300), np.tile(rest, (300, 1))]) for rest in rng.normal(size=(200, 2))]
usual = {"num_leaves": 15, "num_threads": 1, "seed": 0, "verbose": -1}
quantized = {"use_quantized_grad": True}
renewed = quantized | {"quant_train_renew_leaf": True}


def squared(prediction, data):
    return prediction - data.get_label(), np.ones_like(prediction)


def falls(**params):
    """The part of paths on which the prediction falls somewhere as the first column grows, and the deepest fall."""
    booster = lgb.train(usual | {"monotone_constraints": [1, 0, 0]} | params, lgb.Dataset(X, y), 100)
    steps = np.array([np.diff(booster.predict(path)).min() for path in paths])
    return float(np.mean(steps < -1e-6)), float(steps.min())


def smoothed(strength, **params):
    booster = lgb.train(usual | params | {"path_smooth": strength}, lgb.Dataset(X, y), 1)
    return float(booster.predict(X).std())


with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    found = {
        "plain": falls(),
        "quantized": falls(**quantized),
        "renewed": falls(**renewed),
        "renewed, advanced": falls(**renewed, monotone_constraints_method="advanced"),
        "renewed, custom": falls(**renewed, objective=squared),
    }
    spread = {name: [smoothed(s, **p) for s in (0.0, 200.0)] for name, p in {"quantized": quantized, "renewed": renewed}.items()}
print("lightgbm", lgb.__version__)
for name, (part, deepest) in found.items():
    print(f"{name}: predictions fall on {part:.0%} of paths, at most by {abs(deepest):.3f} in one step")
for name, (plain, smooth) in spread.items():
    print(f"{name}: spread of predictions after one round {plain:.4f}, with path_smooth=200 {smooth:.4f}")
facts = {
    "nothing falls with plain gradients": found["plain"][0] == 0.0,
    "nor with quantized ones": found["quantized"][0] == 0.0,
    "with renewed leaves predictions fall on most paths": found["renewed"][0] > 0.7,
    "with the method advanced too": found["renewed, advanced"][0] > 0.7,
    "with a custom objective too": found["renewed, custom"][0] > 0.7,
    "path_smooth flattens quantized trees": spread["quantized"][1] < 0.9 * spread["quantized"][0],
    "but not renewed ones": spread["renewed"][1] > 0.97 * spread["renewed"][0],
    "nothing was said": not warned,
}
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
print("as described" if all(facts.values()) else "LightGBM's behaviour has changed")
sys.exit(0 if all(facts.values()) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/renew.py"
