"""The scripts in examples/ run unchanged, save their plots and print the documented results."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from difflib import SequenceMatcher
from importlib.metadata import version
from pathlib import Path

import pytest
from _docs_scripts import gallery
from _spark import has_java
from _versions import ignoring_others

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]\d+)?")
#: What each script must print, as regular expressions.
PRINTS = {
    "compare_models": [r"^HSClassifier +\d\d\.\d +\d\d\.\d +\d\d\.\d$", r"^LightGBM +\d", r"^XGBoost +\d"],
    "choose_and_calibrate": [r"^  k = positives  +0\.\d+", r"^chosen: k = ", r"^Brier score: sigmoid 0\.\d+"],
    "fraud_queue": [
        r"^360 reviews in 20 days, \d+ frauds",
        r"^HSClassifier, by group( +\d+){5}$",
        r"of 80 region-days",
    ],
    "late_flights": [
        r"^8,319 of 166,365 flights on 183 daily lists$",
        r"^log loss( +\d\d\.\d){5} %$",
        r"^HSClassifier, by day( +\d\d\.\d){5} %$",
        r"^late flights more than log loss finds: \+\d+; by part: ",
    ],
    "leads": [r"^136 calls to 904 customers, mean over 5 splits:$", r"^  HSClassifier +\d+\.\d say yes", "difference"],
    "train_on_dask": [
        r"^prepared 500 flights, \d+ of them late; area under the ROC curve 0\.\d+$",
        r"^  two workers: precision 0\.\d+$",
        r"^  one process: precision 0\.\d+$",
    ],
    "train_on_ray": [r"as Ray reports it: 0\.\d+$", r"^  two workers: 0\.\d+$", r"^  one process: 0\.\d+$"],
    "train_on_spark": [
        r"^prepared \d+ flights on \d+ days, at most 5 a day$",
        r"^of these late: 0\.\d+; with ties shared, as Spark evaluates it: 0\.\d+$",
        r"^  Spark, two tasks: precision 0\.\d+$",
        r"^  one process: precision 0\.\d+$",
    ],
    "nightly_queue": [
        r"^night 60: 18 rows queued, no day before$",
        r"^night 69: +(0\.\d\d +|1\.00 +){4}0\.\d\d$",
        r"^of the queued 0\.\d\d were fraud, of all transactions 0\.\d\d$",
    ],
    "multiclass": [r"^899 images, 10 piles of 80", r"^  accuracy +\d\d\.\d %$", r"right in the piles of log loss +\d"],
}
#: Scripts that are no experiment and draw nothing: their arguments, and what these must print.
SERVICES = {
    "serve": (
        ["--self-test"],
        [
            r"decisions equal, 0 ties$",
            r"^a batch: 500 rows, \d+ to call, all as the model decided$",
            r"^a text for a number: 422, age: ",
            r"^an unknown region: 422, region: ",
            r"^a column too many: 422, shoe_size: ",
            r"^a column missing: 422, calls: ",
            r"^one row: median \d+\.\d ms, slowest of 100 \d+\.\d ms, with HTTP$",
            r"^the service has stopped$",
        ],
    )
}
#: Scripts that run on the package alone, and what they must print.
ALONE = {
    "first_hour": [
        *(
            rf"^{booster}: stopped after \d+ of 300 rounds, thresholds from holdout$"
            for booster in ("xgboost", "lightgbm")
        ),
        r"^  north: predict calls \d+\.\d% \(budget 10%\), queue 30, of these fraud \d+%$",
        r"^  south: predict calls \d+\.\d% \(budget 5%\), queue 10, of these fraud \d+%$",
        r"^  search: \{.*'estimator__max_depth': \d.*\}, of its 40 fraud \d+%$",
        r"^  search: \{.*'estimator__num_leaves': \d.*\}, of its 40 fraud \d+%$",
        r"^  saved and loaded: the same probabilities; exported for xgboost$",
        r"^  saved and loaded: the same probabilities; exported for lightgbm$",
    ]
}
#: Packages that a wheel installed without extras does not bring, and the folders of a clone.
NOT_IN_THE_WHEEL = (
    *(
        "benchmarks",
        "dask",
        "datasets",
        "distributed",
        "fastapi",
        "httpx",
        "matplotlib",
        "onnx",
        "onnxruntime",
        "optuna",
    ),
    *(
        "PIL",
        "polars",
        "psutil",
        "pyarrow",
        "pyspark",
        "pytest",
        "ray",
        "requests",
        "rich",
        "shap",
        "torch",
        "treelite",
        "typer",
    ),
)
#: Makes them impossible to import, in a file that Python reads when it starts.
REFUSAL = f"""
import sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_IN_THE_WHEEL!r}:
            raise ModuleNotFoundError(f"{{name}} is not there", name=name)
