#!/usr/bin/env bash
# optuna-integration 5.0.0, optuna 5.0.0, LightGBM 4.7.0: LightGBMTuner minimizes AUC, and keeps the settings with the
# worst, where the metric is written metric=["auc"] instead of metric="auc". The same happens with average precision in a list,
# with metric="r2", and with a metric of one's own (feval) that returns is_higher_better=True, such as precision at the top.
#
# LightGBM reads both spellings alike, and its own early stopping and cv know which of the metrics are to be great, for
# feval from what it returns. The tuner runs these metrics without a word and asks LightGBM for the values, so one would
# guess that it knows the direction or refuses. Instead it looks whether the setting is equal to one of several names.
# best_params and get_best_booster() are then the worst found, while trials of the study show better ones.
#
# Exits 0 while the tuner behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "optuna==5.0.0" "optuna-integration==5.0.0" \
  "lightgbm==4.7.0" "numpy==2.4.6" "scipy==1.17.1" "pandas==2.3.3" "scikit-learn==1.9.1"
cat > "$folder/tune.py" <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import lightgbm
import numpy as np
import optuna
from optuna_integration.lightgbm import LightGBMTuner

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.WARNING)
rng = np.random.default_rng(0)
X = rng.normal(size=(800, 5))
signal = X[:, 0] + X[:, 1] * X[:, 2]
fraud = (signal + 0.5 * rng.normal(size=len(X)) > 1).astype(int)


def precision_at_20(scores, data):
    return "precision_at_20", data.get_label()[np.argsort(-scores, kind="stable")[:20]].mean(), True


def tuned(metric, target=fraud, objective="binary", feval=None):
    parts = [lightgbm.Dataset(X[rows], target[rows]) for rows in (slice(0, 500), slice(500, None))]
    settings = {"objective": objective, "metric": metric, "verbosity": -1, "num_threads": 1, "seed": 0, "deterministic": True}
    tuner = LightGBMTuner(
        settings, parts[0], valid_sets=[parts[1]], num_boost_round=8, feval=feval, optuna_seed=0, show_progress_bar=False
    )
    tuner.run()
    values = np.array([trial.value for trial in tuner.study.trials])
    kept = tuner.best_score
    place = "the greatest" if kept == values.max() else "the least" if kept == values.min() else "neither"
    print(f"metric={metric!r}: {len(values)} trials of {values.min():.3f} to {values.max():.3f}, kept {kept:.3f}, {place}")
    return place if values.max() - values.min() > 0.02 else "no difference"


print("optuna-integration", version("optuna-integration"), "optuna", optuna.__version__, "lightgbm", lightgbm.__version__)
curves = {}
for metric in ("auc", ["auc"]):
    record = {}
    train, valid = lightgbm.Dataset(X[:500], fraud[:500]), lightgbm.Dataset(X[500:], fraud[500:])
    lightgbm.train(
        {"objective": "binary", "metric": metric, "verbosity": -1, "num_threads": 1, "seed": 0}, train, 8, valid_sets=[valid],
        callbacks=[lightgbm.record_evaluation(record)],
    )
    curves[str(metric)] = record
facts = {
    'LightGBM evaluates "auc" and ["auc"] alike': curves["auc"] == curves["['auc']"],
    'the tuner keeps the greatest for "auc"': tuned("auc") == "the greatest",
    'and for "average_precision"': tuned("average_precision") == "the greatest",
    'the least for ["auc"]': tuned(["auc"]) == "the least",
    'the least for ["average_precision"]': tuned(["average_precision"]) == "the least",
    'the least for "r2"': tuned("r2", signal, "regression") == "the least",
    "the least for a feval that says greater is better": tuned("precision_at_20", feval=precision_at_20) == "the least",
}
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
same = all(facts.values())
print("as described" if same else "the tuner's behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/tune.py"
