#!/usr/bin/env bash
# torchmetrics 1.9.0: RetrievalPrecision, RetrievalRecall, RetrievalMRR and RetrievalMAP count a relevant row as
# irrelevant where its score is 0 or less, while RetrievalHitRate, RetrievalNormalizedDCG, RetrievalRPrecision,
# RetrievalFallOut and RetrievalPrecisionRecallCurve count it. The scores are accepted and nothing is said.
#
# These are figures of an order, which adding a constant does not change, and the classes' documentation asks for "a
# float tensor" (the functions' speaks of "estimated probabilities"), so one would guess that raw scores of a booster do
# as well as probabilities. A raw score is above 0 only where a row is more likely positive than not, in fraud or ads
# next to never: Recall@5 becomes 0.02 instead of 0.64 on the same lists, of which 86 % have a hit among the first five
# by RetrievalHitRate. Worse, of two models the one with the better order can lose to one whose scores are merely
# larger.
#
# Exits 0 while torchmetrics behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "torchmetrics==1.9.0" "torch==2.13.0" "numpy==2.4.6"
cat > "$folder/metrics.py" <<'PYTHON'
import sys
import warnings

import numpy as np
import torch
import torchmetrics
from torchmetrics import retrieval

torch.set_num_threads(1)
rng = np.random.default_rng(0)
queries = np.repeat(np.arange(50), 20)
relevant = (rng.random(queries.size) < 0.15).astype(int)
score = rng.normal(size=queries.size) + 1.2 * relevant - 3  # a raw score: log-odds
poor = rng.normal(size=queries.size) + 0.3 * relevant + 10  # a worse model, larger numbers


def figure(name, scores):
    kwargs = {} if name == "RetrievalRPrecision" else {"top_k": 5}
    metric = getattr(retrieval, name)(**kwargs)
    return float(metric(torch.tensor(scores), torch.tensor(relevant), indexes=torch.tensor(queries)))


LOSES = ["RetrievalPrecision", "RetrievalRecall", "RetrievalMRR", "RetrievalMAP"]
KEEPS = ["RetrievalHitRate", "RetrievalNormalizedDCG", "RetrievalRPrecision", "RetrievalFallOut"]
facts = {}
print("torchmetrics", torchmetrics.__version__, "torch", torch.__version__)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for name in LOSES + KEEPS:
        raw, probability, shifted, worse = (figure(name, s) for s in (score, 1 / (1 + np.exp(-score)), score + 100, poor))
        print(f"{name:24s} raw {raw:.3f}, as probabilities {probability:.3f}, raw + 100 {shifted:.3f}; worse model {worse:.3f}")
        facts[f"{name} is the same for probabilities and for scores plus a constant"] = abs(probability - shifted) < 1e-6
        if name in LOSES:
            facts[f"{name} of raw scores is less than half of it"] = raw < probability / 2
            facts[f"{name} prefers the worse model"] = raw < worse < probability
        else:
            facts[f"{name} of raw scores is the same"] = abs(raw - probability) < 1e-6
    curve = retrieval.RetrievalPrecisionRecallCurve(max_k=5)
    precision, recall, _ = curve(torch.tensor(score), torch.tensor(relevant), indexes=torch.tensor(queries))
    print(f"RetrievalPrecisionRecallCurve at 5: precision {precision[4]:.3f}, recall {recall[4]:.3f}")
    facts["the curve's precision and recall at 5 are those of probabilities"] = (
        abs(float(precision[4]) - figure("RetrievalPrecision", score + 100)) < 1e-6
        and abs(float(recall[4]) - figure("RetrievalRecall", score + 100)) < 1e-6
    )
facts["anything was said of scores"] = any("score" in str(w.message) or "preds" in str(w.message) for w in warned)
for name, value in facts.items():
    print(f"{name}: {'yes' if value else 'no'}")
same = list(facts.values()) == [True] * (len(facts) - 1) + [False]
print("as described" if same else "torchmetrics' behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/metrics.py"
