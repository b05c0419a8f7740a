#!/usr/bin/env bash
# XGBoost 3.2.0: with multi_strategy="multi_output_tree" min_child_weight forbids no split: it sets the leaves that are too
# light to zero.
#
# Documentation says that "if the tree partition step results in a leaf node with the sum of instance weight less than
# min_child_weight, then the building process will give up further partitioning", and so it is with one output per tree.
# With one tree for all outputs a split is taken although one side, or both, weigh too little; only the value of a light
# side is 0.0 for every output. So a stronger min_child_weight makes smaller leaves, of a single row here, and the rows in
# them learn nothing in that round, in silence; sums of custom objectives are treated likewise. It is no protection
# against leaves of few rows, and tuning it tunes something else.
#
# Exits 0 while XGBoost behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "xgboost-cpu==3.2.0" "numpy==2.4.6"
cat > "$folder/leaves.py" <<'PYTHON'
import sys
import warnings

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
rows = 600
X = rng.normal(size=(rows, 4))
target = X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.3 * rng.normal(size=rows)
Y = np.column_stack([target, target])  # twice the same, so that one tree for both should be the tree of one
usual = {"max_depth": 3, "base_score": 0.0, "learning_rate": 1.0, "nthread": 1, "seed": 0}
minima = [1, 50, 100, 200, 400]


def squared(prediction, data):
    """The gradients of reg:squarederror; the second derivative of a row is 1, so that a leaf weighs its rows."""
    return prediction - Y, np.ones_like(prediction)


def leaves(strategy, minimum, label=Y, **settings):
    params = usual | {"multi_strategy": strategy, "min_child_weight": minimum}
    booster = xgb.train(params, xgb.DMatrix(X, label), 1, **settings)
    data = xgb.DMatrix(X)
    leaf = booster.predict(data, pred_leaf=True).reshape(rows, -1)[:, 0]
    value = booster.predict(data).reshape(rows, -1)[:, 0]
    return [(int((leaf == one).sum()), float(value[leaf == one][0])) for one in np.unique(leaf)]


with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    single = {m: leaves("one_output_per_tree", m) for m in minima}
    multi = {m: leaves("multi_output_tree", m) for m in minima}
    custom = {m: leaves("multi_output_tree", m, obj=squared) for m in minima}
print("xgboost", xgb.__version__)
for m in minima:
    print(f"min_child_weight {m}: smallest leaf of {rows} rows {min(single[m])[0]} with one output per tree,", end=" ")
    print(f"{min(multi[m])[0]} with all in one tree, rows in leaves of 0.0: {sum(n for n, v in multi[m] if v == 0.0)}")
small = [min(multi[m])[0] for m in minima]
facts = {
    "with one output per tree no leaf is lighter": all(n >= m for m in minima[:4] for n, _ in single[m]),
    "and no leaf is 0.0, unless the tree is one leaf": all(v != 0.0 for m in minima[:4] for _, v in single[m]),
    "half of all rows being too few, it does not split": len(single[400]) == 1,
    "in one tree for all outputs leaves are lighter": all(n < m for n, m in zip(small[1:], minima[1:])),
    "to a single row": min(small) == 1,
    "just they are 0.0": all((v == 0.0) == (n < m) for m in minima for n, v in multi[m]),
    "it splits with half of all rows being too few": len(multi[400]) > 1,
    "a custom objective has the same leaves": all(
        [n for n, _ in custom[m]] == [n for n, _ in multi[m]] and np.allclose([v for _, v in custom[m]], [v for _, v in multi[m]])
        for m in minima
    ),
    "nothing was said": not warned,
}
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
print("as described" if all(facts.values()) else "XGBoost's behaviour has changed")
sys.exit(0 if all(facts.values()) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/leaves.py"
