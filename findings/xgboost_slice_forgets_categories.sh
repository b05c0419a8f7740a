#!/usr/bin/env bash
# XGBoost from 3.1 on keeps the names of a data frame's categories in the model and matches them by name, so that a frame
# may list the same categories in another order. One would guess that a slice of the model, booster[:best + 1], the way to
# keep the rounds up to the best one, is the same model with fewer rounds.
# Instead a slice has no names: it reads the codes of whatever frame it is given, and a frame with another order of the
# categories silently gets the predictions of other categories. With the frame of training all is right. Shown for 3.2.0;
# predict(iteration_range=(0, best + 1)) of the whole model is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check xgboost-cpu==3.2.0 pandas==2.3.3 numpy==2.2.6
"$work/venv/bin/python" - <<'PYTHON'
import json
import sys

import numpy as np
import pandas as pd
import xgboost as xgb

print("Python", sys.version.split()[0], "xgboost", xgb.__version__, "pandas", pd.__version__)
names = ["bonn", "cairo", "lima", "oslo"]
codes = np.arange(400) % 4
frame = pd.DataFrame({"city": pd.Categorical.from_codes(codes, names)})
data = xgb.DMatrix(frame, 10.0 * codes, enable_categorical=True)
booster = xgb.train({"max_cat_to_onehot": 1, "learning_rate": 0.5, "base_score": 0.0}, data, 20)
turned = pd.DataFrame({"city": frame["city"].cat.reorder_categories(names[::-1])})


def names_in(model):
    trees = json.loads(bytes(model.save_raw("json")))["learner"]["gradient_booster"]["model"]
    return sum(len(one["values"]) > 0 for one in trees["cats"]["enc"])


def wrong(model, **settings):
    """How many rows change their prediction with the order of the categories."""
    pair = [model.predict(xgb.DMatrix(one, enable_categorical=True), **settings) for one in (frame, turned)]
    return int((pair[0] != pair[1]).sum())


whole, ranged, sliced = wrong(booster), wrong(booster, iteration_range=(0, 10)), wrong(booster[:10])
print(f"columns with names: whole model {names_in(booster)}, slice {names_in(booster[:10])}")
print(f"rows of 400 that change with the order of the categories: whole model {whole}, iteration_range {ranged}, slice {sliced}")
if (whole, ranged) != (0, 0) or sliced == 0 or names_in(booster[:10]) != 0:
    sys.exit("the behaviour has changed")
PYTHON
