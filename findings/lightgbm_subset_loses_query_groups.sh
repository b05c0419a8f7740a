#!/usr/bin/env bash
# LightGBM 4.7.0: a subset of a Dataset keeps its query groups only by accident.
#
# One would guess that Dataset.subset() of a ranking data set has the query groups of its rows, wherever the data set
# came from (they are stored in its binary file), or that training a ranking objective on it is an error if it has not.
# Instead the groups reach the subset only if the parent's Python object happens to know them: if they were passed to
# Dataset(group=...), or if somebody has called parent.get_group() before. A Dataset read from a binary file, and a
# subset of a subset that was not constructed yet, hand on nothing: get_group() of the subset is an empty array, and
# "lambdarank" trains on it without an error, to trees of one leaf and one prediction for every row.
#
# Exits 0 while LightGBM behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "lightgbm==4.7.0" "numpy>=2,<3" "scipy<2"
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import lightgbm as lgb
import numpy as np

print("lightgbm", lgb.__version__, "numpy", np.__version__)
rng = np.random.default_rng(0)
X = rng.normal(size=(600, 3))
y = (X[:, 0] + 0.3 * rng.normal(size=600) > 0).astype(float)
params = {"verbose": -1}
rows = np.arange(150, 600)  # three whole queries of 150 rows


def from_arrays():
    return lgb.Dataset(X, y, group=[150] * 4, free_raw_data=False, params=params)


def from_file():
    return lgb.Dataset("rows.bin", free_raw_data=False, params=params)


def asked_for(data):
    data.construct().get_group()
    return data


from_arrays().construct().save_binary("rows.bin")
cases = {
    "subset of a Dataset of arrays": lambda: from_arrays().subset(rows),
    "subset of a Dataset of a file": lambda: from_file().subset(rows),
    "the same after parent.get_group()": lambda: asked_for(from_file()).subset(rows),
    "subset of a subset": lambda: from_arrays().subset(rows).subset(np.arange(150, 450)),
    "the same after get_group() of the subset": lambda: asked_for(from_arrays().subset(rows)).subset(np.arange(150, 450)),
}
found = {}
for name, build in cases.items():
    data = build().construct()
    groups = data.get_group()
    booster = lgb.train({"objective": "lambdarank", "verbose": -1, "num_threads": 1}, data, 5)
    distinct = np.unique(booster.predict(X)).size
    found[name] = (None if groups is None else groups.tolist(), distinct)
    print(f"{name}: get_group() {found[name][0]}, {distinct} distinct predictions of lambdarank")

kept = [found[name][0] for name in list(cases)[::2]] == [[150] * 3, [150] * 3, [150] * 2]
lost = all(found[name] == ([], 1) for name in list(cases)[1::2])
print("as described" if kept and lost else "LightGBM's behaviour has changed")
sys.exit(0 if kept and lost else 1)
PYTHON
