"""Write docs/gallery: one page for each script of examples/, with what it prints, its picture and its code.

    python docs/gallery.py [NAME …]        # runs the scripts (all of them, or these), writes pages and pictures
    python docs/gallery.py --from FOLDER   # takes NAME.txt and NAME.png from there: tests/test_examples.py leaves them

The pages are committed, so that they read without the site generator. `tests/test_gallery.py` compares their code with
the scripts, `tests/test_examples.py` their output with what the scripts print, and CI builds the site from the outputs
of its own run. `--from` keeps the committed output of a script that the folder lacks.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES, PAGES, PICTURES = ROOT / "examples", ROOT / "docs" / "gallery", ROOT / "docs" / "img" / "gallery"
#: Scripts that draw nothing, with the arguments to show.
SERVICES: dict[str, list[str]] = {"first_hour": [], "serve": ["--self-test"]}
#: What a script needs beyond `pip install -e ".[bench]"`.
EXTRAS = {"serve": "serve", "train_on_dask": "dask", "train_on_ray": "ray", "train_on_spark": "spark"}
#: What the pictures show, for those who cannot see them.
ALT = {
    "choose_and_calibrate": "Reliability of the calibrated probabilities: both curves lie near the diagonal",
    "compare_models": "Precision against the share of flights taken: three models and a rule; gains over LightGBM",
    "fraud_queue": "Lift over random order and frauds beyond those of log loss against reviews, region north",
    "late_flights": "Late flights that daily lists found beyond those of log loss, summed up over half a year",
    "leads": "Lift over random order and yeses beyond those of log loss against calls",
    "multiclass": "Precision of the piles of four digits against the size of the pile",
    "nightly_queue": "Precision of every region's queue in ten nights",
    "train_on_dask": "Precision of two workers and of one process against the share of flights: one curve",
    "train_on_ray": "Precision of two workers and of one process against the share of flights: one curve",
    "train_on_spark": "Precision of two Spark tasks and of one process against the share of flights: nearly one curve",
}


def names() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.py"))


def script(name: str) -> str:
    return (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")


def made_with() -> str:
    libraries = {"XGBoost": "xgboost", "LightGBM": "lightgbm", "scikit-learn": "scikit-learn", "NumPy": "numpy"}
    parts = [f"{shown} {version(package)}" for shown, package in libraries.items()]
    return f"Printed with Python {platform.python_version()}, {', '.join(parts)}."


def opening(name: str) -> tuple[str, str, str]:
    """Title, problem and data of a script, from its docstring."""
    title, *paragraphs = script(name).split('"""')[1].split("\n\n")
    problem, data = (
        " ".join(part.split()) for key in ("Problem: ", "Data: ") for part in paragraphs if part.startswith(key)
    )
    texts = (text.partition(": ")[2] for text in (problem, data))
    return title.strip().rstrip("."), *(text[0].upper() + text[1:] for text in texts)


def without_folders(printed: str) -> str:
    """What was printed, without the temporary folder of the files."""
    return re.sub(r"\S*/(?=[\w-]+\.(?:json|parquet|png)\b)", "", printed)


def page(name: str, printed: str, made: str) -> str:
    title, problem, data = opening(name)
    printed = without_folders(printed)
    arguments = "".join(f" {one}" for one in SERVICES.get(name, ["--plot", f"{name}.png"]))
    install = f'pip install -e ".[{",".join(["bench", *filter(None, [EXTRAS.get(name)])])}]"'
    made += " Times depend on the machine." if name == "serve" and "Times" not in made else ""
    picture = "" if name in SERVICES else f"\n![{ALT[name]}](../img/gallery/{name}.png)\n"
    return f"""<!-- made by docs/gallery.py from examples/{name}.py -->

# {title}

{problem}

*Data:* {data}

In a clone of the repository, after `{install}`:

```console
$ python examples/{name}.py{arguments}
{printed.rstrip()}
```
{picture}
{made}

## The script

```py
{script(name).rstrip()}
```
"""


def index() -> str:
    """The table of contents."""
    entries = []
    for name in names():
        title, problem, _ = opening(name)
        picture = "" if name in SERVICES else f"\n[![{ALT[name]}](../img/gallery/{name}.png)]({name}.md)\n"
        entries.append(f"## {title}\n\n{problem} [The whole script]({name}.md)\n{picture}")
    return (
        "<!-- made by docs/gallery.py -->\n\n# Gallery\n\nWhole scripts, one problem each, with what they print and "
        "draw. They lie in `examples/`; nothing is left out.\n\n" + "\n".join(entries)
    )


def parts(text: str) -> tuple[str, str]:
    """What the script printed, and the versions, as a page shows them."""
    shown, _, rest = text.partition("\n$ python examples/")[2].partition("\n")[2].partition("\n```\n")
    return shown + "\n", next(line for line in rest.splitlines() if line.startswith("Printed with "))


def run(name: str, folder: Path) -> None:
    """Leave NAME.txt, and NAME.png if the script draws, in the folder."""
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *SERVICES.get(name, ["--plot", f"{name}.png"])],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
    )
    (folder / f"{name}.txt").write_text(done.stdout, encoding="utf-8")


def write(name: str, folder: Path) -> None:
    """The page of one script, from its output in the folder, or from what the page already shows."""
    target = PAGES / f"{name}.md"
    if (folder / f"{name}.txt").exists():
        printed, made = (folder / f"{name}.txt").read_text(encoding="utf-8"), made_with()
        if name not in SERVICES:  # 256 colours are enough for a chart, and a third of the size
            with Image.open(folder / f"{name}.png") as drawn:
                drawn.convert("RGB").quantize(256).save(PICTURES / f"{name}.png", optimize=True)
    else:
        printed, made = parts(target.read_text(encoding="utf-8"))
    target.write_text(page(name, printed, made), encoding="utf-8")


def main(chosen: list[str], ready: Path | None) -> None:
    PAGES.mkdir(exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names():
            if ready is None and (name in chosen or not chosen):
                print(f"running {name}", flush=True)
                run(name, Path(folder))
            write(name, ready or Path(folder))
    (PAGES / "index.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the pages of docs/gallery.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="the scripts to run; without names all")
    parser.add_argument("--from", dest="ready", type=Path, metavar="FOLDER", help="take outputs from here, run nothing")
    arguments = parser.parse_args()
    main(arguments.names, arguments.ready)
