#!/usr/bin/env bash
# LightGBM 4.7.0: positions, by which lambdarank corrects clicks for where a result was shown, are gone in lgb.cv, in
# Dataset.subset and in a data set read back from its binary file. No warning: all three train plain lambdarank.
#
# Labels, weights and query groups survive all three ways, and for init_score the binary file warns that it has none. So
# one would guess that positions survive, or are missed aloud. Instead the correction is on in lgb.train and off in
# lgb.cv: cross-validated figures, and settings chosen by them, are those of another learner, and the same table
# trains one model from memory and another from its file.
#
# Exits 0 while LightGBM behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "lightgbm==4.7.0" "numpy==2.4.6" "scipy==1.17.1" \
  "scikit-learn==1.9.1"
cd "$folder"
cat > positions.py <<'PYTHON'
import contextlib
import io
import sys
import warnings

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(0)
queries, shown = 200, 20
n = queries * shown
X = rng.normal(size=(n, 4))
place = np.tile(np.arange(shown), queries)
relevant = X[:, 0] + rng.normal(size=n) > 1.0
clicked = (relevant & (rng.random(n) < 1.0 / (1.0 + place))).astype(float)  # who looks at the last results?
options = {"objective": "lambdarank", "num_leaves": 7, "seed": 1, "deterministic": True, "num_threads": 1}


def data(positions):
    return lgb.Dataset(X, clicked, group=[shown] * queries, position=positions, free_raw_data=False).construct()


def scores(rows):
    return lgb.train(options, rows, 20).predict(X)


def folds(rows):
    """The metric of every round of lgb.cv, and whether the folds' data sets have positions."""
    have = []
    watch = [lambda env: have.extend(one.train_set.get_field("position") is not None for one in env.model.boosters)]
    found = lgb.cv(options | {"metric": "ndcg", "eval_at": [5]}, rows, 5, nfold=3, callbacks=watch)
    return found["valid ndcg@5-mean"], any(have)


said = io.StringIO()
with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(said):
    warnings.simplefilter("always")
    known, unknown = data(place), data(None)
    known.save_binary("rows.bin")
    read = lgb.Dataset("rows.bin").construct()
    part = known.subset(list(range(shown * 50))).construct()
    trained, from_file, plain = scores(known), scores(read), scores(unknown)
    cv, have = folds(data(place))
    cv_plain, _ = folds(data(None))
told = [line for line in said.getvalue().splitlines() if "osition" in line] + [str(one.message) for one in warned]

print("lightgbm", lgb.__version__)
facts = {
    "positions count in lgb.train": bool(np.abs(trained - plain).max() > 0.1),
    "the binary file has them": read.get_field("position") is not None,
    "trained from the binary file, the model is that without positions": bool((from_file == plain).all()),
    "a subset has them": part.get_field("position") is not None,
    "a fold of lgb.cv has them": have,
    "lgb.cv gives the figures of lgb.cv without positions": cv == cv_plain,
    "anything was said": bool(told),
}
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
same = list(facts.values()) == [True, False, True, False, False, True, False]
print("as described" if same else "LightGBM's behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" positions.py
