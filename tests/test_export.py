"""A model that leaves decides as it decided here: every cell of the documentation's table, and what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import _versions
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _models import BOOSTERS, binary, multi, small
from _serving import CITIES, COLUMNS, N_ROWS, RUNTIMES, fitted, frame, need, rows, said
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier, XGBRegressor

from hsboost import ExportResult, HSClassifier
from hsboost.estimators._export import runtimes, xgboost_file
from hsboost.estimators._model_file import native

PAGE = Path(__file__).resolve().parents[1] / "docs" / "serving.md"
NATIVE = {"xgboost": ".json", "lightgbm": ".txt"}


def named(booster: str) -> None:
    """Skip where the booster keeps no names of categories."""
    if booster == "xgboost":
        _versions.need("xgboost", "3.1.1", "models keep the names of categories")


def table() -> dict[tuple[str, str], str]:
    """The cells of the page's table, by runtime and column."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    head, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: len(RUNTIMES) + 1]]
    return {(line[0], column): cell for line in body for column, cell in zip(head[1:], line[1:], strict=True)}


def test_the_table_names_every_runtime_and_case() -> None:
    assert set(table()) == {(runtime, column) for runtime in RUNTIMES for column in COLUMNS}
    assert set(table().values()) == {"yes", "refused"}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_cell(runtime: str, column: str, tmp_path: Path) -> None:
    suffix, booster = RUNTIMES[runtime]
    need(suffix)
    for case, output in COLUMNS[column]:
        model, file = fitted(case, booster), tmp_path / f"model{suffix}"
        if table()[runtime, column] == "refused":
            with pytest.raises(ValueError):
                model.export(file, output=output)
            assert not file.exists()
            continue
        X = rows(case)
        result = model.export(file, output=output, rows=X.head(100))
        assert (result.ties, result.decisions_equal, result.rows) == (0, 2100, 2100)
        found = said(file, booster, X)
        assert len(X) == N_ROWS == len(found.output)
        if output == "probability":
            expected = model.predict_proba(X)
            expected = expected if found.output.ndim == 2 else expected[:, 1]
            np.testing.assert_allclose(found.output, expected, rtol=0, atol=1e-6)
        else:
            np.testing.assert_allclose(found.output, model.decision_function(X), rtol=0, atol=2e-6)
        labels = found.labels
        if labels is None:
            index = found.output.argmax(axis=1) if found.output.ndim == 2 else (found.output > result.cut).astype(int)
            labels = np.array(result.classes)[index]
        np.testing.assert_array_equal(labels, model.predict(X))


@BOOSTERS
def test_decisions_of_models_with_probabilities(booster: str, tmp_path: Path) -> None:
    model, X = fitted("sigmoid", booster), rows("sigmoid")
    result = model.export(tmp_path / f"m{NATIVE[booster]}", output="decision")
    assert (result.output, result.cut) == ("decision", 0.0)
    found = said(tmp_path / f"m{NATIVE[booster]}", booster, X).output
    np.testing.assert_allclose(found, model.decision_function(X), rtol=0, atol=2e-6)
    assert model.export(tmp_path / f"p{NATIVE[booster]}").output == "probability"


@BOOSTERS
def test_rounds_after_the_best_stay_behind(booster: str, tmp_path: Path) -> None:
    model = fitted("early stopping", booster)
    model.export(tmp_path / f"m{NATIVE[booster]}")
    if booster == "xgboost":
        best = model.estimator_.best_iteration
        assert xgb.Booster(model_file=tmp_path / "m.json").num_boosted_rounds() == best + 1
    else:
        best = model.estimator_.best_iteration_
        assert lgb.Booster(model_file=tmp_path / "m.txt").num_trees() == best
    assert best < 59


@pytest.mark.parametrize("case", ["binary", "early stopping"])
@BOOSTERS
def test_own_runtimes_tell_categories_by_name(booster: str, case: str, tmp_path: Path) -> None:
    named(booster)
    model, X = fitted(case, booster), rows(case).head(500)
    file = tmp_path / f"m{NATIVE[booster]}"
    result = model.export(file, rows=X)
    assert result.categories == {"city": CITIES, "size": [3, 4, 5, 6, 7, 8]}
    turned = X.assign(city=X["city"].cat.reorder_categories(CITIES[::-1]))
    np.testing.assert_array_equal(said(file, booster, turned).output, said(file, booster, X).output)


