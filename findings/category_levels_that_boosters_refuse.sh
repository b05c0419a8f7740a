#!/usr/bin/env bash
# Which pandas categories XGBoost 3.2.0 and LightGBM 4.7.0 take depends on the type of the LEVELS, in ways that neither
# error tells.
#
# What one would guess: a category is its codes; levels of any type (truth values, fractions, dates, bytes) train alike,
# as texts and whole numbers do, on both boosters.
#
# What happens: XGBoost refuses truth values and dates with a TypeError about len(), and fractions, and a category without
# any level, with an error about a "floating point" index. LightGBM takes all of those but dates, and refuses dates and
# bytes (which XGBoost takes) with "Circular reference detected": it cannot write their levels into the model as JSON.
# Levels renamed to 0, 1, 2, ... are taken by both, and are the same categories.
#
# Exits non-zero if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xgboost==3.2.0 lightgbm==4.7.0 pandas==3.0.0 numpy==2.3.5 pyarrow==22.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

print("python", sys.version.split()[0], "xgboost", xgb.__version__, "lightgbm", lgb.__version__, "pandas", pd.__version__)
code = np.arange(400) % 4
y = (code > 1).astype(int)
levels = {
    "texts": np.array(["a", "b", "c", "d"])[code],
    "whole numbers": code,
    "truth values": code > 1,
    "fractions": code / 2,
    "dates": pd.to_datetime(code, unit="D"),
    "bytes": [b"%d" % value for value in code],
    "none at all": [None] * len(code),
}
expected = {
    "xgboost": {"truth values": "TypeError", "fractions": "XGBoostError", "dates": "TypeError", "none at all": "XGBoostError"},
    "lightgbm": {"dates": "ValueError", "bytes": "ValueError"},
}
train = {
    "xgboost": lambda X: xgb.train({"nthread": 1, "verbosity": 0}, xgb.QuantileDMatrix(X, y, enable_categorical=True), 2),
    "lightgbm": lambda X: lgb.train({"num_threads": 1, "verbosity": -1}, lgb.Dataset(X, y), 2),
}
changed = False
for booster, fit in train.items():
    for name, values in levels.items():
        plain = pd.Categorical(values)
        renamed = pd.Categorical.from_codes(plain.codes, categories=range(max(1, len(plain.categories))))
        found = {}
        for form, column in (("as it is", plain), ("renamed", renamed)):
            try:
                fit(pd.DataFrame({"number": code * 0.5, "category": column}))
                found[form] = "trains"
            except Exception as error:
                found[form] = f"{type(error).__name__}: {str(error).splitlines()[0][-75:]}"
        print(f"{booster:8} {name:13} as it is: {found['as it is']}; renamed: {found['renamed']}")
        changed |= found["as it is"].split(":")[0] != expected[booster].get(name, "trains") or found["renamed"] != "trains"
print("CHANGED" if changed else "as described")
sys.exit(changed)
PYTHON
