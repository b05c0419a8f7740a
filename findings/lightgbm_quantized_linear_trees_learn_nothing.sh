#!/usr/bin/env bash
# LightGBM 4.7.0: linear_tree=True together with use_quantized_grad=True trains nothing: the model is one constant.
#
# Either setting alone trains well, no documentation excludes the pair, and combinations with linear trees that LightGBM
# does not support (objective="regression_l1", for one) are errors. So one would guess a model a bit less exact than linear
# trees of plain gradients, or plain quantized trees. Instead no split is ever found, for any objective, a custom one
# included, nor with quant_train_renew_leaf: training ends after the first round with a tree of one leaf, and every row
# gets the average (0 with a custom objective), all ties where rows are ranked. At the usual verbosity there is but the
# line "Stopped training because there are no more leaves that meet the split requirements"; no Python warning, no error.
#
# Exits 0 while LightGBM behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "lightgbm==4.7.0" "numpy==2.4.6" "scipy==1.17.1"
cat > "$folder/linear.py" <<'PYTHON'
import sys
import warnings

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 4))
score = X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.3 * rng.normal(size=1000)
usual = {"num_leaves": 7, "num_threads": 1, "seed": 0, "verbose": -1}
linear, quantized = {"linear_tree": True}, {"use_quantized_grad": True}


def squared(prediction, data):
    return prediction - data.get_label(), np.ones_like(prediction)


def trained(label, *settings):
    params = dict(usual)
    for one in settings:
        params |= one
    booster = lgb.train(params, lgb.Dataset(X, label), 20)
    prediction = booster.predict(X)
    return booster.num_trees(), np.unique(prediction).size, float(np.mean((prediction - label) ** 2))


cases = {
    "regression": ({"objective": "regression"}, score + 5),
    "binary": ({"objective": "binary"}, (score > 1).astype(float)),
    "custom": ({"objective": squared}, score + 5),
}
facts = {}
print("lightgbm", lgb.__version__)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for name, (objective, label) in cases.items():
        alone = [trained(label, objective, linear), trained(label, objective, quantized)]
        both = trained(label, objective, linear, quantized)
        renewed = trained(label, objective, linear, quantized, {"quant_train_renew_leaf": True})
        print(f"{name}: trees, distinct predictions, squared error: linear {alone[0]}, quantized {alone[1]}, both {both}")
        facts[f"{name}: either alone trains all 20 trees"] = all(found[0] == 20 for found in alone)
        spread = float(np.mean((label - (0 if name == "custom" else label.mean())) ** 2))
        facts[f"{name}: and learns"] = all(found[2] < 0.5 * spread for found in alone)
        facts[f"{name}: both together make one tree and one prediction"] = both[:2] == renewed[:2] == (1, 1)
facts["nothing was said"] = not warned
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
print("as described" if all(facts.values()) else "LightGBM's behaviour has changed")
sys.exit(0 if all(facts.values()) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/linear.py"