@pytest.mark.parametrize("suffix", [".onnx", ".tl"])
@BOOSTERS
def test_rows_whose_categories_come_in_another_order_are_compared_by_name(
    booster: str, suffix: str, tmp_path: Path
) -> None:
    need(suffix)
    named(booster)
    X = rows("binary").head(300)
    turned = X.assign(city=X["city"].cat.reorder_categories(CITIES[::-1]))
    assert fitted("binary", booster).export(tmp_path / f"m{suffix}", rows=turned).ties == 0


def test_an_onnx_file_describes_itself(tmp_path: Path) -> None:
    need(".onnx")
    import onnx

    fitted("classes", "xgboost").export(tmp_path / "m.onnx")
    about = {one.key: json.loads(one.value) for one in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert about["hsboost_classes"] == ["no", "perhaps", "yes"]
    assert about["hsboost_feature_names"] == [*"abcde", "city", "size"]
    assert about["hsboost_categories"] == [["city", CITIES], ["size", [3, 4, 5, 6, 7, 8]]]


@pytest.mark.parametrize("classes", [np.array([0, 1]), np.array([-1, 1]), np.array(["n", "y"]), np.array([0.5, 1.5])])
def test_onnx_labels(classes: np.ndarray, tmp_path: Path) -> None:
    need(".onnx")
    X, y = binary()
    model = HSClassifier(small("lightgbm"), k=0.2).fit(X, classes[y] if classes.dtype.kind != "f" else y == 1)
    model.export(tmp_path / "m.onnx", rows=X)
    labels = said(tmp_path / "m.onnx", "lightgbm", pd.DataFrame(X)).labels
    expected = model.predict(X)
    np.testing.assert_array_equal(labels, expected.astype(int) if expected.dtype == bool else expected)


def test_xgboosts_classifier_refuses_decisions_which_it_would_cut_at_one_half(tmp_path: Path) -> None:
    model, X = fitted("binary", "xgboost"), rows("binary").head(200)
    model.export(tmp_path / "m.json")
    with pytest.raises(TypeError, match="classifier"):
        XGBClassifier().load_model(tmp_path / "m.json")
    reader = XGBRegressor(enable_categorical=True)
    reader.load_model(tmp_path / "m.json")
    np.testing.assert_array_equal(reader.predict(X) > 0, model.predict(X))


def test_xgboosts_classifier_reads_probabilities_and_the_cut(tmp_path: Path) -> None:
    model, X = fitted("sigmoid", "xgboost"), rows("sigmoid").head(500)
    result = model.export(tmp_path / "m.ubj")
    reader = XGBClassifier(enable_categorical=True)
    reader.load_model(tmp_path / "m.ubj")
    found = reader.predict_proba(X)
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-6)
    assert float(reader.get_booster().attr("hsboost_cut")) == result.cut
    np.testing.assert_array_equal(found[:, 1] > result.cut, model.predict(X))


@pytest.mark.parametrize("offset", [-30.0, -3.0, 0.7, 9.0, 30.0])
def test_a_shift_that_base_score_cannot_hold_goes_into_leaves(offset: float, tmp_path: Path) -> None:
    X, y = binary()
    model = HSClassifier(small("xgboost"), loss="log-loss", k=0.2).fit(X, y)
    moved = offset - model.objective_.offset
    model.objective_.offset, model.threshold_ = offset, model.threshold_ + moved
    result = model.export(tmp_path / "m.json", rows=X)
    margins = xgb.Booster(model_file=tmp_path / "m.json").predict(xgb.DMatrix(X), output_margin=True)
    np.testing.assert_allclose(margins - offset, model.decision_function(X) + model.threshold_ - offset, atol=2e-5)
    assert result.largest_difference < 2e-5
    # Where all probabilities are 1 in float32 no cut tells them apart, and the result says so.
    assert (result.ties > 0) == (offset == 30.0)


@pytest.mark.parametrize("case", ["classes", "classes, log loss"])
def test_xgboost_before_3_1_knows_one_base_score(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "version", lambda kind: "3.0.5")
    model = fitted(case, "xgboost")
    model.export(tmp_path / "m.json", output="decision")
    parameters = json.loads((tmp_path / "m.json").read_text())["learner"]["learner_model_param"]
    assert float(parameters["base_score"]) == 0.0
    X = rows(case).head(500)
    np.testing.assert_allclose(said(tmp_path / "m.json", "xgboost", X).output, model.decision_function(X), atol=2e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "hypersimplex", "temperature": 50.0},
        {"loss": "hypersimplex-smooth", "temperature": 1e-3},
        {"loss": "exact"},
        {"loss": "focal"},
    ],
)
@BOOSTERS
def test_other_units_and_losses(booster: str, settings: dict[str, Any], tmp_path: Path) -> None:
    X, y = binary()
    model = HSClassifier(small(booster), k=0.2, **settings).fit(X, y)
    file = tmp_path / f"m{NATIVE[booster]}"
    model.export(file, output="decision", rows=X)
    expected = model.decision_function(X)
    np.testing.assert_allclose(said(file, booster, X).output if booster == "lightgbm" else xgb.Booster(
        model_file=file).predict(xgb.DMatrix(X)), expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())  # fmt: skip


