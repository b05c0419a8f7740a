"""Go from a table of transactions to a queue of cases, as in a first hour with hsboost.

Problem: two teams review a fixed number of transactions a day. The table is what tables are: labels in words,
categories, missing values, regions of different size. Train with early stopping, choose the trees by a search, decide,
fill the queue, and hand the model on, with either booster.

Data: synthetic, seeded: 3,000 transactions of two regions, about one in nine of them fraud.

    python examples/first_hour.py [--folder models/]

Needs: hsboost without extras.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from lightgbm import LGBMClassifier
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from xgboost import XGBClassifier

from hsboost import HSClassifier, precision_at_k, top_k

BUDGET = {"north": 0.10, "south": 0.05, None: 0.05}  # shares that can be reviewed; None: regions that open later
TODAY = {"north": 30, "south": 10, None: 5}  # reviews today


def transactions(seed: int = 0, n: int = 3000) -> pd.DataFrame:
    """One row per transaction, with its label in words."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "region": rng.choice(["north", "south"], n, p=[0.6, 0.4]),
            "merchant": pd.Categorical(rng.choice(["food", "travel", "games", "other"], n)),
            "amount": rng.lognormal(3.0, 1.0, n),
            "account_days": rng.exponential(400.0, n),
        }
    )
    odds = np.log(table["amount"]) - 6.0 + 1.5 * (table["merchant"] == "games") - table["account_days"] / 600
    odds += 1.2 * (table["region"] == "north")
    table["label"] = np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), "fraud", "legit")
    table.loc[rng.random(n) < 0.1, "account_days"] = np.nan  # not every account has a date
    table.loc[rng.random(n) < 0.05, "merchant"] = np.nan
    return table


def stopped_early(booster: str, train: pd.DataFrame, valid: pd.DataFrame) -> HSClassifier:
    """A model whose number of trees is chosen on validation rows, by precision at each region's budget."""
    if booster == "xgboost":
        trees = XGBClassifier(n_estimators=300, max_depth=3, learning_rate=0.1, early_stopping_rounds=20)
    else:
        trees = LGBMClassifier(n_estimators=300, num_leaves=8, learning_rate=0.1, early_stopping_round=20, verbose=-1)
    model = HSClassifier(trees, k=BUDGET, pos_label="fraud", calibration="sigmoid")
    evaluation = {"eval_set": (columns(valid), valid["label"]), "eval_groups": valid["region"]}
    return model.fit(columns(train), train["label"], groups=train["region"], **evaluation)


def searched(booster: str, rows: pd.DataFrame) -> GridSearchCV:
    """Two settings of the trees compared by precision within the regions; the folds are trained with regions, too."""
    with sklearn.config_context(enable_metadata_routing=True):
        in_region = make_scorer(fraud_in_budget, response_method="decision_function")
        size = "max_depth" if booster == "xgboost" else "num_leaves"
        search = GridSearchCV(
            HSClassifier(booster, k=BUDGET, pos_label="fraud"),
            {f"estimator__{size}": [2, 4], "estimator__n_estimators": [40]},
            scoring=in_region.set_score_request(groups=True),
            cv=StratifiedKFold(3),
        )
        return search.fit(columns(rows), rows["label"], groups=rows["region"])


def fraud_in_budget(labels: pd.Series, decisions: np.ndarray, groups: pd.Series) -> float:
    """Precision among each region's share; above 0 is classes_[1], "legit", so fraud has the lowest decisions."""
    return precision_at_k(np.asarray(labels) == "fraud", -decisions, k=BUDGET, groups=groups)


def columns(rows: pd.DataFrame) -> pd.DataFrame:
    """What the trees see."""
    return rows.drop(columns=["label", "region"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the models here")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    past, today = train_test_split(transactions(), test_size=1000, random_state=0)
    train, valid = train_test_split(past, test_size=0.3, stratify=past["label"], random_state=0)
    region = today["region"]
    for booster in ("xgboost", "lightgbm"):
        model = stopped_early(booster, train, valid)
        called = model.predict(columns(today), region) == "fraud"
        queue = model.predict_top_k(columns(today), TODAY, region, return_mask=True)
        rounds = len(model.training_history_["iteration"])
        print(f"{booster}: stopped after {rounds} of 300 rounds, thresholds from {model.threshold_source_}")
        for name in ("north", "south"):
            here = (region == name).to_numpy()
            hits = (today["label"][here & queue] == "fraud").mean()
            print(f"  {name}: predict calls {called[here].mean():.1%} (budget {BUDGET[name]:.0%}), "
                  f"queue {queue[here].sum()}, of these fraud {hits:.0%}")  # fmt: skip
        search = searched(booster, past)
        found = top_k(search, columns(today), TODAY, groups=region)
        share = (today["label"][found] == "fraud").mean()
        print(f"  search: {search.best_params_}, of its {found.sum()} fraud {share:.0%}")
        model.save_model(folder / f"{booster}.json")
        again = HSClassifier.load_model(folder / f"{booster}.json")
        same = np.array_equal(again.predict_proba(columns(today)), model.predict_proba(columns(today)))
        written = model.export(folder / f"trees.{'ubj' if booster == 'xgboost' else 'txt'}", threshold="global")
        print(f"  saved and loaded: {'the same' if same else 'OTHER'} probabilities; exported for {written.format}")


if __name__ == "__main__":
    main()
