"""Files that save_model and load_model meet: damaged, foreign, forged, half written, and what JSON cannot hold."""

from __future__ import annotations

import ast
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import binary, small
from sklearn.exceptions import NotFittedError
from test_persistence import DAYS, GROUPS, REGIONS, answers, assert_same, through

import hsboost
from hsboost import HSClassifier
from hsboost.estimators._model_file import plain
from hsboost.losses import FocalLoss

X, Y = binary()


# Files that are no models


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.json"
    HSClassifier(small("xgboost", n_estimators=2), k=3, calibration="sigmoid", random_state=0).fit(
        X, Y, groups=REGIONS
    ).save_model(path)
    return path


def test_the_file_is_json_anyone_can_read(saved: Path) -> None:
    document = json.loads(saved.read_text(encoding="utf-8"))
    assert (document["format"], document["format_version"]) == ("hsboost.HSClassifier", 3)
    content = document["content"]
    assert content["hsboost_version"] == hsboost.__version__
    assert content["loss"]["name"] == "budget-log-loss"
    assert content["booster"]["kind"] == "xgboost"
    assert "learner" in content["booster"]["model"]
    assert content["calibrators"][0]["kind"] == "sigmoid"


def test_a_changed_byte_is_noticed_or_changes_nothing(saved: Path, tmp_path: Path) -> None:
    good, rng = saved.read_bytes(), np.random.default_rng(0)
    expected = answers(HSClassifier.load_model(saved), X, REGIONS)
    path, noticed = tmp_path / "damaged.json", 0
    places = np.unique(np.r_[np.arange(100), len(good) - 1 - np.arange(5), rng.integers(0, len(good), 250)])
    for place in places.tolist():
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(bad)
        try:
            model = HSClassifier.load_model(path)
        except ValueError as error:
            assert str(path) in str(error), error  # noqa: PT017
            noticed += 1
        else:
            assert_same(answers(model, X, REGIONS), expected)  # white space, or a digit beyond the last bit
    assert noticed > 0.9 * places.size


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_file(saved: Path, tmp_path: Path, share: float) -> None:
    good = saved.read_bytes()
    (tmp_path / "short.json").write_bytes(good[: int(share * len(good))])
    with pytest.raises(ValueError, match=r"short\.json is not a JSON file, or a damaged one"):
        HSClassifier.load_model(tmp_path / "short.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not a JSON file"),
        (b"PK\x03\x04 something zipped", "is not a JSON file"),
        (b"\xff\xfe\x00", "is not a JSON file"),
        (b"[" * 100_000, "is not a JSON file"),
        (b"{}", r"is JSON, but not a model saved by HSClassifier\.save_model"),
        (b"[1, 2]", "is JSON, but not a model"),
        (b"null", "is JSON, but not a model"),
        (b'{"format": "hsboost.HSClassifier"}', "has format version None"),
        (
            b'{"format": "hsboost.HSClassifier", "format_version": 4, "content": {}}',
            "format version 4.*upgrade hsboost",
        ),
        (b'{"format": "hsboost.HSClassifier", "format_version": "1"}', "format version '1'"),
        (b'{"format": "hsboost.HSClassifier", "format_version": 1}', "is damaged"),
        (b'{"format": "hsboost.HSClassifier", "format_version": 1, "content": [], "sha256": ""}', "is damaged"),
    ],
)
def test_foreign_files(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "foreign.json").write_bytes(text)
    with pytest.raises(ValueError, match=rf"foreign\.json.*{message}"):
        HSClassifier.load_model(tmp_path / "foreign.json")


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e999"])
def test_numbers_that_json_has_not(value: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.json"
    path.write_bytes(b'{"format": "hsboost.HSClassifier", "format_version": 1, "content": {"a": %s}}' % value)
    with pytest.raises(ValueError, match=r"foreign\.json is damaged"):
        HSClassifier.load_model(path)


def test_models_of_the_boosters_themselves_are_foreign(tmp_path: Path) -> None:
    small("xgboost").fit(X, Y).save_model(tmp_path / "foreign.json")
    with pytest.raises(ValueError, match="is JSON, but not a model saved by HSClassifier"):
        HSClassifier.load_model(tmp_path / "foreign.json")


def test_a_missing_file_and_an_unfitted_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        HSClassifier.load_model(tmp_path / "nowhere.json")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        HSClassifier(small("xgboost")).fit(X, Y).save_model(tmp_path / "nowhere" / "model.json")
    with pytest.raises(NotFittedError):
        HSClassifier().save_model(tmp_path / "model.json")
    assert list(tmp_path.iterdir()) == []


def forged(saved: Path, tmp_path: Path, change: Any) -> Path:
    """The file with its content changed and a checksum that fits again."""
    from hsboost.estimators._model_file.persistence import _digest

    document = json.loads(saved.read_text())
    change(document["content"])
    document["sha256"] = _digest(document["content"])
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(document))
    return path


