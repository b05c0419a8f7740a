#!/usr/bin/env bash
# XGBoost from 3.1 on stores the names of a data frame's categories and matches them by name, so that a data frame may list
# the same categories in another order at prediction. One would guess that this holds for any names.
# Instead, up to 3.3, names that hold a letter beyond ASCII (Köln, Zürich) shift and cut off the names behind them: the
# offsets count characters and the names are bytes of UTF-8. Rows then silently get the prediction of another category, or
# an error says that a known category was not in the training set. In the training's own order all is right, so a
# comparison on the training frame shows nothing. 3.4.1 (Python 3.12) gives the right values.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check xgboost-cpu==3.2.0 pandas==2.3.3 numpy==2.2.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import pandas as pd
import xgboost as xgb

print("Python", sys.version.split()[0], "xgboost", xgb.__version__, "pandas", pd.__version__)


def learn(names):
    """A model that has learnt one number per category by heart, and what it says when they come in another order."""
    codes = np.arange(300) % len(names)
    frame = pd.DataFrame({"city": pd.Categorical.from_codes(codes, names)})
    data = xgb.DMatrix(frame, 10.0 * codes, enable_categorical=True)
    settings = {"max_cat_to_onehot": 1, "learning_rate": 1.0, "reg_lambda": 0.0, "base_score": 0.0}
    model = xgb.train(settings, data, 1)
    for order in (names, [names[1], names[0], *names[2:]]):
        rows = pd.DataFrame({"city": pd.Categorical(names, order)})
        yield model.predict(xgb.DMatrix(rows, enable_categorical=True)).round().tolist()


ascii_same, ascii_other = learn(["Koeln", "Ulm", "Bonn"])
same, other = learn(["Köln", "Ulm", "Bonn"])
print("Koeln, Ulm, Bonn: in the order of training", ascii_same, "with two of them exchanged", ascii_other)
print("Köln,  Ulm, Bonn: in the order of training", same, "with two of them exchanged", other)
assert ascii_same == ascii_other == same == [0.0, 10.0, 20.0]
assert other == [0.0, 20.0, 10.0], "the behaviour has changed"
PYTHON
