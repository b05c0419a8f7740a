#!/usr/bin/env bash
# onnxmltools 1.16.0 converts forests of LightGBM 4.7.0 and XGBoost 3.2.0 into other models, without a word:
#   LightGBM boosting_type="rf": the trees' sum is divided by 100, whatever their number. A regression of 10 trees comes
#     out a tenth, one of 200 twice as large. In a classifier the sigmoid of the sum, not of the mean, is divided by
#     100: no probability exceeds 0.01, no row is labelled positive, and for float32's sigmoid most rows tie, the top of
#     the list among them.
#   XGBoost num_parallel_tree > 1 (XGBRFClassifier included) with three classes: trees go to the classes in turn, as if
#     there was one tree per class and round, so classes get each other's trees.
# The LightGBM converter has a branch for rf and XGBoost's reads num_parallel_tree models of two classes right with
# XGBRFClassifier, so one would guess that forests work or are refused. Boosted trees with the same settings are equal
# to the last digits, and so is an rf regression of exactly 100 trees, the default number.
#
# Exits 0 while it is so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 xgboost==3.2.0 onnxmltools==1.16.0 \
  onnx==1.23.2 onnxruntime==1.32.0 skl2onnx==1.20.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cat > "$folder/convert.py" <<'PYTHON'
import sys
import warnings

import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

rng = np.random.default_rng(0)
X = rng.normal(size=(1_500, 5)).astype(np.float32)
signal = X[:, 0] + X[:, 1] * X[:, 2]
amount, fraud, kind = np.exp(signal), (signal > 0.7).astype(int), np.digitize(signal, [-0.5, 0.5])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.log_severity_level = 1, 3
SHAPE = [("X", FloatTensorType([None, 5]))]


def run(convert, model, **more):
    onnx = convert(model, initial_types=SHAPE, **more)
    return onnxruntime.InferenceSession(onnx.SerializeToString(), options).run(None, {"X": X})


def light(kind, trees, **settings):
    return kind(n_estimators=trees, num_leaves=12, verbose=-1, n_jobs=1, bagging_freq=1, bagging_fraction=0.6, **settings)


warnings.simplefilter("ignore")
ratio, facts = {}, {}
for trees in (10, 100, 200):
    model = light(lightgbm.LGBMRegressor, trees, boosting_type="rf").fit(X, amount)
    ratio[trees] = run(onnxmltools.convert_lightgbm, model)[0].ravel() / model.predict(X)
    facts[f"LightGBM rf regression of {trees} trees: outputs are {trees} / 100 of LightGBM's"] = np.allclose(
        ratio[trees], trees / 100, rtol=1e-4
    )
    print(f"rf regression, {trees} trees: ONNX / LightGBM {ratio[trees].min():.4f} to {ratio[trees].max():.4f}")
for boosting in ("gbdt", "rf"):
    model = light(lightgbm.LGBMClassifier, 100, boosting_type=boosting).fit(X, fraud)
    label, probability = run(onnxmltools.convert_lightgbm, model, zipmap=False)
    own, given = model.predict_proba(X)[:, 1], probability[:, 1]
    best = np.sort(given)[::-1]
    tied = int(np.sum(given == best[0]))
    print(f"{boosting} classifier, 100 trees: probabilities up to {own.max():.3f}, ONNX up to {given.max():.3f}; positive {np.sum(own > 0.5)}, "
          f"ONNX {np.sum(label == 1)}; distinct scores {np.unique(own).size}, ONNX {np.unique(given).size}; rows tied at the top "
          f"{np.sum(own == own.max())}, ONNX {tied}")
    if boosting == "gbdt":
        facts["LightGBM gbdt classifier: equal"] = bool(np.abs(own - given).max() < 1e-5)
    else:
        facts["LightGBM rf classifier: no probability above 0.01"] = bool(given.max() <= 0.0101 and own.max() > 0.5)
        facts["and no row positive, though LightGBM finds some"] = bool(np.sum(label == 1) == 0 and np.sum(own > 0.5) > 100)
        facts["and more than 200 rows tie at the top"] = tied > 200 and np.sum(own == own.max()) < 50
for name, model, equal in (
    ("one tree a round", xgboost.XGBClassifier(n_estimators=15, max_depth=4, n_jobs=1, subsample=0.7), True),
    ("three trees a round", xgboost.XGBClassifier(n_estimators=15, max_depth=4, n_jobs=1, subsample=0.7, num_parallel_tree=3), False),
    ("XGBRFClassifier", xgboost.XGBRFClassifier(n_estimators=15, max_depth=4, n_jobs=1), False),
):
    model.fit(X, kind)
    label, probability = run(onnxmltools.convert_xgboost, model)
    right, kept = np.mean(model.predict(X) == kind), np.mean(label == kind)
    print(f"XGBoost, three classes, {name}: accuracy {right:.2f}, ONNX {kept:.2f}")
    near = bool(np.abs(probability - model.predict_proba(X)).max() < 1e-4)
    facts[f"XGBoost, three classes, {name}: {'equal' if equal else 'another model'}"] = near if equal else bool(right - kept > 0.3)
print("onnxmltools", onnxmltools.__version__, "lightgbm", lightgbm.__version__, "xgboost", xgboost.__version__)
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
same = all(facts.values())
print("as described" if same else "onnxmltools' behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/convert.py"
