#!/usr/bin/env bash
# XGBoost 3.2.0: of two Dask matrices over one frame, one reads categories by their values and one by their places.
#
# One would guess that a categorical column means the same in every partition: either XGBoost translates the partitions'
# lists of categories (it does so between training and prediction since 3.1), or it refuses lists that differ. DaskDMatrix
# translates. DaskQuantileDMatrix, which most guides recommend, takes a category for its place in its own partition's
# list: where two partitions list the same categories in another order, one's "a" is trained as the other's "d", without
# an error, and a model that has nothing to guess is as good as chance on the rows of one of them. Lists of different
# lengths are an error there, which makes lists of one length look checked.
#
# Exits 0 while XGBoost behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "xgboost-cpu==3.2.0" "dask[dataframe]==2026.1.1" "distributed==2026.1.1" "pandas<3" "numpy>=2,<3" "scipy<2"
cd "$folder"
cat > use.py <<'PYTHON'
import sys

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import xgboost as xgb
from distributed import Client, LocalCluster
from xgboost import dask as dxgb


def main():
    print("xgboost", xgb.__version__, "dask", dask.__version__, "pandas", pd.__version__)
    rng = np.random.default_rng(0)
    values = rng.choice(list("abcd"), 4000)
    other = rng.normal(size=4000)
    positive = np.isin(values, ["a", "c"]).astype(float)  # nothing to guess

    def part(rows, order):
        levels = pd.Categorical(values[rows], categories=list(order))
        return pd.DataFrame({"other": other[rows], "level": levels, "y": positive[rows]})

    found = {}
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        for orders in (("abcd", "abcd"), ("abcd", "dcba")):
            parts = [part(slice(0, 2000), orders[0]), part(slice(2000, 4000), orders[1])]
            frame = dd.from_delayed([dask.delayed(p) for p in parts], meta=parts[0].iloc[:0], verify_meta=False)
            for kind in (dxgb.DaskDMatrix, dxgb.DaskQuantileDMatrix):
                data = kind(client, frame[["other", "level"]], frame["y"], enable_categorical=True)
                params = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "nthread": 1}
                booster = dxgb.train(client, params, data, num_boost_round=10)["booster"]
                right = []
                for one in parts:
                    scores = booster.predict(xgb.DMatrix(one[["other", "level"]], enable_categorical=True))
                    right.append(float(((scores > 0.5) == one["y"]).mean()))
                found[orders[1], kind.__name__] = right
                print(f"partitions list {orders[0]} and {orders[1]}, {kind.__name__}: "
                      f"{right[0]:.2f} and {right[1]:.2f} of their rows are right")
    mixed = found.pop(("dcba", "DaskQuantileDMatrix"))
    same = all(min(one) == 1.0 for one in found.values()) and min(mixed) < 0.6
    print("as described" if same else "XGBoost's behaviour has changed")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
PYTHON
"$folder/venv/bin/python" -W ignore use.py
