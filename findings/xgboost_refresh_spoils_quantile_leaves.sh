#!/usr/bin/env bash
# XGBoost 3.2.0: process_type="update" with updater="refresh" spoils models of reg:quantileerror and reg:absoluteerror.
#
# Refreshing leaves on the very rows of training is no change, to the last bit, for other objectives, a custom one included.
# Training of these two sets a leaf to the quantile (median) of its residuals, so one would guess that the refresh, which
# promises leaf values "based on the current data", does that again. Instead leaves get gradient steps, as if the objective
# were any other one, in steps of 1 whatever the unit of the label: with the same rows, trees and settings the loss becomes
# a multiple. In silence, but for the usual word on the parameter "updater".
#
# Exits 0 while XGBoost behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "xgboost-cpu==3.2.0" "numpy==2.4.6"
cat > "$folder/refresh.py" <<'PYTHON'
import sys
import warnings

import numpy as np
import xgboost as xgb

warnings.filterwarnings("ignore", message="[\\s\\S]*manually specified the `updater` parameter")
rng = np.random.default_rng(0)
rows, rounds = 2000, 10
X = rng.normal(size=(rows, 4))
y = 100 * (X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.3 * rng.normal(size=rows))
usual = {"max_depth": 3, "nthread": 1, "seed": 0}
update = {"process_type": "update", "updater": "refresh", "refresh_leaf": True}


def squared(prediction, data):
    return prediction - data.get_label(), np.ones_like(prediction)


def splits(model):
    return [line for tree in model.get_dump() for line in tree.splitlines() if "leaf=" not in line]


def pair(params, label, **settings):
    """Predictions of a model and of the same one refreshed on the rows of its training."""
    params = usual | params
    model = xgb.train(params, xgb.DMatrix(X, label), rounds, **settings)
    fresh = xgb.train(params | update, xgb.DMatrix(X, label), rounds, xgb_model=model, **settings)
    assert splits(model) == splits(fresh), "refresh keeps the trees"
    return [one.predict(xgb.DMatrix(X)) for one in (model, fresh)]


def quantile_loss(prediction, alpha):
    return float(np.mean(np.maximum(alpha * (y - prediction), (alpha - 1) * (y - prediction))))


same = {
    "reg:squarederror": pair({}, y),
    "binary:logistic": pair({"objective": "binary:logistic"}, (y > 100).astype(float)),
    "a custom objective": pair({"base_score": 0.0}, y, obj=squared),
}
print("xgboost", xgb.__version__)
facts = {f"{name}: no change": bool((one == other).all()) for name, (one, other) in same.items()}
for name, alpha in {"reg:quantileerror": 0.9, "reg:absoluteerror": 0.5}.items():
    params = {"objective": name} | ({"quantile_alpha": alpha} if "quantile" in name else {})
    before, after = pair(params, y)
    losses = [quantile_loss(one, alpha) for one in (before, after)]
    above = [float(np.mean(y > one)) for one in (before, after)]
    print(f"{name}: loss {losses[0]:.2f}, refreshed {losses[1]:.2f}; rows above {above[0]:.1%}, refreshed {above[1]:.1%}")
    facts[f"{name}: the loss more than doubles"] = losses[1] > 2 * losses[0]
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
print("as described" if all(facts.values()) else "XGBoost's behaviour has changed")
sys.exit(0 if all(facts.values()) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/refresh.py"
