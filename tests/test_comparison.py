"""compare_losses: the same rows, trees and rounds for every loss, figures as a user would compute them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _boosters import make_data, make_weight
from _versions import need_arrow
from lightgbm import LGBMClassifier, early_stopping
from scipy.sparse import csr_array
from sklearn.model_selection import GroupKFold, ShuffleSplit, TimeSeriesSplit, train_test_split
from xgboost import XGBClassifier

import hsboost.comparison
from hsboost import HSClassifier, LossComparison, PrecisionAtK, compare_losses, precision_at_k, recall_at_k
from hsboost.comparison import CANDIDATES, Trial, _splits, _training, _trials
from hsboost.losses import LOSSES, HypersimplexLoss

X, Y = make_data(400, share=0.25)
Y = Y.astype(int)
TREES: dict[str, Any] = {
    "xgboost": XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1),
    "lightgbm": LGBMClassifier(n_estimators=4, num_leaves=6, verbose=-1, n_jobs=1),
}
HALVES = [(np.arange(200), np.arange(200, 400)), (np.arange(200, 400), np.arange(200))]


@pytest.fixture
def made_up(monkeypatch):
    """Trainings that cost nothing: figures by trial, split and a seed."""

    def run(trial, estimator, rows, split):
        rng = np.random.default_rng([len(trial.key), int(split.test[0])])
        figures = dict(zip(("valid", "precision", "recall", "auc"), rng.random(4).tolist(), strict=True))
        return {**figures, "rounds": 3, "seconds": 0.5}

    monkeypatch.setattr(_training, "run", run)


@pytest.mark.parametrize("booster", TREES)
def test_figures_are_those_of_the_models_a_user_would_train(booster):
    weight = make_weight(400)
    losses = {
        "down": Trial(positive_weight=0.3),
        "half": Trial("hypersimplex", k_factor=0.5),
        "floor": Trial("hypersimplex", settings={"hessian_floor": 0.5}),
    }
    cv = [(np.arange(300), np.arange(300, 400)), (np.arange(100, 400), np.arange(100))]
    found = compare_losses(
        X, Y, k=0.1, estimator=TREES[booster], sample_weight=weight, losses=losses, cv=cv, random_state=5
    )
    models = {
        "log-loss": (HSClassifier(loss="log-loss"), 1.0),
        "down": (HSClassifier(loss="log-loss"), 0.3),
        "half": (HSClassifier(loss="hypersimplex", k=0.05), 1.0),
        "floor": (HSClassifier(loss="hypersimplex", k=0.1, hessian_floor=0.5), 1.0),
    }
    assert found.frame.index.tolist() == list(models)
    for i, (before, test) in enumerate(cv):
        # Neither split has all its training rows before the test rows, as the second has them after.
        train, valid = train_test_split(before, test_size=0.25, random_state=5 + i, stratify=Y[before])
        train, valid = np.sort(train), np.sort(valid)
        for name, (model, down) in models.items():
            w = weight[train] * np.where(Y[train] == 1, down, 1.0)
            if booster == "xgboost":
                inner = XGBClassifier(
                    **TREES[booster].get_params() | {"early_stopping_rounds": 99, "eval_metric": PrecisionAtK(0.1)}
                )
                more: dict[str, Any] = {}
            else:
                inner = TREES[booster]
                more = {"callbacks": [early_stopping(99, verbose=False)], "eval_metric": PrecisionAtK(0.1)}
            model = model.set_params(estimator=inner)
            model.fit(X[train], Y[train], w, [(X[valid], Y[valid])], eval_sample_weight=[weight[valid]], **more)
            score = model.decision_function(X[test])
            row = found.splits[(found.splits["split"] == i) & (found.splits["loss"] == name)].iloc[0]
            assert row["precision"] == pytest.approx(precision_at_k(Y[test], score, 0.1, sample_weight=weight[test]))
            assert row["recall"] == pytest.approx(recall_at_k(Y[test], score, 0.1, sample_weight=weight[test]))
    for metric in ("precision", "recall", "auc"):
        own = found.splits.pivot_table(index="split", columns="loss", values=metric)
        gaps = own["half"] - own["log-loss"]
        assert found.frame.loc["half", metric] == pytest.approx(own["half"].mean())
        assert found.frame.loc["half", f"{metric}_difference"] == pytest.approx(gaps.mean())
        error = math.sqrt(gaps.var() * (1 / 2 + (100 / 300)))
        half = 12.706204736432095 * error  # 97.5 % point of t with one degree of freedom
        assert found.frame.loc["half", f"{metric}_low"] == pytest.approx(gaps.mean() - half)
        assert found.frame.loc["half", f"{metric}_high"] == pytest.approx(gaps.mean() + half)


@pytest.mark.parametrize("booster", TREES)
def test_budgets_by_group_are_judged_and_trained_by_group(booster):
    groups = np.arange(400) // 10
    found = compare_losses(X, Y, k=2, groups=groups, estimator=TREES[booster], losses=["hypersimplex-fy"], cv=2)
    assert "whole groups" in found.description
    _, test = next(GroupKFold(2, shuffle=True, random_state=0).split(X, groups=groups))
    before = np.setdiff1d(np.arange(400), test)
    split = _splits.make_splits(Y == 1, _segments(groups), None, 2, 1, None, 0).parts[0]
    assert set(split.test) == set(test)
    assert set(split.train) | set(split.valid) == set(before)
    assert not set(groups[split.train]) & set(groups[split.valid])
    inner = TREES[booster]
    metric = PrecisionAtK(2, groups[split.valid])
    more: dict[str, Any] = {}
    if booster == "xgboost":
        inner = XGBClassifier(**inner.get_params() | {"early_stopping_rounds": 99, "eval_metric": metric})
    else:
        more = {"callbacks": [early_stopping(99, verbose=False)], "eval_metric": metric}
    model = HSClassifier(inner, loss="hypersimplex-fy", k=2).fit(
        X[split.train],
        Y[split.train],
        eval_set=[(X[split.valid], Y[split.valid])],
        groups=groups[split.train],
        eval_groups=groups[split.valid],
        **more,
    )
    score = model.decision_function(X[test])
    row = found.splits[(found.splits["split"] == 0) & (found.splits["loss"] == "hypersimplex-fy")].iloc[0]
    assert row["precision"] == pytest.approx(precision_at_k(Y[test], score, 2, groups=groups[test]))


def _segments(groups):
    from hsboost._solver.segments import Segments

    return Segments.by_label(groups)


@pytest.mark.parametrize("booster", TREES)
@pytest.mark.parametrize("container", ["frame", "sparse"])
def test_categories_missing_values_and_texts_for_labels(booster, container):
    labels = np.where(Y == 1, "late", "on time")
    if container == "frame":
        rows: Any = pd.DataFrame(X, columns=list("abcde"))
        rows.loc[::7, "b"] = np.nan
        rows["c"] = pd.Categorical(np.where(rows["c"] > 1.5, "rare", np.where(rows["c"] > 0, "high", "low")))
        estimator: Any = TREES[booster].__class__(**TREES[booster].get_params())
        if booster == "xgboost":
            estimator.set_params(enable_categorical=True)
    else:
        rows, estimator = csr_array(np.where(X > 0, X, 0.0)), TREES[booster]
    found = compare_losses(rows, labels, k=0.1, pos_label="late", estimator=estimator, losses=["hypersimplex"], cv=2)
    assert found.frame["auc"].between(0.5, 1.0).all()  # "late" is before "on time" in the alphabet


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", None])
def test_boosters_by_name_read_categories(name, made_up):
    rows = pd.DataFrame(X, columns=list("abcde")).assign(c=pd.Categorical(["x", "y"] * 200))
    assert compare_losses(rows, Y, estimator=name, cv=2).frame.index[0] == "log-loss"
    booster = _training.booster_of(name, rows)
    assert getattr(booster, "enable_categorical", True) is True
    assert "XGB" in repr(booster) or name == "lightgbm"


def test_validation_rows_choose_the_trial_and_the_first_of_equals(monkeypatch):
    figures = {"log-loss": (0.5, 0.4), "hypersimplex": (0.6, 0.1), "hypersimplex, k x 0.5": (0.7, 0.2),
               "hypersimplex, k x 0.25": (0.7, 0.9), "hypersimplex, k x 2": (0.1, 0.8)}  # fmt: skip
    monkeypatch.setattr(
        _training,
        "run",
        lambda trial, *_: {
            "valid": figures[trial.key][0], "precision": figures[trial.key][1], "recall": 0.0, "auc": 0.5,
            "rounds": 1, "seconds": 1.0,
        },
    )  # fmt: skip
    found = compare_losses(X, Y, losses=["hypersimplex"], cv=HALVES)
    assert found.frame.loc["hypersimplex", "precision"] == pytest.approx(0.2)
    assert found.frame.loc["hypersimplex", "setting"] == "hypersimplex, k x 0.5"
    assert found.frame.loc["hypersimplex", "search_seconds"] == pytest.approx(4.0)
    assert found.setting("hypersimplex") == Trial("hypersimplex", k_factor=0.5)
    assert found.setting() == Trial()
    assert len(found.trials) == 2 * 5


def test_trials_that_losses_share_are_trained_once(made_up):
    found = compare_losses(X, Y, losses=["log-loss-weighted"], cv=HALVES)
    assert len(found.trials) == 2 * 4
    assert (found.trials["trial"] == "log-loss").sum() == 2


def test_default_candidates_are_those_whose_losses_exist(monkeypatch):
    names = [one.name for one in _trials.default_candidates()]
    assert names[:4] == ["log-loss", "log-loss-weighted", "budget-log-loss", "hypersimplex"]
    monkeypatch.setattr(
        _trials, "LOSSES", {**LOSSES, "hypersimplex-smooth": HypersimplexLoss, "budget-log-loss": HypersimplexLoss}
    )
    everything = _trials.default_candidates()
    assert [one.name for one in everything] == [one.name for one in CANDIDATES]
    assert max(len(one.trials) for one in everything) == 4
    assert all(trial.has_budget for one in everything[2:] for trial in one.trials)
    assert not any(trial.has_budget for one in everything[:2] for trial in one.trials)


@pytest.mark.parametrize(
    ("losses", "names"),
    [
        (["focal"], ["log-loss", "focal"]),
        ("squared", ["log-loss", "squared"]),
        (["hypersimplex", "log-loss"], ["log-loss", "hypersimplex"]),
        ({"mine": HypersimplexLoss(hessian_floor=0.5)}, ["log-loss", "mine"]),
        ({"mine": [Trial("focal"), "squared"]}, ["log-loss", "mine"]),
        ({"log-loss": Trial(positive_weight=0.5), "tuned": "log-loss-weighted"}, ["log-loss", "tuned"]),
    ],
)
def test_losses_by_name_object_and_mapping(losses, names):
    assert [one.name for one in _trials.read_candidates(losses)] == names


@pytest.mark.parametrize(
    ("k", "factor", "codes", "expected"),
    [
        (0.1, 0.5, None, 0.05),
        (0.1, 1.0, None, 0.1),
        (0.6, 2.0, None, 0.8),
        (3, 0.5, [0, 0, 1, 1], 2),
        (1, 0.25, [0, 0, 1, 1], 1),
        (None, 1.0, None, None),
        (None, 0.5, None, 0.25),
        (None, 0.5, [0, 0, 1, 1], {0: 0.5, 1: 0}),
        (None, 0.5, [0, 1, 1, 1], {0: 0.5, 1: 1 / 6}),
        ({0: 4, 1: 0.2}, 0.5, [0, 0, 1, 1], {0: 2, 1: 0.1}),
        ({0: None, 1: 0}, 0.5, [0, 0, 1, 1], {0: 0.5, 1: 0}),
        (None, 2.0, [0, 0, 1, 1], {0: _trials.NEARLY_ALL, 1: 0}),
    ],
)
def test_training_budgets(k, factor, codes, expected):
    positive = np.array([True, True, False, False])
    found = _trials.training_budget(k, factor, positive, None, None if codes is None else np.array(codes))
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]
        assert list(found.values()) == pytest.approx(list(expected.values()))
        HypersimplexLoss(found)  # takes them
    else:
        assert type(found) is type(expected)
        assert found == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("k", "groups", "expected"),
    [
        (0.05, None, 0.05),
        (None, None, None),
        (20, None, 0.05),
        (5, "whole", 5),
        (0.05, "whole", 0.05),
        (5, "split", {0: 0.025, 1: 0.025}),
        ({"n": 5, "s": 0.5}, "split", {0: 0.025, 1: 0.5}),
    ],
)
def test_a_count_is_of_the_table_or_of_each_whole_group(k, groups, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(
        _training,
        "run",
        lambda trial, estimator, rows, split: (
            seen.append(rows.k)
            or {"valid": 0.5, "precision": 0.5, "recall": 0.5, "auc": 0.5, "rounds": 1, "seconds": 1.0}
        ),
    )
    labels = {None: None, "whole": np.arange(400) // 10, "split": np.where(np.arange(400) % 2, "s", "n")}[groups]
    compare_losses(X, Y, k=k, groups=labels, cv=2)
    assert all(one == expected for one in seen)


def test_few_groups_are_split_by_rows_and_many_kept_whole():
    few, many = _segments(np.arange(400) % 3), _segments(np.arange(400) // 10)
    assert not _splits.make_splits(Y == 1, few, None, 4, 1, None, 0).whole_groups
    assert _splits.make_splits(Y == 1, many, None, 4, 1, None, 0).whole_groups
    assert not _splits.make_splits(Y == 1, many, None, 4, 1, False, 0).whole_groups
    assert _splits.make_splits(Y == 1, _segments(np.arange(400) // 50), None, 4, 1, True, 0).whole_groups


def test_every_row_is_tested_once_and_parts_do_not_overlap():
    splits = _splits.make_splits(Y == 1, None, None, None, 2, None, 0)
    assert len(splits.parts) == 10
    for turn in (splits.parts[:5], splits.parts[5:]):
        assert np.array_equal(np.sort(np.concatenate([one.test for one in turn])), np.arange(400))
    for one in splits.parts:
        assert np.array_equal(np.sort(np.r_[one.train, one.valid, one.test]), np.arange(400))
        assert (one.train.size, one.valid.size, one.test.size) == (240, 80, 80)
        assert one.ratio == pytest.approx(1 / 4)
    assert not np.array_equal(splits.parts[0].test, splits.parts[5].test)


def test_few_rows_are_parted_twice():
    few, many = np.arange(400) % 4 == 0, np.arange(_splits.FEW_ROWS) % 4 == 0
    assert len(_splits.make_splits(few, None, None, None, None, None, 0).parts) == 10
    assert len(_splits.make_splits(many, None, None, None, None, None, 0).parts) == 5
    assert len(_splits.make_splits(few, None, np.arange(400), None, None, None, 0).parts) == 5
    assert len(_splits.make_splits(few, None, None, TimeSeriesSplit(3), None, None, 0).parts) == 3


@pytest.mark.parametrize("kind", ["numbers", "texts", "dates"])
def test_time_trains_on_the_past_and_keeps_equal_times_together(kind):
    day = np.random.default_rng(0).permutation(np.arange(400) // 8)
    dates = pd.Timestamp("2013-12-01") + pd.to_timedelta(day, "D")
    given = {"numbers": day, "texts": dates.strftime("%Y-%m-%d").to_numpy(), "dates": dates}[kind]
    time = _splits.read_time(given, 400)
    splits = _splits.make_splits(Y == 1, None, time, 3, 1, None, 0)
    for one in splits.parts:
        assert day[one.train].max() < day[one.valid].min()
        assert day[one.valid].max() < day[one.test].min()
    tested = np.concatenate([one.test for one in splits.parts])
    assert np.array_equal(np.unique(day[tested]), np.arange(25, 50))
    assert tested.size == np.unique(tested).size == 200
    assert _splits.make_splits(Y == 1, _segments(day), time, 3, 1, None, 0).whole_groups


def test_any_splitter_will_do_and_the_last_rows_validate_where_the_order_counts():
    ordered = _splits.make_splits(Y == 1, None, None, TimeSeriesSplit(3), 1, None, 0)
    for one in ordered.parts:
        assert one.train.max() < one.valid.min() <= one.valid.max() < one.test.min()
    shuffled = _splits.make_splits(Y == 1, None, None, ShuffleSplit(4, test_size=0.1, random_state=0), 1, None, 0)
    assert [one.test.size for one in shuffled.parts] == [40] * 4
    groups = np.arange(400) // 10
    own = _splits.make_splits(Y == 1, _segments(groups), None, GroupKFold(4), 1, None, 0)
    assert own.whole_groups
    assert all(not set(groups[one.train]) & set(groups[one.valid]) for one in own.parts)


def test_table_reads_at_eighty_columns(made_up):
    losses = {"a loss whose name is longer than its column": "focal", "hypersimplex-smooth": "squared"}
    text = str(compare_losses(X, Y, k=0.05, losses=losses, cv=HALVES))
    assert max(map(len, text.splitlines())) <= 80
    assert "400 rows, 25 % positive; k: 5 %; XGBClassifier" in text
    assert "log-loss" in text
    assert "a loss whose name …" in text


def test_table_shows_the_frames_numbers(made_up):
    found = compare_losses(X, Y, k=0.05, losses=["focal"], cv=HALVES)
    line = next(one for one in str(found).splitlines() if one.startswith("focal"))
    row = found.frame.loc["focal"]
    for value in (row["precision"], row["recall"]):
        assert f"{value:.4f}"[1:] in line
    for name in ("precision_difference", "precision_low", "precision_high", "auc_difference"):
        value = row[name]
        assert (f"{value:+.2f}" if abs(value) >= 1 else f"{value:+.4f}".replace("0.", ".", 1)) in line
    assert repr(found) == f"<LossComparison of log-loss, focal: {found.recommendation.verdict}, log-loss>"
    assert found.recommendation.text in found._repr_html_()
    assert isinstance(found, LossComparison)


def test_plot_draws_what_the_frame_holds(made_up):
    pytest.importorskip("matplotlib")
    found = compare_losses(X, Y, k=0.05, losses=["focal", "squared"], cv=HALVES)
    for metric in ("precision", "recall", "auc"):
        display = found.plot(metric=metric, name="two losses")
        assert [one.get_text() for one in display.ax_.get_yticklabels()] == ["focal", "squared"]
        points = [line.get_xdata()[0] for line in display.ax_.get_lines() if line.get_marker() == "o"]
        assert points == pytest.approx(found.frame[f"{metric}_difference"].iloc[1:].tolist())
        bars = [tuple(line.get_xdata()) for line in display.ax_.get_lines() if len(line.get_xdata()) == 2][1:]
        ends = found.frame[[f"{metric}_low", f"{metric}_high"]].iloc[1:]
        assert np.array(bars) == pytest.approx(ends.to_numpy())
        display.figure_.clear()
    with pytest.raises(ValueError, match="metric must be one of"):
        found.plot(metric="lift")


def test_one_split_has_figures_and_no_intervals(made_up):
    found = compare_losses(X, Y, k=0.05, losses=["focal"], cv=HALVES[:1])
    assert found.recommendation.verdict == "one split"
    assert found.frame.loc["focal", ["p", "p_adjusted", "precision_low", "auc_high"]].isna().all()
    assert "[+" not in str(found)
    assert "nan" not in str(found)
    pytest.importorskip("matplotlib")
    display = found.plot()
    assert np.isnan(display.low).all()
    assert not display.significant.any()
    display.figure_.clear()


@pytest.mark.parametrize("booster", TREES)
def test_trees_without_a_split_are_warned_of(booster):
    estimator = type(TREES[booster])(**TREES[booster].get_params() | {"min_child_weight": 1e6})
    with pytest.warns(UserWarning, match="no tree has a split"):
        found = compare_losses(X[:, :1], Y, k=0.1, estimator=estimator, losses=["squared"], cv=HALVES)
    assert found.frame["precision"].tolist() == pytest.approx([found.splits["precision"].mean()] * 2)


@pytest.mark.parametrize(
    ("booster", "container"), [("xgboost", "polars"), ("lightgbm", "polars"), ("xgboost", "arrow")]
)
def test_other_frames(booster, container):
    need_arrow(booster, container)
    if container == "polars":
        rows = pytest.importorskip("polars").DataFrame(X)
    else:
        rows = pytest.importorskip("pyarrow").table({f"x{i}": X[:, i] for i in range(5)})
    found = compare_losses(rows, Y, k=0.1, estimator=TREES[booster], losses=["squared"], cv=HALVES)
    same = compare_losses(X, Y, k=0.1, estimator=TREES[booster], losses=["squared"], cv=HALVES)
    columns = ["precision", "recall", "auc"]
    assert found.frame[columns].to_numpy() == pytest.approx(same.frame[columns].to_numpy())


def test_differences_between_any_two_losses(made_up):
    found = compare_losses(X, Y, losses=["focal", "squared"], cv=HALVES)
    own = found.splits.pivot_table(index="split", columns="loss", values="precision")
    assert found.difference("focal", "squared").mean == pytest.approx((own["focal"] - own["squared"]).mean())
    with pytest.raises(ValueError, match="no loss 'hinge' was compared; known: log-loss, focal, squared"):
        found.difference("hinge")
    with pytest.raises(ValueError, match="metric must be one of"):
        found.difference("focal", metric="lift")


def test_progress_is_told_after_every_training(made_up, capsys):
    lines: list[str] = []
    compare_losses(X, Y, losses=["focal"], cv=HALVES, verbose=lines.append)
    assert [line.split()[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert "split 2/2  focal: precision" in lines[3]
    assert "left" in lines[2]
    assert "left" not in lines[3]
    compare_losses(X, Y, losses=["focal"], cv=HALVES, verbose=True)
    assert capsys.readouterr().err.count("\n") == 4


@pytest.mark.parametrize("booster", TREES)
def test_settings_of_the_estimator_are_kept_and_it_is_left_alone(booster):
    estimator = TREES[booster]
    before = repr(estimator.get_params())
    found = compare_losses(X, Y, k=0.1, estimator=estimator, losses=["squared"], cv=HALVES)
    assert found.splits["rounds"].between(1, 4).all()
    assert repr(estimator.get_params()) == before


THREE = np.arange(400) % 3
#: Arguments beside X and y; what the error says.
ERRORS = {
    "three classes": ({"y": THREE}, r"y must hold two classes, got 3: 0, 1, 2; pass \(y == your_label\)"),
    "one class": ({"y": np.ones(400)}, "y must hold two classes, got 1"),
    "texts": ({"y": np.where(Y, "b", "a")}, "y holds 'a' and 'b'; say which is positive with pos_label="),
    "other numbers": ({"y": Y + 1}, "y holds 1 and 2; say which is positive"),
    "a label that is not there": ({"pos_label": 7}, "pos_label=7 is not among the labels, 0 and 1"),
    "missing labels": ({"y": np.where(Y, 1.0, np.nan)}, "NaN"),
    "short y": ({"y": Y[:5]}, "y must have one label per row of X"),
    "k is no share": ({"k": 1.5}, r"k as a float is a share of the total weight and must lie in \(0, 1\)"),
    "k is nothing": ({"k": 0}, "k=0 acts on no row"),
    "k is everything": ({"k": 400}, "k=400 is not below the 400 rows"),
    "k by group without groups": ({"k": {"a": 1}}, "k is a mapping of 1 labels, and there are no groups"),
    "k lacks a group": ({"k": {0: 1}, "groups": THREE}, "k has no budget for group 1"),
    "a group is missing": ({"groups": np.where(Y, 1.0, np.nan)}, "groups"),
    "short groups": ({"groups": THREE[:5]}, "groups must have one entry per row of X"),
    "time is missing": ({"time": np.where(Y, 1.0, np.nan)}, "time is missing in 300 rows"),
    "time is text": ({"time": np.array(["monday"] * 400)}, "time must hold numbers or dates, got 'monday'"),
    "few times": ({"time": np.arange(400) // 200}, "time has 2 different values, too few for 5 test parts"),
    "short time": ({"time": np.arange(5)}, "time must have one entry per row of X"),
    "negative weights": ({"sample_weight": -np.ones(400)}, "sample_weight must be finite and >= 0"),
    "one part": ({"cv": 1}, "cv must be 2 or more test parts"),
    "more parts than positives": ({"cv": 300}, "cv=300 test parts need a row of each class each"),
    "few groups": ({"groups": THREE, "new_groups": True}, "need 10 groups at least, and there are 3"),
    "new groups of none": ({"new_groups": True}, "new_groups=True goes with groups"),
    "repeats": ({"repeats": 0}, "repeats must be a whole number from 1, got 0"),
    "repeats in time": ({"repeats": 2, "time": np.arange(400)}, "repeats and new_groups do not go with time"),
    "a splitter and time": ({"cv": TimeSeriesSplit(3), "time": np.arange(400)}, "cv is a splitter of your own"),
    "overlapping splits": ({"cv": [(np.arange(300), np.arange(200, 400))]}, "training and test rows; keep them apart"),
    "a part without positives": (
        {"cv": [(np.arange(400)[Y == 1], np.arange(400)[Y == 0])]}, "split 1 has no negative row among its",
    ),
    "confidence": ({"confidence": 95}, r"confidence must be a number in \(0, 1\)"),
    "worth": ({"worth": -1}, "worth must be a positive finite number"),
    "seed": ({"random_state": None}, "random_state must be a whole number, got None"),
    "unknown loss": ({"losses": ["hypersimlex"]}, "losses hold 'hypersimlex', which is no loss; known: log-loss,"),
    "no rival": ({"losses": ["log-loss"]}, "losses hold 'log-loss' only"),
    "twice": ({"losses": ["focal", "focal"]}, "losses hold 'focal' twice"),
    "empty trials": ({"losses": {"mine": []}}, r"losses\['mine'\] is empty"),
    "a classifier": ({"estimator": HSClassifier()}, "estimator must be a booster, got HSClassifier; pass its"),
    "another estimator": ({"estimator": "catboost"}, "estimator must be None, 'xgboost', 'lightgbm'"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_bad_input_is_one_clear_error(case, made_up):
    arguments, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        compare_losses(X, **({"y": Y} | arguments))


@pytest.mark.parametrize("losses", [3, {3: "focal"}, [3], {"mine": 3}])
def test_losses_of_a_wrong_type(losses, made_up):
    with pytest.raises(TypeError, match="losses must"):
        compare_losses(X, Y, losses=losses)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k_factor": 0.0}, "k_factor must be a positive finite number"),
        ({"positive_weight": -1.0}, "positive_weight must be a positive finite number"),
        ({"settings": {"k": 0.1}}, "settings hold 'k', which the comparison sets"),
        ({"loss": HypersimplexLoss(k=0.1)}, "has a k of its own"),
    ],
)
def test_trials_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        Trial(**settings)


def test_public_names_of_the_package():
    assert all(hasattr(hsboost.comparison, name) for name in hsboost.comparison.__all__)