sys.meta_path.insert(0, Refusal())
"""
#: What a script needs besides the package.
NEEDS = {
    "serve": ("fastapi", "uvicorn", "httpx"),
    "nightly_queue": ("pyarrow",),
    "train_on_dask": ("dask.dataframe", "distributed"),
    "train_on_ray": ("ray.train",),
    "train_on_spark": ("pyspark.ml",),
}
#: XGBoost's tracker says to stderr who has come, and Spark's Java how it starts; nothing else may.
GREETING = re.compile(
    r"^(?:\[\d\d:\d\d:\d\d\] Task .* got rank \d+|\d\d/\d\d/\d\d \d\d:\d\d:\d\d WARN (?:Utils|NativeCodeLoader): .*"
    r"|WARNING: Using incubator modules: .*|Using Spark's default log4j .*|(?:Setting|To adjust) .*log.* level.*)\n",
    re.MULTILINE,
)


def check_page(name: str, printed: str) -> None:
    """The page of the gallery shows what was printed: nearly the same words, with whatever numbers.

    Another processor adds up in another order and may turn a tied split, so that numbers differ, and rows of a ranked
    table change places. With other boosters than the page names anything may differ.
    """
    shown, made = gallery.parts((gallery.PAGES / f"{name}.md").read_text(encoding="utf-8"))
    if not all(f"{booster} {version(booster.lower())}," in made for booster in ("XGBoost", "LightGBM")):
        return
    printed = gallery.without_folders(printed)
    again = f"run python docs/gallery.py {name}"
    words = [NUMBER.sub("#", text).split() for text in (printed, shown)]
    assert SequenceMatcher(None, *words, autojunk=False).ratio() > 0.9, again


def keep(name: str, folder: Path, printed: str) -> None:
    """Leave the output where CI builds the gallery from (docs/gallery.py --from FOLDER)."""
    if os.environ.get("HSBOOST_GALLERY"):
        target = Path(os.environ["HSBOOST_GALLERY"])
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.txt").write_text(printed, encoding="utf-8")
        for picture in folder.glob(f"{name}.png"):
            shutil.copy(picture, target)


def test_every_script_is_tested_short_and_says_what_for() -> None:
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")}
    assert scripts.keys() == PRINTS.keys() | SERVICES.keys() | ALONE.keys()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name, text in scripts.items():
        assert len(text.splitlines()) < (200 if name in SERVICES else 120), name
        head = text.split('"""')[1]
        assert "\nProblem: " in head
        assert "\nData: " in head
        assert (
            f"python examples/{name}.py [--{'train' if name in SERVICES else 'folder' if name in ALONE else 'plot'}"
            in head
        )
        needs = re.findall(r"^Needs: (.+)$", head, re.MULTILINE)
        assert len(needs) == 1, name
        assert ("a clone" in needs[0]) == bool(re.search(r"^import datasets$", text, re.MULTILINE)), name
        named = re.findall(r"\w+", (re.findall(r"the extras? ([\w ]+)", needs[0]) or [""])[0].replace(" and ", " "))
        assert set(named) <= extras.keys(), name
        assert bool(named) == (name not in ALONE), name


@pytest.mark.parametrize("name", ALONE)
def test_script_that_needs_the_wheel_only(name: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REFUSAL, encoding="utf-8")
    shutil.copytree(ROOT / "hsboost", tmp_path / "hsboost", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", *ignoring_others(), str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.strip() == ""
    for pattern in ALONE[name]:
        assert re.search(pattern, done.stdout, re.MULTILINE), f"{pattern!r} is not in:\n{done.stdout}"
    check_page(name, done.stdout)
    keep(name, tmp_path, done.stdout)


def test_refusal_is_effective(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REFUSAL, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = [sys.executable, "-c", "import rich"]
    done = subprocess.run(code, capture_output=True, text=True, env=environment, check=False)
    assert "rich is not there" in done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_service(name: str, tmp_path: Path) -> None:
    for module in NEEDS[name]:
        pytest.importorskip(module, reason=f"needs {module}: pip install hsboost[serve]")
    arguments, printed = SERVICES[name]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for pattern in printed:
        assert re.search(pattern, done.stdout, re.MULTILINE), f"{pattern!r} is not in:\n{done.stdout}"
    check_page(name, done.stdout)
    keep(name, tmp_path, done.stdout)


@pytest.mark.parametrize("name", sorted(PRINTS))
def test_script(name: str, tmp_path: Path) -> None:
    for module in NEEDS.get(name, ()):
        pytest.importorskip(module, reason=f"needs {module}")
    if name == "train_on_spark" and not has_java():
        pytest.skip("needs Java for Spark")
    picture = tmp_path / f"{name}.png"
    strict = ["-W", "error::UserWarning", *ignoring_others()]
    done = subprocess.run(
        [sys.executable, *strict, str(EXAMPLES / f"{name}.py"), "--plot", picture.name],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,  # a script finds what it needs from anywhere
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "MPLBACKEND": "Agg",
            "PYTHONIOENCODING": "utf-8",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert GREETING.sub("", done.stderr).strip() == ""
    for pattern in PRINTS[name]:
        assert re.search(pattern, done.stdout, re.MULTILINE), f"{pattern!r} is not in:\n{done.stdout}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
    check_page(name, done.stdout)
    keep(name, tmp_path, done.stdout)
