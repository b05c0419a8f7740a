"""A file written by one version of a booster and read by another: the right scores, or an error that names both.

The versions are installed into folders of their own (Python's part only and the library, nothing that they need). A
process for each writes a table of models, waits until all have, and reads those of all.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _models import binary, multi, small
from test_persistence_files import forged

import hsboost
from hsboost import HSClassifier
from hsboost.estimators._model_file import native, proof, xgboost_model
from hsboost.losses import LOSSES

pytestmark = pytest.mark.truth

X, Y = binary()
X3, Y3 = multi()

#: A version of each layout of XGBoost's files. 3.4.1 asks for Python 3.12, and this much of it works with 3.11, too.
VERSIONS = {"xgboost": ["2.1.4", "3.0.5", "3.1.3", "3.2.0", "3.4.1"], "lightgbm": ["4.6.0", "4.7.0"]}

WORKER = """
import json, pathlib, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
booster, own, *folders = sys.argv[1:]
from hsboost import HSClassifier
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5)).astype(np.float32)
X[::9, 0] = np.nan
y = (np.nan_to_num(X[:, 0]) + X[:, 1] * X[:, 2] > 0.4).astype(int)
y3 = np.where(X[:, 3] > 0.6, 2, y)
codes = X.copy()
codes[:, 4] = rng.integers(0, 9, 200)
by_code = (codes[:, 4] % 3 == 0).astype(int)

def table():
    if booster == "lightgbm":
        from lightgbm import LGBMClassifier

        def make(**more):
            return LGBMClassifier(**{"n_estimators": 4, "num_leaves": 6, "n_jobs": 1, "verbose": -1, **more})

        yield "plain", HSClassifier(make(), k=0.2), X, y
        yield "classes", HSClassifier(make()), X, y3
        yield "dart", HSClassifier(make(boosting_type="dart", drop_rate=0.5)), X, y
        yield "linear tree", HSClassifier(make(linear_tree=True)), np.nan_to_num(X), y
        yield "zero is missing", HSClassifier(make(zero_as_missing=True)), np.where(abs(X) < 0.3, 0, X), y
        yield "categories", HSClassifier(make(categorical_feature=[4])), codes, by_code
        yield "own start", HSClassifier(make(), loss="log-loss"), X, y
        return
    from xgboost import XGBClassifier

    def make(**more):
        return XGBClassifier(**{"n_estimators": 4, "max_depth": 3, "n_jobs": 1, **more})

    yield "plain", HSClassifier(make(), k=0.2), X, y
    yield "classes", HSClassifier(make()), X, y3
    yield "own start", HSClassifier(make(), loss="log-loss"), X, y
    yield "base score", HSClassifier(make(base_score=0.3)), X, y
    yield "dart", HSClassifier(make(booster="dart", rate_drop=0.5)), X, y
    yield "dart of classes", HSClassifier(make(booster="dart", rate_drop=0.5)), X, y3
    yield "linear", HSClassifier(make(booster="gblinear", max_depth=None)), np.nan_to_num(X), y
    yield "forest", HSClassifier(make(num_parallel_tree=3, subsample=0.5)), X, y
    yield "pruned", HSClassifier(make(tree_method="exact", gamma=2.0, max_depth=5)), X, y
    yield "nothing", HSClassifier(make(n_estimators=0)), X, y
    types = {"enable_categorical": True, "feature_types": ["q"] * 4 + ["c"], "max_cat_to_onehot": 1}
    yield "categories", HSClassifier(make(**types)), codes, by_code
    yield "vector leaves", HSClassifier(make(multi_strategy="multi_output_tree", tree_method="hist")), X, y3

folder = pathlib.Path(own)
scores, rows_of = {}, {}
for name, model, rows, labels in table():
    model.fit(rows, labels).save_model(folder / f"{name}.json")
    scores[name] = model.decision_function(rows).tolist()
    rows_of[name] = rows