PAYLOAD = {"__reduce__": ["os.system", ["touch {path}"]], "py/object": "os.system", "__class__": "subprocess.Popen"}


@pytest.mark.parametrize(
    "place",
    [
        ("parameters", "class_weight"), ("parameters", "k"), ("fitted", "threshold"), ("fitted", "history"),
        ("booster", "settings", "n_estimators"), ("booster", "settings", "callbacks"), ("booster", "model"),
        ("loss", "parameters"), ("loss", "name"), ("calibrators",), ("booster", "kind"), ("fitted", "classes"),
    ],
)  # fmt: skip
def test_payloads_are_inert(saved: Path, tmp_path: Path, place: tuple[str, ...]) -> None:
    mark = tmp_path / "executed"
    payload = json.loads(json.dumps(PAYLOAD).replace("{path}", str(mark)))

    def change(content: Any) -> None:
        for key in place[:-1]:
            content = content[key]
        content[place[-1]] = payload

    path = forged(saved, tmp_path, change)
    with pytest.raises(ValueError, match=r"forged\.json|cannot read the saved model|this hsboost does not know"):
        HSClassifier.load_model(path).predict(X)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["__init__", "ABC", "os.system", "get_loss", "Loss"])
def test_only_losses_of_the_package_are_made(saved: Path, tmp_path: Path, name: str) -> None:
    path = forged(saved, tmp_path, lambda content: content["loss"].update(name=name))
    with pytest.raises(ValueError, match=r"not a complete HSClassifier \(KeyError"):
        HSClassifier.load_model(path)


@pytest.mark.parametrize("part", ["parameters", "loss", "fitted", "calibrators", "booster"])
def test_a_part_that_is_missing(saved: Path, tmp_path: Path, part: str) -> None:
    path = forged(saved, tmp_path, lambda content: content.pop(part))
    with pytest.raises(ValueError, match=rf"forged\.json: not a complete HSClassifier \(KeyError: '{part}'\)"):
        HSClassifier.load_model(path)