def test_trees_with_several_values_per_leaf_and_parallel_trees(tmp_path: Path) -> None:
    X, y = multi()
    for settings in ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, {"num_parallel_tree": 3}):
        model = HSClassifier(small("xgboost", **settings), k=0.2).fit(X, y)
        for suffix in (".json", ".onnx", ".tl"):
            if suffix != ".json":
                need(suffix)
            assert model.export(tmp_path / f"m{suffix}", rows=X).ties == 0


@BOOSTERS
def test_sparse_rows(booster: str, tmp_path: Path) -> None:
    from scipy.sparse import csr_array

    X, y = binary()
    X[np.abs(X) < 0.5] = 0.0
    sparse = csr_array(X)
    model = HSClassifier(small(booster), k=0.2).fit(sparse, y)
    for suffix in (NATIVE[booster], ".onnx", ".tl"):
        if suffix != NATIVE[booster]:
            need(suffix)
        assert model.export(tmp_path / f"m{suffix}", rows=sparse).rows == 2000 + len(y)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
@BOOSTERS
def test_rows_of_other_frames(booster: str, library: str, tmp_path: Path) -> None:
    X, y = frame(400, 3)
    X = X.drop(columns=["size"])
    named(booster)
    _versions.need_arrow(booster, "polars")
    if booster == "lightgbm":  # which reads categories from pandas frames only
        X = X.drop(columns=["city"])
    if library == "polars":
        polars = pytest.importorskip("polars")
        given = polars.from_pandas(X)
        if booster == "xgboost":  # from 3.3 on it takes polars' categories in this form only
            given = given.with_columns(polars.col("city").cast(polars.Enum(CITIES)))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        given = pyarrow.Table.from_pandas(X)
    categorical = {"enable_categorical": True} if booster == "xgboost" else {}
    model = HSClassifier(small(booster, **categorical), k=0.2).fit(given, y)
    for suffix in (NATIVE[booster], ".onnx", ".tl"):
        if suffix != NATIVE[booster]:
            need(suffix)
        assert model.export(tmp_path / f"m{suffix}", rows=given).rows == 2400


@BOOSTERS
def test_loaded_and_unpickled_models_export_the_same_file(booster: str, tmp_path: Path) -> None:
    model = fitted("sigmoid", booster)
    model.save_model(tmp_path / "saved.json")
    files = []
    for number, one in enumerate(
        (model, HSClassifier.load_model(tmp_path / "saved.json"), pickle.loads(pickle.dumps(model)))
    ):
        files.append(tmp_path / f"{number}{NATIVE[booster]}")
        one.export(files[-1])
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


@BOOSTERS
def test_infinite_values_are_read_or_refused_in_one_line(booster: str, tmp_path: Path) -> None:
    X, y = binary()
    model = HSClassifier(small(booster), k=0.2).fit(X, y)
    for rows_of in (np.array, pd.DataFrame):
        given = rows_of(np.where(X > 1, np.inf, X))
        if booster == "xgboost":
            with pytest.raises(ValueError, match=r"infinite values, which XGBoost's DMatrix refuses.*NaN"):
                model.export(tmp_path / "m.json", rows=given)
        else:
            assert model.export(tmp_path / "m.txt", rows=given).ties == 0


@BOOSTERS
def test_exporting_changes_nothing_in_the_model(booster: str, tmp_path: Path) -> None:
    model, X = fitted("sigmoid", booster), rows("sigmoid").head(200)
    before = model.decision_function(X)
    model.export(tmp_path / f"m{NATIVE[booster]}")
    np.testing.assert_array_equal(model.decision_function(X), before)


@BOOSTERS
def test_groups_are_refused_or_cut_by_the_global_threshold_when_asked_by_name(booster: str, tmp_path: Path) -> None:
    X, y = binary()
    model = HSClassifier(small(booster), k=0.2).fit(X, y, groups=np.arange(len(y)) % 3)
    file = tmp_path / f"m{NATIVE[booster]}"
    with pytest.raises(ValueError, match=r"each of 3 groups.*threshold='global'"):
        model.export(file)
    assert not file.exists()
    model.export(file, threshold="global", rows=X)
    reader = xgb.Booster(model_file=file) if booster == "xgboost" else lgb.Booster(model_file=file)
    found = reader.predict(xgb.DMatrix(X) if booster == "xgboost" else X)
    np.testing.assert_array_equal(np.asarray(found) > 0, model.predict(X))


