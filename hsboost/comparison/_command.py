"""python -m hsboost: commands that work on a file."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hsboost._validation import Budget, check_budget
from hsboost._version import __version__
from hsboost.comparison import _files
from hsboost.comparison._compare import ComparisonInterrupted, compare_losses
from hsboost.comparison._progress import to_stderr
from hsboost.comparison._splits import FEW_ROWS, MANY_GROUPS
from hsboost.comparison._trials import default_candidates

EPILOG = """\
Rows without a label are left out, texts become categories, dates and texts that
differ in most rows are left out; the first lines say so. Leave out what is known
only after the fact with --drop. A count --k is of all rows in the file; of each
group where groups are whole (days, users), as of the calls a day.

examples:
  python -m hsboost compare claims.csv --label fraud --k 0.05
  python -m hsboost compare calls.parquet --label sold --positive yes --k 200 --groups day
  python -m hsboost compare flights.csv --label delay --above 15 --k 0.05 --time date --drop tailnum
"""


def budget(text: str) -> Budget:
    """A count, a share, or a share in percent."""
    try:
        if text.endswith("%"):
            return check_budget(float(text[:-1]) / 100.0)
        return check_budget(int(text) if text.lstrip("+-").isdigit() else float(text))
    except ValueError as error:
        said = str(error) if str(error).startswith("k ") else "give a share as 0.05 or 5%, or a count as 200"
        raise argparse.ArgumentTypeError(f"{text!r}: {said}") from None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(
        "python -m hsboost",
        description="Gradient-boosted trees for the top of the list.",
        epilog="python -m hsboost.precompile compiles all kernels ahead of time.",
    )
    main.add_argument("--version", action="version", version=f"hsboost {__version__}")
    commands = main.add_subparsers(title="commands", metavar="COMMAND")
    one = commands.add_parser(
        "compare",
        help="is a loss for the budget better on the rows of a file?",
        description="Train log loss and the losses for a budget on the same trees and splits; say which to use.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.set_defaults(command=compare)
    add = one.add_argument
    add("file", metavar="FILE", help="CSV (compressed or not) or Parquet")
    add("--label", required=True, metavar="COLUMN", help="what is to be found")
    which = one.add_mutually_exclusive_group()
    which.add_argument("--positive", metavar="VALUE", help="the label that counts, against all others")
    which.add_argument("--above", type=float, metavar="NUMBER", help="labels above it count")
    add("--k", type=budget, metavar="K", help="how many rows you act on: 0.05, 5%% or 200 (default: the positives)")
    add("--groups", metavar="COLUMN", help="a budget for each group: day, branch, user")
    add(
        "--new-groups",
        action=argparse.BooleanOptionalAction,
        help=f"groups to come are new ones: test whole groups, not as a feature (default: from {MANY_GROUPS} on)",
    )
    add("--time", metavar="COLUMN", help="train on the past, test on the future")
    add("--weight", metavar="COLUMN", help="weights of rows")
    add("--drop", action="append", default=[], metavar="COLUMN,…", help="columns that are no features")
    add("--sep", metavar="CHARACTER", help="between the columns of a text file (default: comma)")
    add("--booster", choices=("xgboost", "lightgbm"), default="xgboost", help="default: %(default)s")
    add("--trees", type=_whole, default=100, metavar="N", help="rounds to choose from (default: %(default)s)")
    add("--depth", type=_whole, metavar="N", help="of trees (default: the booster's)")
    add("--leaves", type=_whole, metavar="N", help="of LightGBM's trees (default: 31)")
    add("--learning-rate", type=float, metavar="RATE", help="default: the booster's")
    add("--threads", type=_whole, metavar="N", help="default: all cores")
    names = ",".join(candidate.name for candidate in default_candidates())
    add("--losses", metavar="NAME,…", help=f"default: {names}")
    add("--splits", type=_whole, default=5, metavar="N", help="test parts (default: %(default)s)")
    add(
        "--repeats",
        type=_whole,
        metavar="N",
        help=f"split the rows so often (default: 2 below {FEW_ROWS:,} rows, else 1)",
    )
    add(
        "--worth",
        type=float,
        default=0.005,
        metavar="GAIN",
        help="least gain in precision worth a switch (%(default)s)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the splits and the booster (default: %(default)s)")
    add("--state", metavar="FILE", help="keeps finished trainings: the same command goes on after a stop")
    add("--csv", metavar="FILE", help="write the figures there")
    add("--plot", metavar="FILE", help="draw the differences (needs hsboost[plot])")
    add("--quiet", action="store_true", help="no progress on stderr")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 2 for an error of input, 130 after Ctrl-C."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    if not hasattr(options, "command"):
        command_line.print_help()
        return 0
    try:
        return int(options.command(options))
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"hsboost: {error}", file=sys.stderr)
        return 2


def compare(options: argparse.Namespace) -> int:
    """Compare losses on a file and print the answer."""
    if options.plot is not None:
        from hsboost.plotting import _style

        _style.pyplot()  # an error now, not after the trainings
    table = _files.read(options.file, options.sep)
    drop = [name for part in options.drop for name in part.split(",") if name]
    whole = options.new_groups
    if options.groups in table.columns and whole is None:
        whole = bool(table[options.groups].nunique() >= MANY_GROUPS)
    data = _files.prepare(
        table,
        label=options.label,
        positive=options.positive,
        above=options.above,
        groups=options.groups,
        time=options.time,
        weight=options.weight,
        drop=drop,
        keep_groups=options.groups is not None and not whole,
    )
    del table
    categories = [str(name) for name, dtype in data.X.dtypes.items() if str(dtype) == "category"]
    say = (lambda line: None) if options.quiet else to_stderr
    say(f"{options.file}: {len(data.X):,} rows; features: {', '.join(map(str, data.X.columns))}")
    if categories:
        say(f"categories: {', '.join(categories)}")
    for note in data.notes:
        say(note)
    settings: dict[str, Any] = {
        "losses": None if options.losses is None else [name for name in options.losses.split(",") if name],
        "cv": options.splits,
        "repeats": options.repeats,
        "new_groups": None if options.time is not None else options.new_groups,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = _Once(say)
            comparison = compare_losses(
                data.X,
                data.y,
                k=options.k,
                groups=data.groups,
                sample_weight=data.weight,
                time=data.time,
                estimator=_booster(options, bool(categories)),
                worth=options.worth,
                random_state=options.seed,
                state=options.state,
                verbose=False if options.quiet else to_stderr,
                **settings,
            )
    except ComparisonInterrupted as stop:
        if stop.partial is not None:
            print(stop.partial)
        go_on = (
            "the same command goes on from there" if options.state else "with --state FILE it could go on from there"
        )
        print(f"hsboost: {stop}; {go_on}", file=sys.stderr)
        return 130
    print(comparison)
    if options.csv is not None:
        comparison.frame.to_csv(options.csv)
    if options.plot is not None:
        comparison.plot(name=Path(options.file).name).figure_.savefig(options.plot, dpi=150)
    return 0


class _Once:
    """Shows users' warnings as lines, each text once: every training would repeat them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.seen = say, set[str]()

    def __call__(self, message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        text = " ".join(str(message).split())
        if issubclass(category, UserWarning) and text not in self.seen:
            self.seen.add(text)
            self.say(f"warning: {text}")


def _booster(options: argparse.Namespace, categories: bool) -> Any:
    shape = {"max_depth": options.depth, "learning_rate": options.learning_rate, "n_jobs": options.threads}
    shape = {name: value for name, value in shape.items() if value is not None}
    if options.booster == "xgboost":
        if options.leaves is not None:
            raise ValueError(f"--leaves {options.leaves} is for --booster lightgbm; XGBoost's trees have a --depth")
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=options.trees, enable_categorical=categories, random_state=options.seed, **shape
        )
    from lightgbm import LGBMClassifier

    if options.leaves is not None:
        shape["num_leaves"] = options.leaves
    return LGBMClassifier(n_estimators=options.trees, random_state=options.seed, verbose=-1, **shape)


def _whole(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return number
