#!/usr/bin/env bash
# XGBoost 3.2.0: xgb.cv of grouped data (qid) trains and evaluates without the weights, in silence: for every fold the rows
# are cut out with their groups made anew, and weights, of which there is one for each query, are gone.
#
# xgb.train uses them, and xgb.cv of rows without groups keeps weights, base margins, bounds and feature weights, so one
# would guess that a query's weight goes with its query. Instead cross-validated figures, the rounds and the settings
# chosen by them are those of unweighted training, to the last digit. DMatrix.slice(..., allow_groups=True), by which a
# fold is made, returns neither groups nor weights.
#
# Exits 0 while XGBoost behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "xgboost==3.2.0" "numpy==2.4.6" "pandas==3.1.1" "scikit-learn==1.9.1"
cat > "$folder/weights.py" <<'PYTHON'
import sys
import warnings

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
queries, rows = 30, 20
X = rng.normal(size=(queries * rows, 4))
kind = np.repeat(rng.choice([-1.0, 1.0], queries), rows)  # what is good in one query is bad in another
y = (X[:, 0] * kind + rng.normal(size=kind.size) > 0.5).astype(float)
qid = np.repeat(np.arange(queries), rows)
heavy = rng.choice([0.01, 10.0], queries)
ranking = {"objective": "rank:ndcg", "eval_metric": "ndcg@5", "max_depth": 3, "seed": 0, "nthread": 1}
usual = ranking | {"objective": "binary:logistic", "eval_metric": "logloss"}


def grouped(weight):
    return xgb.DMatrix(X, y, qid=qid, weight=weight)


def plain(weight):
    return xgb.DMatrix(X, y, weight=weight)


def trained(weight):
    return xgb.train(ranking, grouped(weight), 5).predict(grouped(None))


with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    part = grouped(heavy).slice(np.arange(200), allow_groups=True)
    facts = {
        "weights of queries change what xgb.train trains": bool(np.abs(trained(heavy) - trained(None)).max() > 0.1),
        "and the figures of xgb.cv": not xgb.cv(ranking, grouped(heavy), 5).equals(xgb.cv(ranking, grouped(None), 5)),
        "without groups weights change the figures of xgb.cv": not xgb.cv(usual, plain(np.repeat(heavy, rows)), 5).equals(
            xgb.cv(usual, plain(None), 5)
        ),
        "a slice of grouped rows has weights": len(part.get_weight()) > 0,
        "a slice of grouped rows has groups": len(part.get_uint_info("group_ptr")) > 0,
        "anything was said": bool(warned),
    }
print("xgboost", xgb.__version__)
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
same = list(facts.values()) == [True, False, True, False, False, False]
print("as described" if same else "XGBoost's behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/weights.py"
