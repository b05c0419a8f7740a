"""Run a nightly job that turns the day's transactions into the next day's review queue of each region.

Problem: every region reviews a fixed number of transactions a day. The job reads the day's Parquet file, fills each
region's queue with exactly its number, writes it as Parquet, and reports how many of yesterday's queue were fraud, once
the reviews are known. The model comes from a file that another job wrote.

Data: synthetic, seeded, that of fraud_queue.py: 60 days to train on, then ten nights.

    python examples/nightly_queue.py [--plot nights.png] [--folder queue/]

Needs: hsboost with the extra plot; pyarrow.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from fraud_queue import CAPACITY, TRAIN_DAYS, transactions, trees

from hsboost import HSClassifier

NIGHTS = 10


def prepare(folder: Path) -> None:
    """Write the files that exist before the first night: the model, and the files that arrive each day."""
    table = transactions()
    table.insert(0, "transaction", range(len(table)))
    old = table[table["day"] < TRAIN_DAYS]
    queue = old["region"].astype(str) + " day " + old["day"].astype(str)
    budget = {name: CAPACITY[name.split()[0]] for name in queue.unique()}
    X = old.drop(columns=["transaction", "day", "fraud"])
    model = HSClassifier(trees(), k=budget).fit(X, old["fraud"].astype(int), groups=queue.to_numpy())
    model.save_model(folder / "model.json")
    for day, rows in table[table["day"] >= TRAIN_DAYS].groupby("day"):
        rows.drop(columns="fraud").to_parquet(folder / f"in-{day}.parquet", index=False)
        rows[["transaction", "fraud"]].to_parquet(folder / f"reviewed-{day}.parquet", index=False)


def night(folder: Path, day: int) -> pd.Series | None:
    """Fill and write the queues of a day; the precision of the day before by region, if there was one."""
    model = HSClassifier.load_model(folder / "model.json")
    rows = pd.read_parquet(folder / f"in-{day}.parquet")
    X = rows[list(model.feature_names_in_)]
    region = rows["region"].astype(str)
    chosen = model.predict_top_k(X, CAPACITY, groups=region.to_numpy()) == 1
    queue = rows.assign(score=model.decision_function(X))[chosen]
    assert queue["region"].astype(str).value_counts().to_dict() == CAPACITY  # exactly so many
    queue = queue.sort_values(["region", "score"], ascending=[True, False])
    queue.to_parquet(folder / f"queue-{day}.parquet", index=False)

    before = folder / f"queue-{day - 1}.parquet"
    if not before.exists():
        return None
    seen = pd.read_parquet(before).merge(pd.read_parquet(folder / f"reviewed-{day - 1}.parquet"), on="transaction")
    return seen.groupby(seen["region"].astype(str))["fraud"].mean()[list(CAPACITY)]


def main(plot: str | None = None, folder: str | None = None) -> pd.DataFrame:
    """All nights; the precision of each region and day."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        place.mkdir(parents=True, exist_ok=True)
        prepare(place)
        found = {}
        print("precision of the day before" + "".join(f"{name:>8}" for name in CAPACITY) + "     all")
        for day in range(TRAIN_DAYS, TRAIN_DAYS + NIGHTS):
            precision = night(place, day)
            if precision is None:
                print(f"night {day}: {sum(CAPACITY.values())} rows queued, no day before")
                continue
            found[day - 1] = precision
            weights = pd.Series(CAPACITY)
            overall = (precision * weights).sum() / weights.sum()
            print(f"night {day}:{'':<18}" + "".join(f"{one:8.2f}" for one in precision) + f"{overall:8.2f}")
        table = pd.DataFrame(found).T
        rate = pd.concat(pd.read_parquet(place / f"reviewed-{day}.parquet") for day in table.index)["fraud"].mean()
    weights = pd.Series(CAPACITY) / sum(CAPACITY.values())
    print(f"of the queued {(table * weights).sum(axis=1).mean():.2f} were fraud, of all transactions {rate:.2f}")
    if plot:
        ax = table.plot(marker="o", figsize=(8, 4), title="Precision of each region's queue", xlabel="day")
        ax.axhline(rate, color="0.5", linestyle=":")
        ax.figure.tight_layout()
        ax.figure.savefig(plot, dpi=120)
        plt.close(ax.figure)
        print(f"wrote {plot}")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fill every region's queue, night after night.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    parser.add_argument("--folder", metavar="PATH", help="keep the files there")
    chosen = parser.parse_args()
    main(chosen.plot, chosen.folder)
