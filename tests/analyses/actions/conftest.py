"""Small worlds for the tests of actions: orders, people and what was sent to them, and what the file says of actions."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses.actions import Params
from crmlab.analyses.actions.study import study
from crmlab.history.past import History

START, DAYS = dt.date(2024, 1, 1), 730
PEOPLE = 240
TOP = 'title = "Own"\ncurrency = "EUR"\n{margin}{tables}'
TABLES = ("orders", "customers", "cells", "contacts", "responses")


def day(number):
    return START + dt.timedelta(days=int(number))


def orders(rng, people=PEOPLE):
    """Purchases at each customer's own pace, until he leaves; everybody's spend is about his own mean. The last day has a purchase."""
    rows = []
    for one in range(people):
        at, pace, mean = rng.uniform(0, DAYS - 60), rng.gamma(1.5, 1 / 60) + 1 / 400, rng.gamma(4, 15)
        while at < DAYS:
            rows.append((f"c{one:03}", day(at), round(float(rng.gamma(4, mean / 4)) + 1, 2)))
            at += rng.exponential(1 / pace) + 1
            if rng.random() < 0.15:
                break
    rows.append(("c000", day(DAYS - 1), 50.0))
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])
    return frame.assign(order_id=range(len(frame)))


def customers(people=PEOPLE):
    """Forty in households of two, every tenth must not be contacted, of some it is not known."""
    ids = [f"c{k:03}" for k in range(people)]
    home = [f"h{k // 2:02}" if k < 40 else None for k in range(people)]
    asked = ["no" if k % 10 == 5 else None if k % 10 == 7 else "yes" for k in range(people)]
    return pd.DataFrame({"customer_id": ids, "household_id": home, "contactable": asked})


@pytest.fixture(scope="session")
def world():
    """A function that writes a world and opens it: frames of further tables, and what the TOML file says more."""

    def made(folder, more="", *, seed=1, people=PEOPLE, margin="margin = 0.4\n", shuffled=None, **tables):
        folder.mkdir(exist_ok=True)
        frames = {"orders": orders(np.random.default_rng(seed), people), "customers": customers(people)} | tables
        said = ""
        for name, frame in frames.items():
            if frame is None:
                continue
            assert name in TABLES
            frame = frame if shuffled is None else frame.sample(frac=1, random_state=shuffled)
            frame.to_csv(folder / f"{name}.csv", index=False)
            said += f'[{name}]\nfile = "{name}.csv"\n'
        (folder / "own.toml").write_text(TOP.format(margin=margin, tables=said) + more)
        return crmlab.open_dataset(str(folder / "own.toml"))

    return made


@pytest.fixture(scope="session")
def studied():
    """A function that decides for a data set."""
    return lambda data, **params: study(History(data), Params(**params))
