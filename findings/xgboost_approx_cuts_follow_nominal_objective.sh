#!/usr/bin/env bash
# XGBoost 3.2.0, tree_method="approx" with a custom objective: who decides whether the candidate cuts are renewed?
#
# One would guess: "approx" sketches quantiles weighted by the curvature (Hessian) in every round, and with a custom
# objective (obj=) that is the curvature which the custom objective returns, round after round.
#
# What happens: the first round's sketch is weighted by the custom curvature. Whether later rounds sketch again is
# decided by the *nominal* objective, params["objective"], which does no other work in training: under the default
# reg:squarederror (whose own curvature is constant) the first round's cuts stay for ever; under binary:logistic they
# are renewed. So the same Python function trains two different models, and a faithful logistic loss written in Python
# gives the trees of the built-in binary:logistic only if the nominal objective is named as well. tree_method="hist",
# which sketches once for all, shows no difference.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "xgboost==3.2.0" "numpy==2.4.6" "scipy==1.17.1" "pandas==3.0.1" 2>/dev/null ||
  "$work/venv/bin/pip" install -q --disable-pip-version-check "xgboost==3.2.0" numpy scipy pandas
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import xgboost as xgb

print("python", sys.version.split()[0], "xgboost", xgb.__version__, "numpy", np.__version__)
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 6))
y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=3000) > 0.8).astype(float)
data = xgb.DMatrix(X, label=y)


def logistic(raw, dtrain):
    """binary:logistic, in Python: the same gradient and curvature."""
    p = 1.0 / (1.0 + np.exp(-raw.astype(np.float64)))
    return (p - dtrain.get_label()).astype(np.float32), (p * (1.0 - p)).astype(np.float32)


def splits(rounds, method, nominal, obj):
    # A raw score of 0 is where every training starts: base_score is a probability under binary:logistic.
    start = 0.5 if nominal == "binary:logistic" else 0.0
    params = {"tree_method": method, "max_depth": 4, "nthread": 1, "objective": nominal, "base_score": start}
    frame = xgb.train(params, data, rounds, obj=obj).trees_to_dataframe()
    return frame[["Tree", "Node", "Feature", "Split"]]


failed = False
for method in ("hist", "approx"):
    for rounds in (1, 8):
        built_in = splits(rounds, method, "binary:logistic", None)
        for nominal in ("reg:squarederror", "binary:logistic"):
            same = splits(rounds, method, nominal, logistic).equals(built_in)
            expected = not (method == "approx" and rounds > 1 and nominal == "reg:squarederror")
            failed |= same != expected
            print(f"{method:7s} {rounds} rounds, custom logistic loss, nominal {nominal:17s} trees of the built-in loss: {same}")

# The cuts themselves, on one feature: curvature even in round 1, heavy on one side in round 2.
x = rng.normal(size=(1500, 1))
gradient = rng.normal(size=1500).astype(np.float32)


def cuts(nominal):
    curvatures = iter([1.0, 200.0])

    def objective(raw, dtrain):
        return gradient, np.where(x[:, 0] < 0, next(curvatures), 1.0).astype(np.float32)

    params = {"tree_method": "approx", "max_bin": 16, "max_depth": 9, "min_child_weight": 0, "nthread": 1}
    model = xgb.train(params | {"objective": nominal, "base_score": 0.5}, xgb.DMatrix(x, np.zeros(1500)), 2, obj=objective)
    frame = model.trees_to_dataframe().dropna(subset=["Split"])
    first, second = (set(frame.loc[frame.Tree == tree, "Split"]) for tree in (0, 1))
    return len(first), len(second), len(second - first)


for nominal, renewed in (("reg:squarederror", False), ("binary:logistic", True)):
    first, second, new = cuts(nominal)
    failed |= (new > 3) != renewed
    print(f"nominal {nominal:17s} {first} cuts used in round 1, {second} in round 2, of these {new} that round 1 did not use")
if failed:
    sys.exit("the behaviour has changed")
print("as described in the head of this script")
PY
