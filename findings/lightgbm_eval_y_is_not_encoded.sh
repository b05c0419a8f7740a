#!/usr/bin/env bash
# LightGBM 4.7.0: LGBMClassifier does not encode the labels of eval_y, and does not know its training rows in eval_X.
#
# LightGBM 4.7 deprecates fit(eval_set=[(X, y)]) in favour of fit(eval_X=X, eval_y=y). One would guess that the two do
# the same. With eval_set, labels are encoded as those of y are, and a pair that is the training data is recognised: it
# is called "training" and early stopping leaves it aside. With eval_X and eval_y neither happens. Labels 1 and 2 are
# taken for numbers beside a model of 0 and 1: the log loss is another one, no error is raised, and early stopping stops
# elsewhere (here after 1 round instead of 26). The training rows become "valid_0", on which early stopping is
# active.
#
# Exits 0 while LightGBM behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "lightgbm==4.7.0" "numpy>=2,<3" "scipy<2" "scikit-learn>=1.6,<2" "pandas>=2.1,<3"
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import lightgbm as lgb
import numpy as np
import sklearn
from sklearn.datasets import make_classification

print("lightgbm", lgb.__version__, "numpy", np.__version__, "scikit-learn", sklearn.__version__)
X, y = make_classification(2000, 10, flip_y=0.1, random_state=0)
train, valid = slice(1000), slice(1000, None)


def fit(labels, given, n_estimators=50, learning_rate=0.1):
    model = lgb.LGBMClassifier(n_estimators=n_estimators, learning_rate=learning_rate, verbose=-1, n_jobs=1)
    return model.fit(*labels, callbacks=[lgb.early_stopping(5, verbose=False)], **given)


labels = y + 1
both = X[train], labels[train]
by_set = fit(both, {"eval_set": [(X[valid], labels[valid])]})
by_y = fit(both, {"eval_X": X[valid], "eval_y": labels[valid]})
zero_one = fit((X[train], y[train]), {"eval_X": X[valid], "eval_y": y[valid]})
found = {}
for name, model in {"eval_set, labels 1 and 2": by_set, "eval_y, labels 1 and 2": by_y, "eval_y, 0 and 1": zero_one}.items():
    loss = model.best_score_["valid_0"]["binary_logloss"]
    found[name] = model.best_iteration_
    print(f"{name}: best round {model.best_iteration_}, log loss {loss:.4f}")

X_train, y_train = X[train], y[train]
known = fit((X_train, y_train), {"eval_set": [(X_train, y_train)]}, 300, 0.3)
unknown = fit((X_train, y_train), {"eval_X": X_train, "eval_y": y_train}, 300, 0.3)
for name, model in {"eval_set": known, "eval_X": unknown}.items():
    print(f"training rows as {name}: called {list(model.evals_result_)}, best_iteration_ {model.best_iteration_}")

same = (
    found["eval_set, labels 1 and 2"] == found["eval_y, 0 and 1"] != found["eval_y, labels 1 and 2"]
    and list(known.evals_result_) == ["training"]
    and list(unknown.evals_result_) == ["valid_0"]
    and unknown.best_iteration_ > 0 == known.best_iteration_
)
print("as described" if same else "the behaviour has changed")
sys.exit(not same)
PYTHON