def small_model(booster: str = "xgboost", **settings: Any) -> HSClassifier:
    X, y = binary()
    return HSClassifier(small(booster), **{"k": 0.2, "loss": "hypersimplex", **settings}).fit(X, y)


REFUSALS: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "unknown format": (small_model, "m.json", {"format": "pmml"}, "format must be one of 'xgboost'.*got 'pmml'"),
    "no format": (small_model, "m.bin", {}, r"path=.*m\.bin.*pass format=.*\.json \(xgboost\)"),
    "xgboost by another name": (small_model, "m.bin", {"format": "xgboost"}, r"name it \.json or \.ubj"),
    "the other booster": (small_model, "m.txt", {}, "format='lightgbm'.*trained with xgboost.*format='xgboost'"),
    "the other booster's": (lambda: small_model("lightgbm"), "m.ubj", {}, "trained with lightgbm"),
    "unknown output": (small_model, "m.json", {"output": "raw"}, "output must be 'decision', 'probability'"),
    "unknown threshold": (small_model, "m.json", {"threshold": "group"}, "threshold must be 'global' or None"),
    "no probabilities": (small_model, "m.json", {"output": "probability"}, "train with calibration='sigmoid'"),
    "isotonic": (lambda: fitted("isotonic", "xgboost"), "m.json", {}, "calibration='isotonic'.*calibration='sigmoid'"),
    "classes' own calibrators": (lambda: fitted("classes, sigmoid", "lightgbm"), "m.txt", {}, "format='onnx'"),
    "no link": (lambda: small_model(loss="sparsemax"), "m.json", {}, "no sigmoid or softmax.*output='decision'"),
    "beyond float32": (lambda: small_model(temperature=1e60), "m.json", {}, "beyond float32.*temperature=1"),
    "missing by a number": (
        lambda: HSClassifier(XGBClassifier(n_estimators=2, missing=-9.0)).fit(*binary()), "m.json", {}, "missing=-9.0"
    ),
    "linear trees in ONNX": (lambda: fitted("linear", "lightgbm"), "m.onnx", {}, "linear_tree=True.*format='lightgbm'"),
    "no trees in ONNX": (lambda: fitted("linear", "xgboost"), "m.onnx", {}, "gblinear.*format='xgboost'"),
    "zeros are missing": (
        lambda: HSClassifier(LGBMClassifier(n_estimators=2, zero_as_missing=True, verbose=-1)).fit(*binary()),
        "m.tl", {}, "zero_as_missing=True.*format='lightgbm'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str, tmp_path: Path) -> None:
    make, file, arguments, message = REFUSALS[name]
    need(Path(file).suffix)
    with pytest.raises(ValueError, match=message):
        make().export(tmp_path / file, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_falling_calibrator_is_refused(tmp_path: Path) -> None:
    model = pickle.loads(pickle.dumps(fitted("sigmoid", "xgboost")))
    model.calibrators_[0].slope *= -1.0
    with pytest.raises(ValueError, match=r"does not rise with the score.*output='decision'"):
        model.export(tmp_path / "m.json")


def test_an_unfitted_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        HSClassifier().export(tmp_path / "m.json")


def wrong(shift: float) -> Any:
    """A runtime that reads margins shifted."""
    real = runtimes.read

    def read(*arguments: Any, **named: Any) -> Any:
        said = real(*arguments, **named)
        return said._replace(margin=said.margin + shift, output=said.output + shift)

    return read


@BOOSTERS
def test_a_runtime_that_reads_otherwise_leaves_the_old_file(
    booster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"m{NATIVE[booster]}"
    file.write_text("old")
    monkeypatch.setattr(runtimes, "read", wrong(0.01))
    with pytest.raises(ValueError, match=f"{booster} .* by up to 0.01 where rounding explains .*nothing was written"):
        fitted("binary", booster).export(file)
    assert file.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_ties_within_rounding_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = binary()
    model = HSClassifier(small("xgboost"), k=0.2, loss="hypersimplex").fit(X, y)
    model.threshold_ = float(model.decision_function(X)[7] + model.threshold_)  # a row at the cut
    at_cut = int((model.decision_function(X) == 0.0).sum())
    monkeypatch.setattr(runtimes, "read", wrong(1e-8))
    result = model.export(tmp_path / "m.json", rows=X)
    assert result.ties >= at_cut > 0
    assert result.decisions_equal == result.rows - result.ties
    assert f"{result.ties} ties" in str(result)


def test_without_the_runtime_the_result_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda package: None)
    result = fitted("binary", "xgboost").export(tmp_path / "m.json")
    assert isinstance(result, ExportResult)
    assert not result.checked
    assert (result.runtime, result.rows, result.ties, result.largest_difference) == (None, 0, None, None)
    assert "NOT CHECKED" in str(result)
    with pytest.raises(ValueError, match=r"require_check=True: xgboost.*pip install xgboost"):
        fitted("binary", "xgboost").export(tmp_path / "n.json", require_check=True)
    assert not (tmp_path / "n.json").exists()


@pytest.mark.parametrize(("suffix", "package"), [(".onnx", "onnx"), (".tl", "treelite")])
def test_without_the_writer_the_error_says_what_to_install(
    suffix: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package} needs {package}|needs {package}; pip install hsboost\[export\]"):
        fitted("binary", "xgboost").export(tmp_path / f"m{suffix}")


def test_what_treelite_does_not_read_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    treelite = pytest.importorskip("treelite", reason="needs treelite: pip install hsboost[export]")

    def refuses(*arguments: Any, **named: Any) -> Any:
        raise treelite.TreeliteError("[00:00:00] no such layout\nmore")

    monkeypatch.setattr(treelite.frontend, "load_xgboost_model", refuses)
    with pytest.raises(ValueError, match=r"does not read this model of xgboost.*no such layout.*format='xgboost'"):
        fitted("binary", "xgboost").export(tmp_path / "m.tl")


def test_the_result_says_what_was_compared(tmp_path: Path) -> None:
    result = fitted("binary", "lightgbm").export(tmp_path / "m.txt", rows=rows("binary").head(50))
    assert result.runtime == f"lightgbm {lgb.__version__}"
    assert (result.format, result.output, result.rows, result.checked) == ("lightgbm", "decision", 2050, True)
    assert result.largest_difference <= result.tolerance < 1e-12
    for word in ("lightgbm", "2050 rows", "above 0", "2050 decisions equal", "0 ties"):
        assert word in str(result)


def test_a_cut_of_the_rounds_keeps_what_slicing_keeps() -> None:
    named("xgboost")
    model = fitted("DART", "xgboost")
    booster = model.estimator_.get_booster()
    own = xgboost_file.parsed(booster, 5)
    read = xgb.Booster()
    read.load_model(bytearray(json.dumps(own).encode()))
    X = xgb.DMatrix(rows("DART").head(500), enable_categorical=True)
    expected = booster.predict(X, output_margin=True, iteration_range=(0, 5))
    np.testing.assert_array_equal(read.predict(X, output_margin=True), expected)
    sliced = json.loads(bytes(booster[:5].save_raw("json")))
    if sliced["learner"]["gradient_booster"]["name"] == "gbtree":
        return  # XGBoost 3.4 slices DART to trees of another layout
    for one in (sliced, own):
        one["learner"]["gradient_booster"]["gbtree"]["model"].pop("cats", None)
        one["learner"]["attributes"] = {}
        one["learner"]["learner_model_param"].pop("base_score")
    assert own["learner"]["gradient_booster"] == sliced["learner"]["gradient_booster"]


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("pos_label", ["fraud", "legit"])
@pytest.mark.parametrize(
    ("settings", "outputs"),
    [
        ({"k": 0.2}, ["decision"]),
        ({"k": 0.2, "calibration": "sigmoid"}, ["decision", "probability"]),
        ({"loss": "log-loss"}, ["decision", "probability"]),
    ],
    ids=["plain", "calibrated", "log loss"],
)
def test_either_of_two_classes_may_be_the_positive_one(
    booster: str, pos_label: str, settings: dict[str, Any], outputs: list[str], tmp_path: Path
) -> None:
    """Files say what decision_function and predict_proba say, whose second class need not be the positive one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 4))
    y = np.where(X[:, 0] + rng.normal(size=800) > 1, "fraud", "legit")
    model = HSClassifier(booster, pos_label=pos_label, **settings)
    model.set_params(estimator__n_estimators=5).fit(X, y)
    for output in outputs:
        result = model.export(tmp_path / ("m.json" if booster == "xgboost" else "m.txt"), output=output, rows=X)
        assert result.rows >= 800
        assert "'legit' above" in str(result)
