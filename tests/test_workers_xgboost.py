"""Models trained by XGBoost on 1, 2 and 4 real processes agree: thresholds, gradients, predictions."""

from __future__ import annotations

import numpy as np
import pytest
from _training import Job, train

JOBS = {
    "positives": Job(),
    "count and weights": Job(k=100, weighted=True),
    "share": Job(k=0.1),
    "groups": Job(k=0.3, groups=6, weighted=True),
    "classes": Job(classes=3),
    "convex": Job(loss="hypersimplex-fy"),
    "log loss": Job(loss="log-loss"),
    "softmax": Job(loss="log-loss", classes=3),
    "log loss near a cut": Job(loss="budget-log-loss", k=0.2, weighted=True),
    "log loss near the groups' cuts": Job(loss="budget-log-loss", k=0.2, groups=6),
}
SHARES = {"even": (0.5, 0.5), "empty": (0.7, 0.0, 0.3), "four": (0.1, 0.4, 0.2, 0.3)}


@pytest.fixture(scope="module")
def alone():
    """Every job on one machine."""
    return train(JOBS, (1.0,))


@pytest.fixture(scope="module", params=SHARES)
def together(request):
    """Every job on several workers."""
    return train(JOBS, SHARES[request.param])


@pytest.mark.parametrize("name", JOBS)
def test_models_of_many_workers_agree(alone, together, name):
    job, (one,), ends = JOBS[name], alone[name], together[name]
    assert len({end.model for end in ends}) == 1
    for r in range(job.rounds):
        shape = one.scores[r].shape
        scores, gradients = (
            np.concatenate([part[r].reshape(-1, *shape[1:]) for part in parts])
            for parts in ([end.scores for end in ends], [end.gradients for end in ends])
        )
        np.testing.assert_allclose(scores, one.scores[r], rtol=1e-6, atol=2e-6)
        np.testing.assert_allclose(gradients, one.gradients[r], rtol=1e-5, atol=2e-5)
        if job.loss == "hypersimplex":
            cuts = [np.asarray(end.thresholds[r]) for end in ends]
            assert all(cut.tobytes() == cuts[0].tobytes() for cut in cuts)
            np.testing.assert_allclose(cuts[0], one.thresholds[r], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in JOBS if "log" not in name and "softmax" not in name])
def test_rounds_take_few_small_calls(together, name):
    job = JOBS[name]
    for end in together[name]:
        assert len(end.traffic) == job.rounds
        assert all(traffic.largest <= 4096 for traffic in end.traffic[1:])
        assert max(traffic.calls for traffic in end.traffic[1:]) <= 4 + (job.groups > 0)
