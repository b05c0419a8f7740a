#!/usr/bin/env bash
# LightGBM 4.7.0: a split of the missing from all numbers has the threshold inf in the model and in its text, and 1e+300 in
# `dump_model()` and `trees_to_dataframe()`. A row whose value is infinite, which LightGBM takes, goes the other way in
# readers of the dump: m2cgen 0.10.0, and daal4py of scikit-learn-intelex 2026.2.0, decide nearly half of such rows
# differently, without a word. One would guess that the two forms of a model hold the same numbers, and that a reader of one
# agrees with a reader of the other; rows without infinite values do agree.
#
# Exits 0 while it is so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  lightgbm==4.7.0 m2cgen==0.10.0 scikit-learn-intelex==2026.2.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cat > "$folder/decide.py" <<'PYTHON'
import sys
import warnings

import daal4py
import lightgbm
import m2cgen
import numpy as np

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.standard_normal((2_000, 3))
absent = rng.random(len(X)) < 0.3
X[absent, 0] = np.nan
y = (1.5 * absent + X[:, 1] + 0.5 * rng.standard_normal(len(X)) > 1.2).astype(int)
model = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=8, verbose=-1).fit(X, y)

text = model.booster_.model_to_string().splitlines()
in_text = max(float(one) for line in text if line.startswith("threshold=") for one in line[10:].split())
in_dump = float(model.booster_.trees_to_dataframe()["threshold"].max())
print("lightgbm", lightgbm.__version__, "greatest threshold: in the text", in_text, "in the dump", in_dump)

code = {}
exec(m2cgen.export_to_python(model), code)
readers = {
    "m2cgen": lambda rows: np.array([code["score"](row)[1] for row in rows.tolist()]),
    "daal4py": lambda rows: daal4py.mb.convert_model(model.booster_).predict_proba(rows)[:, 1],
}
infinite = X.copy()
infinite[:, 0] = np.inf
found = {}
for name, read in readers.items():
    for kind, rows in (("as in training", X), ("infinite", infinite)):
        own = model.predict_proba(rows)[:, 1] > 0.5
        found[name, kind] = float(np.mean((read(rows) > 0.5) != own))
        print(f"{name:8s} rows {kind:15s} decided differently: {found[name, kind]:.3f}")
same = all(found[name, "as in training"] == 0.0 and found[name, "infinite"] > 0.4 for name in readers)
sys.exit(0 if (in_text, in_dump) == (np.inf, 1e300) and same else "changed")
PYTHON
"$folder/venv/bin/python" "$folder/decide.py"
