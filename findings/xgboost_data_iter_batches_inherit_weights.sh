#!/usr/bin/env bash
# XGBoost 3.2.0: a batch of a DataIter that passes no weight silently gets the weights of another batch, row by row; the
# same goes for base_margin and even for label.
#
# One would guess that rows of such a batch weigh 1, or that a mixture of batches with and without weights is an error.
# Instead all batches of an iterator are written into one and the same proxy, which keeps what the last batch has left:
# weight=None does not clear it. And since data is read several times, even the first batch gets what only the last one
# passes. With batches of equal length, the usual case, nothing is said by QuantileDMatrix, by ExtMemQuantileDMatrix, or in
# training; a batch without labels is trained on the labels of its neighbour. (With batches of other lengths, weights are
# refused.) Who has weights or margins for some files only must pass ones or zeros for the others.
#
# Exits 0 while XGBoost behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "xgboost-cpu==3.2.0" "numpy==2.4.6"
cat > "$folder/batches.py" <<'PYTHON'
import itertools
import sys
import warnings

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
half = 300
X = rng.normal(size=(2 * half, 4))
y = X[:, 0] + X[:, 1] ** 2 + 0.3 * rng.normal(size=2 * half)
weight = rng.choice([0.01, 10.0], half)
margin = rng.normal(size=half)
folder, number = sys.argv[1], itertools.count()
params = {"max_depth": 3, "max_bin": 64, "nthread": 1, "seed": 0}


class Batches(xgb.DataIter):
    def __init__(self, *batches, **settings):
        self.batches, self.at = batches, 0
        super().__init__(**settings)

    def next(self, give):
        if self.at == len(self.batches):
            return False
        give(**self.batches[self.at])
        self.at += 1
        return True

    def reset(self):
        self.at = 0


def batch(part, label=True, **fields):
    rows = slice(0, half) if part == 0 else slice(half, None)
    return {"data": X[rows].copy()} | ({"label": y[rows]} if label else {}) | fields


def quantile(*batches):
    return xgb.QuantileDMatrix(Batches(*batches), max_bin=64)


def external(*batches):
    return xgb.ExtMemQuantileDMatrix(Batches(*batches, cache_prefix=f"{folder}/{next(number)}"), max_bin=64)


def same(found, *halves):
    wanted = np.concatenate(halves).astype(np.float32)
    return found.size == wanted.size and bool((found == wanted).all())


def trained(*batches):
    return xgb.train(params, quantile(*batches), 10).predict(xgb.DMatrix(X))


ones = np.ones(half)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    only_first = batch(0, weight=weight), batch(1)
    facts = {"batches without weights have none": quantile(batch(0), batch(1)).get_weight().size == 0}
    both = quantile(batch(0, weight=weight), batch(1, weight=ones))
    facts["weights that every batch passes are kept"] = same(both.get_weight(), weight, ones)
    for build in (quantile, external):
        name = f"{build.__name__}: the second batch gets the weights of the first"
        facts[name] = same(build(*only_first).get_weight(), weight, weight)
    none = quantile(batch(0, weight=weight), batch(1, weight=None)).get_weight()
    facts["with weight=None too"] = same(none, weight, weight)
    last = quantile(batch(0), batch(1, weight=weight)).get_weight()
    facts["the first batch gets the weights of the last"] = same(last, weight, weight)
    margins = quantile(batch(0, base_margin=margin), batch(1)).get_base_margin()
    facts["margins are repeated"] = same(margins, margin, margin)
    labels = quantile(batch(0), batch(1, label=False)).get_label()
    facts["labels are repeated"] = same(labels, y[:half], y[:half])
    silent = trained(*only_first)
    copied = trained(batch(0, weight=weight), batch(1, weight=weight))
    guessed = trained(batch(0, weight=weight), batch(1, weight=ones))
    facts["the model is that of repeated weights"] = bool((silent == copied).all())
    facts["and not that of ones"] = bool(np.abs(silent - guessed).max() > 0.1)
    facts["nothing was said"] = not warned
print("xgboost", xgb.__version__)
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
print(f"largest difference of predictions from those with ones: {np.abs(silent - guessed).max():.3f}")
print("as described" if all(facts.values()) else "XGBoost's behaviour has changed")
sys.exit(0 if all(facts.values()) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/batches.py" "$folder"