(folder / "scores").write_text(json.dumps(scores))
print("written", flush=True)
sys.stdin.readline()
found = {}
for other in folders:
    expected = json.loads((pathlib.Path(other) / "scores").read_text())
    for name, scores in expected.items():
        try:
            model = HSClassifier.load_model(f"{other}/{name}.json")
            found[f"{other}/{name}"] = float(np.abs(model.decision_function(rows_of[name]) - scores).max())
        except ValueError as error:
            found[f"{other}/{name}"] = str(error)
(folder / "found").write_text(json.dumps(found))
"""


@pytest.mark.slow  # installs versions of the boosters
@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_every_pair_of_versions(booster: str, tmp_path: Path) -> None:
    here = str(Path(hsboost.__file__).parents[1])
    versions = VERSIONS[booster]
    package = "xgboost-cpu" if booster == "xgboost" else booster
    with ExitStack() as running:

        def start(*command: str, **more: Any) -> subprocess.Popen[str]:
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **more)
            running.enter_context(process)
            running.callback(process.kill)
            return process

        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-requires-python"]
        pip += ["--no-compile", "--target"]  # each is imported by one process
        installed = {
            version: start(*pip, str(tmp_path / f"of {version}"), f"{package}=={version}")
            for version in versions
            if version != native.version(booster)  # it is installed
        }
        for version, process in installed.items():
            _, problem = process.communicate()
            if process.returncode:
                pytest.skip(f"{package} {version} cannot be installed: {problem.strip()[-200:]}")

        folders = [str(tmp_path / version) for version in versions]
        workers = []
        for version, folder in zip(versions, folders, strict=True):
            Path(folder).mkdir()
            path = os.pathsep.join([str(tmp_path / f"of {version}"), here])
            environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
            workers.append(start(sys.executable, "-c", WORKER, booster, folder, *folders, env=environment))
        wrote = [worker.stdout.readline() for worker in workers if worker.stdout is not None]
        for worker, line in zip(workers, wrote, strict=True):
            _, problem = worker.communicate("read\n" if line else None)
            assert worker.returncode == 0, problem[-2000:]
    for reader in versions:
        for place, found in json.loads((tmp_path / reader / "found").read_text()).items():
            writer, name = Path(place).parent.name, Path(place).name
            if name == "vector leaves" and writer < "3.2" <= reader:
                assert isinstance(found, str)
                assert f"saved with XGBoost {writer}, and this XGBoost {reader} needs more of trees" in found
                assert (
                    f"install xgboost=={writer} to load it, or train and save it again with XGBoost {reader}" in found
                )
            else:  # same arithmetic in all versions so far: not even the last bit differs
                assert found == 0.0, (writer, reader, name, found)


# The proof itself, with one version


@pytest.fixture(scope="module", params=["xgboost", "lightgbm"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.json"
    HSClassifier(small(request.param), k=0.2, loss="hypersimplex").fit(X, Y).save_model(path)
    return path


def another(content: Any) -> None:
    """The file of another version: 9.9.9 did not round as this one, and gave other scores at that."""
    content["booster"]["version"] = "9.9.9"


def test_a_file_says_what_wrote_it(saved: Path) -> None:
    booster = json.loads(saved.read_text())["content"]["booster"]
    assert booster["version"] == native.version(booster["kind"])


def test_scores_that_do_not_come_out_are_refused_by_name(saved: Path, tmp_path: Path) -> None:
    def shift(content: Any, by: float) -> None:
        another(content)
        content["proof"]["scores"] = [score + by for score in content["proof"]["scores"]]
        content["proof"]["decisions"] = [score + by for score in content["proof"]["decisions"]]

    kind = json.loads(saved.read_text())["content"]["booster"]["kind"]
    here = native.version(kind)
    both = rf"saved with .* 9\.9\.9, and this .* {here} gives other scores .*by up to 0\.5"
    remedy = rf"install {kind}==9\.9\.9 to load it, or train and save it again with .* {here}"
    with pytest.raises(ValueError, match=f"{both}.*{remedy}"):
        HSClassifier.load_model(forged(saved, tmp_path, lambda content: shift(content, 0.5)))


def test_another_version_may_round_otherwise_and_the_same_may_not(saved: Path, tmp_path: Path) -> None:
    def round_otherwise(content: Any) -> None:
        content["proof"]["scores"][1] *= 1.0 + 2e-7
        threshold = content["fitted"]["threshold"]
        content["proof"]["decisions"] = [score - threshold for score in content["proof"]["scores"]]

    def of_another(content: Any) -> None:
        another(content)
        round_otherwise(content)

    expected = HSClassifier.load_model(saved).decision_function(X)
    found = HSClassifier.load_model(forged(saved, tmp_path, of_another)).decision_function(X)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"wrote the saved model and gives other scores .*save the model again"):
        HSClassifier.load_model(forged(saved, tmp_path, round_otherwise))


def test_every_change_of_a_base_score_weight_or_round_is_noticed(tmp_path: Path) -> None:
    """What versions of XGBoost have misread so far, on the model of a booster that makes use of it."""
    from xgboost import XGBClassifier

    dart = XGBClassifier(n_estimators=5, max_depth=2, booster="dart", rate_drop=0.5)
    HSClassifier(dart).fit(X, Y).save_model(tmp_path / "model.json")
    changes = {
        "base score": lambda m: m["learner_model_param"].update(base_score="3E-1"),
        "weights": lambda m: m["gradient_booster"].update(weight_drop=[1.0] * 5),
        "round": lambda m: m["attributes"].update(best_iteration="1", best_score="0"),
    }
    for change in changes.values():
        path = forged(
            tmp_path / "model.json", tmp_path, lambda content, c=change: c(content["booster"]["model"]["learner"])
        )
        with pytest.raises(ValueError, match="gives other scores"):
            HSClassifier.load_model(path)


def test_the_proof_of_a_wide_model_is_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(200, 1200))
    labels = (wide[:, :40].sum(axis=1) > 0).astype(int)
    for booster, bins in (("xgboost", {"max_bin": 8}), ("lightgbm", {"max_bin": 8, "min_child_samples": 5})):
        HSClassifier(small(booster, n_estimators=30, colsample_bytree=0.1, **bins)).fit(wide, labels).save_model(
            tmp_path / "m"
        )
        proof = json.loads((tmp_path / "m").read_text())["content"]["proof"]
        assert len(json.dumps(proof)) < 60_000
        assert len({f for features, _ in proof["rows"] for f in features}) > 100
        model = HSClassifier.load_model(tmp_path / "m")
        assert model.decision_function(wide[:3]).shape == (3,)


def test_the_rows_lie_at_and_beside_splits() -> None:
    splits = proof.Splits(3, 1)
    splits.add(np.array([1, 1]), np.array([0.5, 2.0]))
    splits.categorical[2] = [np.array([4])]
    rows = proof.make_rows(splits, single=True)
    numeric = {v for features, values in rows for f, v in zip(features, values, strict=True) if f == 1}
    beside = {float(np.nextafter(np.float32(at), np.float32(side))) for at in (0.5, 2.0) for side in (-9, 9)}
    assert numeric <= {None, 0.0, 0.5, 2.0} | beside
    assert len(numeric) >= 6
    assert {v for features, values in rows for f, v in zip(features, values, strict=True) if f == 2} == {None, 4.0, 5.0}
    assert all(0 not in features for features, _ in rows)


# Files of format version 1 have neither versions nor a proof


def old(path: Path, tmp_path: Path, change: Any = lambda content: None) -> Path:
    def without(content: Any) -> None:
        for name in ("version", "machine"):
            del content["booster"][name]
        del content["proof"]
        change(content)

    document = json.loads(forged(path, tmp_path, without).read_text())
    document["format_version"] = 1
    (tmp_path / "old.json").write_text(json.dumps(document))
    return tmp_path / "old.json"


def test_old_files_are_read_where_they_cannot_be_misread(saved: Path, tmp_path: Path) -> None:
    content = json.loads(saved.read_text())["content"]
    expected = HSClassifier.load_model(saved).decision_function(X)
    if content["booster"]["kind"] == "lightgbm":
        with pytest.warns(UserWarning, match="format version 1.*save the model again"):
            model = HSClassifier.load_model(old(saved, tmp_path))
        np.testing.assert_array_equal(model.decision_function(X), expected)
        return
    np.testing.assert_array_equal(HSClassifier.load_model(old(saved, tmp_path)).decision_function(X), expected)
    path = old(saved, tmp_path, lambda content: content["booster"]["model"].update(version=[1, 7, 6]))
    with pytest.raises(
        ValueError, match=r"old\.json: .*XGBoost 1\.7\.6, and this XGBoost .*format version 1 has no proof"
    ):
        HSClassifier.load_model(path)


# In XGBoost's own words


def portable(model: Any) -> Any:
    return xgboost_model.portable(model)


def layout(base_score: str = "5E-1", **booster: Any) -> Any:
    tree = {
        "split_conditions": [float("nan"), 0.25, -0.25],
        "split_type": [1, 0, 0],
        "tree_param": {"size_leaf_vector": "1"},
    }
    return {
        "learner": {
            "learner_model_param": {"base_score": base_score},
            "gradient_booster": {"name": "gbtree", "model": {"trees": [tree]}} | booster,
        }
    }


@pytest.mark.parametrize(
    ("given", "written"),
    [("5E-1", "5E-1"), ("[5E-1]", "5E-1"), ("[0E0,0E0,0E0]", "0E0"), ("[0E0,1E0,0E0]", "[0E0,1E0,0E0]")],
)
def test_one_base_score_is_written_as_all_versions_read_it(given: str, written: str) -> None:
    assert portable(layout(given))["learner"]["learner_model_param"]["base_score"] == written


def test_weights_of_trees_are_written_where_all_versions_look() -> None:
    booster = portable(layout(weight_drop=[0.5]))["learner"]["gradient_booster"]
    assert (booster["name"], booster["weight_drop"], booster["gbtree"]["name"]) == ("dart", [0.5], "gbtree")
    assert "weight_drop" not in booster["gbtree"]
    model = {"trees": layout()["learner"]["gradient_booster"]["model"]["trees"], "weight_drop": [0.5]}
    booster = portable(layout(model=model))["learner"]["gradient_booster"]
    assert (booster["name"], booster["weight_drop"]) == ("dart", [0.5])
    assert "weight_drop" not in booster["gbtree"]["model"]


def test_a_condition_that_compares_with_nothing_is_a_number() -> None:
    trees = portable(layout())["learner"]["gradient_booster"]["model"]["trees"]
    assert trees[0]["split_conditions"] == [0.0, 0.25, -0.25]


def test_names_of_categories_need_a_version_that_knows_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import pandas as pd

    if native.numbers(native.version("xgboost")) < [3, 1, 1]:
        pytest.skip("XGBoost before 3.1.1 does not save names of categories")
    names = np.array(["a", "b", "c"])[np.arange(len(Y)) % 3]
    frame = pd.DataFrame({"x": X[:, 0], "c": pd.Categorical(names)})
    HSClassifier(small("xgboost", enable_categorical=True)).fit(frame, Y).save_model(tmp_path / "model.json")
    monkeypatch.setattr(native, "version", lambda kind: "3.0.5")
    with pytest.raises(ValueError, match=r"this XGBoost 3\.0\.5 does not know categories by their names"):
        HSClassifier.load_model(tmp_path / "model.json")


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_a_pickle_of_another_version_says_so(booster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pickle.dumps(HSClassifier(small(booster), k=0.2).fit(X, Y))
    again = pickle.loads(text)
    assert not hasattr(again, "_booster_version")
    monkeypatch.setattr(native, "version", lambda kind: "9.9.9")
    with pytest.warns(UserWarning, match=rf"made with {booster} .*, and 9\.9\.9 may misread it.*save_model"):
        pickle.loads(text)
    pickle.loads(pickle.dumps(HSClassifier(loss=next(iter(LOSSES)))))  # nothing to say of what is not fitted
