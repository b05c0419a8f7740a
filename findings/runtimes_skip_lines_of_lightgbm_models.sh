#!/usr/bin/env bash
# Two settings in a LightGBM 4.7.0 model that other runtimes read past, without an error:
#   zero_as_missing=True (in decision_type)  treelite 4.8.1, daal4py of scikit-learn-intelex 2026.2.0: zeros compared as zeros
#   linear_tree=True (is_linear)             m2cgen 0.10.0: the leaves' constants alone
# One would guess that a loader refuses what it does not support, as each of the three does with something else: treelite
# and daal4py refuse linear trees, m2cgen refuses zero_as_missing.
#
# Exits 0 while it is so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 treelite==4.8.1 m2cgen==0.10.0 \
  scikit-learn-intelex==2026.2.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cat > "$folder/read.py" <<'PYTHON'
import pathlib
import sys
import warnings

import daal4py
import lightgbm
import m2cgen
import numpy as np
import treelite

warnings.simplefilter("ignore")
file = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(0)
X = rng.standard_normal((2_000, 5))
X[rng.random(X.shape) < 0.4] = 0.0
y = (X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.standard_normal(len(X)) > 0.6).astype(int)


def of_treelite(model):
    model.booster_.save_model(file)
    return treelite.gtil.predict(treelite.frontend.load_lightgbm_model(file), X).reshape(-1)


def of_daal4py(model):
    return daal4py.mb.convert_model(model.booster_).predict_proba(X)[:, 1]


def of_m2cgen(model):
    code = {}
    exec(m2cgen.export_to_python(model), code)
    return np.array([code["score"](row)[1] for row in X.tolist()])


READERS = {"treelite": of_treelite, "daal4py": of_daal4py, "m2cgen": of_m2cgen}
MODELS = {
    "plain": {},
    "zero_as_missing": {"zero_as_missing": True},
    "linear_tree": {"linear_tree": True},
}
SKIPPED = {("zero_as_missing", "treelite"), ("zero_as_missing", "daal4py"), ("linear_tree", "m2cgen")}
REFUSED = {("zero_as_missing", "m2cgen"), ("linear_tree", "treelite"), ("linear_tree", "daal4py")}
changed = False
print("lightgbm", lightgbm.__version__, "treelite", treelite.__version__)
for name, settings in MODELS.items():
    model = lightgbm.LGBMClassifier(n_estimators=12, verbose=-1, **settings).fit(X, y)
    own = model.predict_proba(X)[:, 1]
    for reader, read in READERS.items():
        try:
            off = np.abs(read(model) - own)
            found = f"probabilities off by at most {off.max():.2g}, in {np.mean(off > 1e-3):.0%} of the rows by 0.001 or more"
            kind = "skipped" if off.max() > 1e-3 else "right"
        except Exception as error:
            found, kind = f"{type(error).__name__}", "refused"
        expected = "skipped" if (name, reader) in SKIPPED else "refused" if (name, reader) in REFUSED else "right"
        changed |= kind != expected
        print(f"{name:16s} {reader:9s} {kind:8s} {found}")
sys.exit(1 if changed else 0)
PYTHON
"$folder/venv/bin/python" "$folder/read.py" "$folder/model.txt"