def test_nothing_in_the_modules_that_load_can_execute_a_file() -> None:
    package = Path(hsboost.__file__).parent / "estimators"
    files = sorted((package / "_model_file").glob("*.py"))
    assert len(files) == 10
    for file in (*files, package / "_calibration.py"):
        tree = ast.parse(file.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        imported = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names} | {
            (n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
        }
        assert not names & {"eval", "exec", "compile", "__import__"}
        assert not imported & {"pickle", "marshal", "shelve", "joblib", "cloudpickle", "importlib", "yaml", "dill"}


# Writing


def test_a_failed_save_leaves_the_good_file_and_no_other(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(saved.read_bytes())
    model = HSClassifier(small("xgboost")).fit(X, Y)

    def fail(document: Any, file: io.TextIOBase, **options: Any) -> None:
        file.write('{"format": "hsboost.HS')
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hsboost.estimators._model_file.persistence.json.dump", fail)
        with pytest.raises(OSError, match="no space left"):
            model.save_model(path)
    with monkeypatch.context() as patch:
        patch.setattr("hsboost.estimators._model_file.persistence.os.replace", lambda *names: fail(None, io.StringIO()))
        with pytest.raises(OSError, match="no space left"):
            model.save_model(path)
    assert path.read_bytes() == saved.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
    model.save_model(path)
    assert_same(answers(HSClassifier.load_model(path), X), answers(model, X))


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    HSClassifier(small("xgboost", n_estimators=1)).fit(X, Y).save_model(tmp_path / "model.json")
    assert (tmp_path / "model.json").stat().st_mode == (tmp_path / "any").stat().st_mode


@pytest.mark.parametrize(
    "groups",
    [
        pd.period_range("2026", periods=6, freq="M")[GROUPS],
        np.array([b"2026", b"2027"])[GROUPS % 2],
    ],
    ids=["periods", "bytes"],
)
@pytest.mark.parametrize("k", [2, 0.3, "each"])
def test_group_labels_that_json_cannot_hold(groups: Any, k: Any, tmp_path: Path) -> None:
    plain = HSClassifier(small("xgboost", n_estimators=1), k=2).fit(X, Y, groups=groups)
    budgets = dict.fromkeys(plain.group_thresholds_, 2) if k == "each" else k
    model = HSClassifier(small("xgboost", n_estimators=1), k=budgets).fit(X, Y, groups=groups)
    with pytest.raises(
        TypeError, match=r"^the group label .*2026.* is none that a JSON file can hold; train with texts.*pickle"
    ):
        model.save_model(tmp_path / "model.json")
    assert list(tmp_path.iterdir()) == []
    assert_same(answers(pickle.loads(pickle.dumps(model)), X, groups), answers(model, X, groups))


INDEX = pd.DatetimeIndex(DAYS)
TIMES: dict[str, Any] = {
    "timestamps": INDEX[GROUPS],
    "a list of timestamps": INDEX[GROUPS].tolist(),
    "days of NumPy": INDEX[GROUPS].to_numpy().astype("datetime64[D]"),
    "nanoseconds": (INDEX + pd.Timedelta(1, "ns")).as_unit("ns")[GROUPS],
    "seconds": INDEX.as_unit("s")[GROUPS],
    "world time": INDEX.tz_localize("UTC")[GROUPS],
    "a time zone": INDEX.tz_localize("Europe/Vienna")[GROUPS],
    "an offset": INDEX.tz_localize("+05:30")[GROUPS],
    "spans": (INDEX - INDEX[0])[GROUPS],
    "dates": np.array([one.date() for one in INDEX], dtype=object)[GROUPS],
    "moments": np.array([one.to_pydatetime() for one in INDEX], dtype=object)[GROUPS],
    "pairs": [(day, int(g)) for day, g in zip(INDEX[GROUPS], GROUPS % 2, strict=True)],
}


@pytest.mark.parametrize("groups", TIMES.values(), ids=list(TIMES))
@pytest.mark.parametrize("k", [2, "each", "NumPy's"])
def test_times_are_group_labels_that_survive(groups: Any, k: Any, tmp_path: Path) -> None:
    plain = HSClassifier(small("xgboost", n_estimators=1), k=2).fit(X, Y, groups=groups)
    labels = list(plain.group_thresholds_)
    if k == "NumPy's" and not all(isinstance(one, pd.Timestamp | pd.Timedelta) and not _zone(one) for one in labels):
        pytest.skip("labels that NumPy has no form for")
    keys = {2: [], "each": labels, "NumPy's": [one.to_numpy() for one in labels if k == "NumPy's"]}[k]
    budgets = dict.fromkeys(keys, 2) if keys else 2
    model = HSClassifier(small("xgboost", n_estimators=1), k=budgets).fit(X, Y, groups=groups)
    again = through(model, "json", tmp_path)
    assert list(again.group_thresholds_.items()) == list(model.group_thresholds_.items())
    assert [type(one) for one in again.group_thresholds_] == [type(one) for one in labels]
    assert_same(answers(again, X, groups), answers(model, X, groups))
    np.testing.assert_array_equal(again.predict_top_k(X, groups=groups), model.predict_top_k(X, groups=groups))


def _zone(label: Any) -> Any:
    return getattr(label, "tz", None)


@pytest.mark.parametrize(
    "time",
    [["moment", [0, "D"], None], ["year", [0, "s"], None], ["moment", [0, "s"], "../etc"], ["moment", [0, "s"], 3],
     ["moment", [-(2**63), "ns"], None], ["date", "2026-13-01", None], ["moment", [0.5, "s"], None]],
    ids=range(7),
)  # fmt: skip
def test_times_that_are_none(time: Any) -> None:
    with pytest.raises(ValueError):
        plain.decode({"time": time})


def test_numbers_truths_and_texts_are_told_apart(tmp_path: Path) -> None:
    for groups in (GROUPS, GROUPS / 4, GROUPS > 2, REGIONS, GROUPS.astype(str), np.where(GROUPS == 0, np.inf, GROUPS)):
        model = through(HSClassifier(small("xgboost", n_estimators=1), k=2).fit(X, Y, groups=groups), "json", tmp_path)
        assert {type(label) for label in model.group_thresholds_} == {type(np.asarray(groups)[0].item())}
        assert set(model.group_thresholds_) == set(np.unique(groups).tolist())


def test_settings_that_only_training_needs_are_named(tmp_path: Path) -> None:
    from xgboost.callback import EvaluationMonitor

    model = HSClassifier(small("xgboost", callbacks=[EvaluationMonitor()])).fit(X, Y)
    with pytest.warns(UserWarning, match="not saved: callbacks"):
        model.save_model(tmp_path / "model.json")
    assert_same(answers(HSClassifier.load_model(tmp_path / "model.json"), X), answers(model, X))


def test_losses_of_others_are_refused(tmp_path: Path) -> None:
    class Mine(FocalLoss):
        pass

    with pytest.raises(TypeError, match=r"only losses of hsboost can be saved by name.*pickle or joblib"):
        HSClassifier(small("xgboost"), loss=Mine()).fit(X, Y).save_model(tmp_path / "model.json")
