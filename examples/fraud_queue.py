"""Fill the review queues of several fraud teams, each with its own number of cases per day.

Problem: four regional teams review a fixed number of transactions each day. The best 100 of the country are no use if
70 of them belong to a team with capacity for 20: every region and day needs exactly its own number. So each region-day
is a group with a budget, in training (the loss projects each group onto its own budget) and when the queue is filled.

Data: synthetic, seeded. Regions differ in size, in fraud rate and in the distribution of amounts. 60 days for training,
the following 20 days for the test. Compared with log loss ranked within each region-day, which is a strong alternative.

    python examples/fraud_queue.py [--plot queue.png]

Needs: hsboost with the extra plot.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier

from hsboost import HSClassifier
from hsboost.plotting import BudgetGainDisplay

CAPACITY = {"north": 8, "south": 5, "east": 3, "west": 2}  # reviews a day
SIZE = {"north": 160, "south": 110, "east": 60, "west": 40}  # transactions a day, on average
RATE = {"north": -4.2, "south": -3.4, "east": -4.0, "west": -2.9}  # log-odds of fraud at usual values
TRAIN_DAYS, TEST_DAYS = 60, 20


def transactions(seed: int = 0) -> pd.DataFrame:
    """One row per transaction, in order of days."""
    rng = np.random.default_rng(seed)
    parts = []
    for day in range(TRAIN_DAYS + TEST_DAYS):
        for region, size in SIZE.items():
            n = int(rng.poisson(size))
            part = pd.DataFrame(
                {
                    "day": day,
                    "region": region,
                    "amount": rng.lognormal(3.0 + 0.8 * (region == "west"), 1.0, n),
                    "hour": rng.integers(0, 24, n),
                    "account_days": rng.exponential(400.0, n),
                    "distance": rng.exponential(20.0, n),
                    "payments_last_hour": rng.poisson(0.7, n),
                }
            )
            odds = (
                RATE[region]
                + 0.9 * (np.log(part["amount"]) - 3.0)
                + 2.4 * ((part["hour"] < 6) & (part["distance"] > 25.0))
                + 2.0 * (part["payments_last_hour"] > 2)
                - 0.003 * np.minimum(part["account_days"], 600.0)
            )
            part["fraud"] = rng.random(n) < 1.0 / (1.0 + np.exp(-odds))
            parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table["region"] = table["region"].astype("category")
    return table


def trees() -> LGBMClassifier:
    """The same trees for both losses."""
    return LGBMClassifier(
        n_estimators=100, learning_rate=0.05, num_leaves=15, min_child_samples=40, random_state=0, n_jobs=1, verbose=-1
    )


def main(plot: str | None = None) -> dict[str, int]:
    """Train, fill the queues of the test days, print the frauds in them, and return their number by method."""
    table = transactions()
    X = table.drop(columns=["day", "fraud"])
    y = table["fraud"].to_numpy().astype(int)
    queue = table["region"].astype(str) + " day " + table["day"].astype(str)
    budget = {name: CAPACITY[name.split()[0]] for name in queue.unique()}
    old, new = (table["day"] < TRAIN_DAYS).to_numpy(), (table["day"] >= TRAIN_DAYS).to_numpy()

    model = HSClassifier(trees(), k={name: budget[name] for name in queue[old].unique()})
    model.fit(X[old], y[old], groups=queue[old].to_numpy())
    groups, tested = queue[new].to_numpy(), {name: budget[name] for name in queue[new].unique()}
    ours = model.predict_top_k(X[new], tested, groups=groups) == 1
    reviewed = pd.Series(ours).groupby(groups).sum()
    assert all(reviewed[name] == k for name, k in tested.items())  # exactly so many in each region on each day

    score = pd.Series(trees().fit(X[old], y[old]).predict_proba(X[new])[:, 1])
    rank = score.groupby(groups).rank(method="first", ascending=False).to_numpy()
    theirs = rank <= np.array([tested[name] for name in groups])
    country = score.rank(method="first", ascending=False).to_numpy() <= sum(tested.values())
    too_many = pd.Series(country).groupby(groups).sum()
    over = sum(int(too_many[name]) > k for name, k in tested.items())

    frauds, region = y[new], table.loc[new, "region"].astype(str).to_numpy()
    print(f"{sum(tested.values())} reviews in {TEST_DAYS} days, {frauds.sum()} frauds among {frauds.size} transactions")
    print(f"{'frauds reviewed':<28}" + "".join(f"{name:>8}" for name in CAPACITY) + "     all")
    for name, chosen in (("HSClassifier, by group", ours), ("log loss, top k by group", theirs)):
        counts = [int(frauds[chosen & (region == r)].sum()) for r in CAPACITY]
        print(f"{name:<28}" + "".join(f"{count:8}" for count in counts) + f"{sum(counts):8}")
    print(f"One list for the whole country would overrun {over} of {len(tested)} region-days.")

    if plot:
        # Within one region the days have one budget: the share reviewed is what the picture is about.
        north = region == "north"
        display = BudgetGainDisplay.from_predictions(
            frauds[north], model.decision_function(X[new])[north], baseline=score.to_numpy()[north],
            k=CAPACITY["north"] * TEST_DAYS, log=True, start=20, name="HSClassifier", baseline_name="log loss",
        )  # fmt: skip
        display.ax_.set_title("Region north, 20 days taken together", loc="left", fontsize=11)
        display.figure_.savefig(plot, dpi=120)
        print(f"wrote {plot}")
    return {"HSClassifier": int(frauds[ours].sum()), "log loss": int(frauds[theirs].sum()), "overrun": over}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fill the review queue of every region and day.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
