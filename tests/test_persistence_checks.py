"""The content of a model file is checked before a booster sees it: here no booster loads anything.

Edits written out here are such as boosters refuse or put up with; `test_splits` has the rest, on plain arrays.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import binary, multi, small
from test_persistence_files import forged

from hsboost import HSClassifier
from hsboost.estimators._model_file import native

pytestmark = pytest.mark.truth

X, Y = binary()
X3, Y3 = multi()
NAMES = np.array(["west", "south", "east", "north"])[np.random.default_rng(0).integers(0, 4, len(Y))]
FRAME = pd.DataFrame(X, columns=list("abcde")).assign(region=pd.Categorical(NAMES, ["west", "south", "east", "north"]))
BY_REGION = np.isin(NAMES, ["west", "east"]).astype(int)


def make(name: str) -> HSClassifier:
    booster, _, kind = name.partition(" ")
    two = {"n_estimators": 2}
    if kind == "categories":
        more: dict[str, Any] = {"enable_categorical": True, "max_cat_to_onehot": 1} if booster == "xgboost" else {}
        return HSClassifier(small(booster, **two, **more)).fit(FRAME, BY_REGION)
    if kind == "classes":
        return HSClassifier(small(booster, **two), calibration="isotonic", random_state=0).fit(X3, Y3)
    if kind == "vector":
        return HSClassifier(small(booster, **two, multi_strategy="multi_output_tree")).fit(X3, Y3)
    kinds: dict[str, dict[str, Any]] = {
        "": {},
        "dart": {"booster": "dart"} if booster == "xgboost" else {"boosting_type": "dart"},
        "linear": {"booster": "gblinear"} if booster == "xgboost" else {"linear_tree": True},
    }
    estimator = small(booster, **two).set_params(**kinds[kind])
    model = HSClassifier(estimator, k=3, calibration="sigmoid", random_state=0)
    return model.fit(X, Y, groups=np.arange(len(Y)) % 3)


XGBOOST = ["xgboost", "xgboost dart", "xgboost linear", "xgboost categories", "xgboost classes", "xgboost vector"]
LIGHTGBM = ["lightgbm", "lightgbm linear", "lightgbm categories", "lightgbm classes", "lightgbm dart"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    found = {}
    for name in XGBOOST + LIGHTGBM:
        found[name] = folder / f"{name}.json"
        make(name).save_model(found[name])
    return found


class Reached(Exception):
    """The content got as far as the booster."""


@pytest.fixture(autouse=True)
def _no_booster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    request.getfixturevalue("files")  # these are saved with one

    def stop(*arguments: Any) -> None:
        raise Reached

    monkeypatch.setattr(native, "from_plain", stop)


def rejected(path: Path, tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"forged\.json: .*{message}"):
        HSClassifier.load_model(forged(path, tmp_path, change))


def test_what_was_saved_reaches_the_booster(files: dict[str, Path]) -> None:
    for path in files.values():
        with pytest.raises(Reached):
            HSClassifier.load_model(path)


def learner(content: Any) -> Any:
    return content["booster"]["model"]["learner"]


def trees(content: Any) -> Any:
    booster = learner(content)["gradient_booster"]
    return booster.get("gbtree", booster)["model"]


def put(get: Callable[[Any], Any], key: Any, value: Any) -> Callable[[Any], None]:
    """An edit: ``value``, or what it makes of the old one, in place of ``get(content)[key]``."""

    def change(content: Any) -> None:
        get(content)[key] = value(get(content)[key]) if callable(value) else value

    return change


def tree(content: Any) -> Any:
    return trees(content)["trees"][0]


def node(name: str, place: int, value: Any) -> Callable[[Any], None]:
    return put(lambda content: tree(content)[name], place, value)


def among(name: str, place: Any, value: Any) -> Callable[[Any], None]:
    return put(lambda content: trees(content)[name], place, value)


def head(name: str, value: Any) -> Callable[[Any], None]:
    return put(lambda content: learner(content)["learner_model_param"], name, value)


def shape(content: Any) -> Any:
    return tree(content)["tree_param"]


def ring(content: Any) -> None:
    """Two nodes that lead to each other, and to which nothing else leads."""
    found = tree(content)
    a = found["left_children"][0]
    b = found["left_children"][a]
    for side in ("left_children", "right_children"):
        found[side] = [
            {a: b, b: a}.get(child, child) if i in (0, a, b) else child for i, child in enumerate(found[side])
        ]


#: What is wrong, in which model, the edit that makes it so, and what the message says.
XGBOOST_EDITS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "nodes in a circle": ("xgboost", ring, "child of exactly one|circle|parent"),
    "a leaf with a right child": ("xgboost", node("right_children", -1, 1), "leaf with a right child"),
    "a parent that is another's": ("xgboost", node("parents", 2, 1), "parent"),
    "a feature that is none": ("xgboost", node("split_indices", 0, 5), "a feature that the model"),
    "a number of features": ("xgboost", head("num_feature", "9"), "num_feature"),
    "a tree's features": ("xgboost", put(shape, "num_feature", "9"), "num_feature"),
    "a number of nodes": ("xgboost", put(shape, "num_nodes", "9999"), "entries, not 9999"),
    "no nodes": ("xgboost", put(shape, "num_nodes", "0"), "num_nodes"),
    "deleted nodes": ("xgboost", put(shape, "num_deleted", "1"), "num_deleted"),
    "trees counted wrongly": ("xgboost", among("gbtree_model_param", "num_trees", "3"), "num_trees"),
    "no parallel tree": ("xgboost", among("gbtree_model_param", "num_parallel_tree", "0"), "num_par"),
    "rounds beyond the trees": ("xgboost", among("iteration_indptr", -1, 3), "iteration_indptr"),
    "rounds in no order": ("xgboost", among("iteration_indptr", 0, 1), "iteration_indptr"),
    "classes of trees missing": ("xgboost classes", put(trees, "tree_info", lambda old: old[:-1]), "tree_info"),
    "a number of classes": ("xgboost", head("num_class", "3"), "num_class"),
    "classes of the loss": (
        "xgboost classes",
        put(lambda c: learner(c)["objective"]["softmax_multiclass_param"], "num_class", "4"), "num_class",
    ),
    "another objective": ("xgboost", put(lambda c: learner(c)["objective"], "name", "reg:linear"), "objective"),
    "a base score": ("xgboost", head("base_score", "one"), "base_score"),
    "a base score outside": ("xgboost", head("base_score", "2"), "between 0"),
    "base scores": ("xgboost", head("base_score", "[.5,.5]"), "base_score"),
    "a leaf beyond float32": ("xgboost", node("split_conditions", -1, 1e39), "split_conditions"),
    "a leaf that is text": ("xgboost", node("split_conditions", -1, "1"), "split_conditions"),
    "a direction": ("xgboost", node("default_left", 0, 2), "default_left"),
    "a kind of split": ("xgboost", node("split_type", 0, 2), "split_type"),
    "categories without a list": ("xgboost", node("split_type", 0, 1), "categories_nodes"),
    "no booster": ("xgboost", put(lambda c: learner(c)["gradient_booster"], "name", "gbforest"), "booster is"),
    "a best round": ("xgboost", put(learner, "attributes", {"best_iteration": "2"}), "best_iteration"),
    "a name twice": ("xgboost categories", put(lambda c: learner(c)["feature_names"], 0, "b"), "twice"),
    "another name": ("xgboost categories", put(lambda c: learner(c)["feature_names"], 0, "z"), "feature_names"),
    "a feature's type": ("xgboost categories", put(lambda c: learner(c)["feature_types"], 0, "z"), "type"),
    "a category beyond all": ("xgboost categories", node("categories", 0, 2**24), "categories"),
    "names cut wrongly": ("xgboost categories", put(lambda c: trees(c)["cats"]["enc"][5]["offsets"], 1, 99), "offsets"),
    "names in no order": ("xgboost categories", among("cats", "sorted_idx", [0, 1, 2, 3]), "sort"),
    "names counted wrongly": ("xgboost categories", put(lambda c: trees(c)["cats"]["feature_segments"], -1, 3), "segm"),
    "weights of too few trees": (
        "xgboost dart", put(lambda c: learner(c)["gradient_booster"], "weight_drop", [1.0]), "weight_drop",
    ),
    "coefficients missing": ("xgboost linear", put(trees, "weights", [0.5]), "weights"),
    "leaves of vectors": ("xgboost vector", put(tree, "leaf_weights", lambda old: old[:-1]), "leaf_weights"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", XGBOOST_EDITS)
def test_an_xgboost_model_with(wrong: str, files: dict[str, Path], tmp_path: Path) -> None:
    name, change, message = XGBOOST_EDITS[wrong]
    if wrong in (
        "leaves of vectors",
        "names in no order",
        "names counted wrongly",
        "names cut wrongly",
    ):
        model = json.loads(files[name].read_text())["content"]["booster"]["model"]
        if model["version"] < [3, 2, 0]:
            pytest.skip("XGBoost before 3.2 does not save these")
    rejected(files[name], tmp_path, change, message)


def line(name: str, new: Any, block: int = 0) -> Callable[[Any], None]:
    """An edit of LightGBM's text: ``new``, or what it makes of the old value, in the head (0) or in tree ``block`` - 1.

    The sizes of the trees' texts are made to fit again.
    """

    def change(content: Any) -> None:
        text = content["booster"]["model"]
        blocks, end, tail = text.partition("end of trees\n")
        parts = blocks.split("Tree=")
        lines = parts[block].split("\n")
        place = next(i for i, one in enumerate(lines) if one.startswith(f"{name}="))
        old = lines[place].partition("=")[2]
        lines[place] = f"{name}={new(old) if callable(new) else new}"
        parts[block] = "\n".join(lines)
        sizes = " ".join(str(len(f"Tree={one}".encode())) for one in parts[1:])
        if name != "tree_sizes":
            parts[0] = "\n".join(f"tree_sizes={sizes}" if one.startswith("tree_sizes=") else one for one in
                                 parts[0].split("\n"))  # fmt: skip
        content["booster"]["model"] = "Tree=".join(parts) + end + tail

    return change


def first(new: Any) -> Callable[[str], str]:
    return lambda old: " ".join([str(new), *old.split(" ")[1:]])


def nines(old: str) -> str:
    return old.replace("0", "9")


def fewer(old: str) -> str:
    return old.rpartition(" ")[0]


LIGHTGBM_EDITS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a layout of the future": ("lightgbm", line("version", "v5"), "layout"),
    "a number of classes": ("lightgbm", line("num_class", 3), "num_class"),
    "trees per round": ("lightgbm classes", line("num_tree_per_iteration", 2), "num_tree_per_iteration"),
    "a number of features": ("lightgbm", line("max_feature_idx", 9), "max_feature_idx"),
    "names missing": ("lightgbm", line("feature_names", fewer), "feature_names"),
    "ranges missing": ("lightgbm", line("feature_infos", fewer), "feature_infos"),
    "a tree's size missing": ("lightgbm", line("tree_sizes", fewer), "tree_sizes"),
    "a leaf that is none": ("lightgbm", line("leaf_value", first("nan"), 1), "leaf_value"),
    "a child that is no leaf": ("lightgbm", line("left_child", first(-99), 1), "left_child"),
    "a feature that is none": ("lightgbm", line("split_feature", first(5), 1), "split_feature"),
    "a negative feature": ("lightgbm", line("split_feature", first(-1), 1), "split_feature"),
    "a kind of split": ("lightgbm", line("decision_type", first(99), 1), "decision_type"),
    "categories without a list": ("lightgbm", line("decision_type", first(1), 1), "num_cat"),
    "a number of category splits": ("lightgbm categories", line("num_cat", 0, 1), "num_cat"),
    "categories beyond the list": ("lightgbm categories", line("cat_boundaries", "0 9", 1), "cat_threshold"),
    "categories in no order": ("lightgbm categories", line("cat_boundaries", "1 0", 1), "cat_boundaries"),
    "a word of categories": ("lightgbm categories", line("cat_threshold", first(2**32), 1), "cat_threshold"),
    "a list that is none": ("lightgbm categories", line("threshold", first(3), 1), "num_cat"),
    "linear terms of no feature": ("lightgbm linear", line("leaf_features", nines, 2), "leaf_"),
    "a line twice": ("lightgbm", line("shrinkage", "1\nshrinkage=1", 1), "the line"),
    "an objective": ("lightgbm", line("label_index", "0\nobjective=binary"), "objective"),
    "control characters": ("lightgbm", line("label_index", "0\r"), "control characters"),
    "a best round": ("lightgbm", put(lambda c: c["booster"], "best_iteration", 3), "best_iteration"),
    "no text": ("lightgbm", put(lambda c: c["booster"], "model", {}), "no text"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", LIGHTGBM_EDITS)
def test_a_lightgbm_model_with(wrong: str, files: dict[str, Path], tmp_path: Path) -> None:
    name, change, message = LIGHTGBM_EDITS[wrong]
    rejected(files[name], tmp_path, change, message)


def fitted(content: Any) -> Any:
    return content["fitted"]


def known(name: str, place: Any, value: Any) -> Callable[[Any], None]:
    return put(lambda content: fitted(content)[name], place, value)


def setting(name: str, value: Any) -> Callable[[Any], None]:
    return put(lambda content: content["booster"]["settings"], name, value)


def calibrator(content: Any) -> Any:
    return content["calibrators"][0]


REST: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "one class": ("xgboost", known("classes", "array", [0]), "classes"),
    "a class twice": ("xgboost", known("classes", "array", [1, 1]), "classes"),
    "classes in no order": ("xgboost", known("classes", "array", [1, 0]), "classes"),
    "a class too many": ("xgboost classes", known("classes", "array", [0, 1, 2, 3]), "4"),
    "an array of something else": ("xgboost", known("classes", "dtype", "<M8[s]"), "dtype"),
    "no threshold": ("xgboost", put(fitted, "threshold", None), "threshold"),
    "a threshold that is none": ("xgboost", put(fitted, "threshold", {"float": "nan"}), "threshold"),
    "thresholds of too few classes": (
        "xgboost classes", known("threshold", "array", [0.5, 0.5]), "threshold",
    ),
    "a group's threshold": ("xgboost", put(lambda c: fitted(c)["group_thresholds"]["mapping"][0], 1, "x"), "of group"),
    "an offset that is none": ("lightgbm", put(fitted, "offset", "x"), "offset"),
    "a number of features": ("lightgbm", put(fitted, "n_features", 4), "max_feature_idx"),
    "no features": ("lightgbm", put(fitted, "n_features", 0), "n_features"),
    "names of too few features": ("xgboost categories", known("feature_names", "array", ["a"]), "names"),
    "columns of two lengths": ("xgboost", put(lambda c: fitted(c)["history"]["mapping"][0][1], "list", [0]), "len"),
    "no calibrator": ("xgboost", put(lambda c: c, "calibrators", []), "calibrators"),
    "a calibrator too few": ("lightgbm classes", put(lambda c: c, "calibrators", lambda old: old[:-1]), "calibrators"),
    "a calibrator's kind": ("xgboost", put(calibrator, "kind", "beta"), "kind"),
    "a slope that is none": ("xgboost", put(calibrator, "slope", None), "slope"),
    "a calibrator that falls": ("lightgbm classes", put(calibrator, "probabilities", lambda old: old[::-1]), "non"),
    "a calibrator of two lengths": ("lightgbm classes", put(calibrator, "scores", lambda old: old[1:]), "entries, not"),
    "a probability above one": ("lightgbm classes", put(lambda c: calibrator(c)["probabilities"], -1, 1.5), "proba"),
    "an unknown setting": ("xgboost", put(lambda c: c["parameters"], "shell", "x"), "no parameter 'shell'"),
    "a budget that is none": ("xgboost", put(lambda c: c["parameters"], "k", -3), "k"),
    "a calibration that is none": ("xgboost", put(lambda c: c["parameters"], "calibration", "beta"), "calibration"),
    "a loss's parameter": ("xgboost", put(lambda c: c["loss"], "parameters", {"mapping": [["x", 1]]}), "complete"),
    "threads that are none": ("lightgbm", setting("n_jobs", "many"), "n_jobs"),
    "an importance that is none": ("lightgbm", setting("importance_type", "x"), "importance"),
    "missing values that are none": ("xgboost", setting("missing", "x"), "missing"),
    "an estimator of the other kind": ("lightgbm", put(lambda c: c["booster"], "given", "xgboost"), "given"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", REST)
def test_a_classifier_with(wrong: str, files: dict[str, Path], tmp_path: Path) -> None:
    name, change, message = REST[wrong]
    rejected(files[name], tmp_path, change, message)


@pytest.mark.parametrize("name", XGBOOST + LIGHTGBM)
def test_random_edits_are_refused_or_stay_in_range(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    """Any field gets a value of another type or size: no other error than a ValueError with the file's name.

    Settings of training may be anything, so that a part of the edits does get past the checks.
    """
    good = json.loads(files[name].read_text())["content"]
    rng = np.random.default_rng(0)
    places = list(_places(good))
    outcomes = {"refused": 0, "reached": 0}
    for _ in range(60):
        *way, key = places[int(rng.integers(len(places)))]
        bad = copy.deepcopy(good)
        at = bad
        for step in way:
            at = at[step]
        at[key] = (None, -1, 2**40, "", "x", [], {}, [-1] * 9, True, 0.5)[int(rng.integers(10))]
        try:
            HSClassifier.load_model(forged(files[name], tmp_path, lambda content, bad=bad: content.update(bad)))
        except ValueError as error:
            assert "forged.json" in str(error)  # noqa: PT017
            outcomes["refused"] += 1
        except Reached:
            outcomes["reached"] += 1
    assert outcomes["refused"] >= 20, outcomes


def _places(value: Any, way: tuple[Any, ...] = ()) -> Any:
    """The way to every value, to the first few of long lists."""
    for key in value if isinstance(value, dict) else range(min(len(value), 3)) if isinstance(value, list) else ():
        yield (*way, key)
        yield from _places(value[key], (*way, key))


def test_models_that_hold_no_number_are_refused_when_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("xgboost")
    model.threshold_ = math.nan
    with pytest.raises(ValueError, match=r"this model cannot be saved so that it loads again: .*threshold.*pickle"):
        model.save_model("/dev/null")
