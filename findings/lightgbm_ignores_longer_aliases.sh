#!/usr/bin/env bash
# LGBMClassifier (LightGBM 4.7.0) takes some of a setting's other names and silently ignores the rest; which, depends on
# the LENGTH of the name.
#
# What one would guess: every alias in LightGBM's parameter list either works on LGBMClassifier or loses against the
# constructor's own argument, the same way for all.
#
# What happens: the constructor's defaults (min_child_samples=20 ...) are always sent along. LightGBM's main name wins
# over every alias; among aliases the SHORTER name wins, at equal length the alphabetically earlier one. So of the aliases of
# min_data_in_leaf, min_samples_leaf (16 letters, the constructor's min_child_samples has 17) works, and min_data_per_leaf
# (17 letters, "c" comes before "d") is ignored. lambda=50 works, l2_regularization=50 does not. eta, max_leaves and nthread
# are always ignored, as learning_rate and num_leaves are main names and n_jobs is looked up first. With verbose=-1 nothing is said.
#
# Exits non-zero if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lightgbm==4.7.0 scikit-learn==1.7.2 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import lightgbm
import numpy as np
from lightgbm import LGBMClassifier

print("python", sys.version.split()[0], "lightgbm", lightgbm.__version__, "numpy", np.__version__)
X = np.random.default_rng(0).normal(size=(400, 3))
y = (X[:, 0] > 0).astype(int)
#: (alias, value) of a setting, LightGBM's name of it in model files, whether the alias was found to count
CASES = [
    ("min_data", 55, "min_data_in_leaf", True),
    ("min_samples_leaf", 55, "min_data_in_leaf", True),
    ("min_data_per_leaf", 55, "min_data_in_leaf", False),
    ("min_sum_hessian", 9, "min_sum_hessian_in_leaf", True),
    ("min_sum_hessian_per_leaf", 9, "min_sum_hessian_in_leaf", False),
    ("lambda", 50, "lambda_l2", True),
    ("l2_regularization", 50, "lambda_l2", False),
    ("eta", 0.3, "learning_rate", False),
    ("max_leaves", 3, "num_leaves", False),
    ("nthread", 1, "num_threads", None),  # None: printed only, as the default is the machine's number of cores
]
changed = False
for alias, value, main, expected in CASES:
    model = LGBMClassifier(n_estimators=2, verbose=-1, **{alias: value}).fit(X, y)
    line = next(one for one in model.booster_.model_to_string().splitlines() if one.startswith(f"[{main}:"))
    counts = float(line.strip("[]").split(":")[1]) == value
    print(f"LGBMClassifier({alias}={value}) trains with {line}: the alias {'counts' if counts else 'is ignored'}")
    changed |= expected is not None and counts != expected
sys.exit(1 if changed else 0)
PYTHON
