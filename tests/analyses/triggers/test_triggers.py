"""Triggers: rules by hand, planted moments found, and no hindsight in how they are judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import triggers as analysis
from crmlab.analyses.triggers import rules
from crmlab.errors import DataError, ParameterError
from tests.frames import history_of, orders

DAY0 = pd.Timestamp("2024-01-01")
BY_NAME = {trigger.name: trigger for trigger in rules.TRIGGERS}
NO_REBUYS = pd.DataFrame({"customer_id": [], "product_id": [], "day": pd.to_datetime([]), "next": pd.to_datetime([])})


def occasions(days, spend=10.0):
    """Occasions of customers given as lists of days since the start."""
    rows = []
    for who, when in days.items():
        for k, day in enumerate(when):
            nxt = when[k + 1] if k + 1 < len(when) else None
            rows.append(
                {
                    "customer_id": who, "day": DAY0 + pd.Timedelta(days=day), "number": k + 1, "spend": spend,
                    "gap": (nxt or 400) - day, "ended": nxt is not None,
                }
            )  # fmt: skip
    frame = pd.DataFrame(rows)
    return rules.occasions_of(frame.drop(columns="spend"), frame[["customer_id", "day", "spend"]])


def past_of(days, until):
    """The same as an order history, up to a day since the start."""
    rows = [(who, DAY0 + pd.Timedelta(days=day), 10.0) for who, when in days.items() for day in when]
    return history_of(orders(*rows), (DAY0 + pd.Timedelta(days=until)).date())


def learnt(**given):
    base = {
        "until": DAY0 + pd.Timedelta(days=300),
        "second": 30.0,
        "lapse": 60.0,
        "spend": 1000.0,
        "expected": None,
        "model": "",
        "rebuys": pd.Series(dtype=float),
    }
    return rules.Learnt(**{**base, **given})


def fired(name, frame, known, rebuys=NO_REBUYS):
    found = rules.moments(BY_NAME[name], frame, rebuys, known)
    return [(who, (at - DAY0).days) for who, at in zip(found["customer_id"], found["at"], strict=True)]


def test_occasions_know_their_past():
    frame = occasions({"a": [0, 10, 30]})
    assert frame["usual"].tolist()[1:] == [10.0, 15.0] and np.isnan(frame["usual"][0])
    assert frame["before"].tolist()[1:] == [10.0, 20.0]
    assert frame["total"].tolist() == [10.0, 20.0, 30.0]
    assert frame["next"].isna().tolist() == [False, False, True]


def test_rules_by_hand():
    frame = occasions({"a": [0, 10, 30], "b": [5], "c": [0, 90, 95], "d": [0, 20]})
    known = learnt()
    # a: after day 30 its usual gap is 15, so it slows down at day 60; c bought again 5 days after day 90.
    assert fired("slowing", frame, known) == [("a", 60), ("c", 95 + 95)]
    assert fired("second", frame, known) == [("b", 35), ("c", 30)]  # a and d had come again before
    assert fired("reactivated", frame, known) == [("c", 90)]
    assert fired("threshold", frame, learnt(spend=25.0)) == [("a", 30), ("c", 95)]
    assert fired("anniversary", frame, known)[:2] == [("a", 358), ("b", 363)]
    assert fired("overdue", frame, known) == []  # no model


def test_overdue_waits_for_the_models_quantile():
    from crmlab.models.btyd.bg_nbd import BGNBD

    model = BGNBD.from_params(r=4.0, alpha=60.0, a=0.01, b=50.0)

    def expected(some, q):
        age = (some["day"] - some["first"]).dt.days.astype(float)
        return model.next_purchase(pd.DataFrame({"frequency": some["number"] - 1, "recency": age, "T": age}), q)

    frame = occasions({"a": [0, 10, 20, 30]})
    state = pd.DataFrame({"frequency": [3], "recency": [30.0], "T": [30.0]})
    wait = int(np.ceil(model.next_purchase(state, 0.8).iloc[0]))
    assert fired("overdue", frame, learnt(expected=expected, model="BG/NBD"))[-1] == ("a", 30 + wait)


def test_product_is_due_again_for_who_bought_it_twice():
    day = [DAY0 + pd.Timedelta(days=k) for k in (0, 20, 50)]
    rebuys = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "product_id": ["p", "p", "p"],
            "day": [day[0], day[1], day[2]],
            "next": [day[1], pd.NaT, pd.NaT],
        }
    )
    assert fired("product", occasions({"a": [0]}), learnt(rebuys=pd.Series({"p": 25.0})), rebuys) == [("a", 45)]


def test_what_comes_later_moves_no_moment():
    base = {f"c{k}": sorted({k % 7, 10 + k % 11, 40 + k % 23}) for k in range(60)}
    later = {**base, **{f"z{k}": [200 + k] for k in range(20)}}
    early, late = (rules.learn(past_of(days, 120), occasions(days), NO_REBUYS) for days in (base, later))
    assert (early.second, early.lapse, early.spend, early.model) == (late.second, late.lapse, late.spend, late.model)
    some = occasions(base)
    assert early.model and (early.expected(some, 0.9) == late.expected(some, 0.9)).all()


def test_learning_up_to_a_day_ignores_gaps_that_end_later():
    frame = occasions({"a": [0, 10], "b": [0, 200], "c": [0, 20]})
    past = past_of({"a": [0, 10], "b": [0, 200], "c": [0, 20]}, 100)
    assert rules.learn(past, frame, NO_REBUYS).second == 15.0


@pytest.fixture(scope="module")
def result(result_of):
    return result_of("triggers", "shop")


def test_page_and_list_hang_together(result):
    actions, table = result.outputs["actions"].frame, result.tables["triggers"].frame
    assert {finding.metric for finding in result.findings} <= set(result.metrics)
    counted = actions.groupby("trigger")["customer_id"].nunique()
    for name, shown in zip(table["name"], table["customers"], strict=True):
        assert shown == ("under 5" if 0 < counted.get(name, 0) < 5 else f"{counted.get(name, 0):,}")
    assert not actions.duplicated(["customer_id", "trigger", "product_id"]).any()
    assert (actions["act_by"] - actions["fired"] == pd.Timedelta(days=14)).all()
    end = pd.Timestamp(result.context.as_of)
    assert actions["fired"].between(end - pd.Timedelta(days=6), end).all()
    assert table["tested"].gt(0).all()
    assert ((table["true_low"] <= table["true"]) & (table["true"] <= table["true_high"])).all()


def test_planted_moments_are_found(tmp_path):
    # Forty regulars buy every ten days; twenty of them stop 21 days before the end: they slow down a day later.
    rows = []
    for k in range(40):
        stop = 239 if k < 20 else 260
        rows += [(f"c{k:02}", (DAY0 + pd.Timedelta(days=day)).date(), 10) for day in range(stop % 10, stop + 1, 10)]
    rows.append(("end", (DAY0 + pd.Timedelta(days=260)).date(), 5))
    lines = "\n".join(f"{k},{who},{day},{amount}" for k, (who, day, amount) in enumerate(rows))
    (tmp_path / "own.csv").write_text(f"order_id,customer_id,ordered_at,amount\n{lines}\n")
    (tmp_path / "own.toml").write_text('title = "Own"\n[orders]\nfile = "own.csv"\n')
    own = crmlab.open_dataset(str(tmp_path / "own.toml"))
    found = analysis.run(own)
    slow = found.outputs["actions"].frame.query("trigger == 'slowing'")
    assert slow["customer_id"].tolist() == [f"c{k:02}" for k in range(20)]
    assert (slow["fired"] == DAY0 + pd.Timedelta(days=259)).all()
    # The last day may be one without an order: five days after the last purchases that are known then, nobody slows down.
    quiet = (DAY0 + pd.Timedelta(days=255)).date()
    then = analysis.run(own, analysis.Params(as_of=quiet.isoformat()))
    assert (then.context.as_of, then.context.customers) == (quiet, 40)
    assert "slowing" not in set(then.outputs["actions"].frame["trigger"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quantile": 1.0}, "The 'quantile' parameter of triggers must be between 0 and 1, both excluded."),
        ({"fresh": 0}, "The 'fresh' parameter of triggers must be between 1 and 365. Got 0 instead."),
    ],
)
def test_params_are_checked(given, said):
    with pytest.raises(ParameterError) as error:
        analysis.Params(**given)
    assert str(error.value).startswith(said)


def test_too_short_a_history_is_said():
    with pytest.raises(DataError, match="triggers: needs at least 112 days of history. Found: 58 days."):
        analysis.run(crmlab.open_dataset("cdnow_sample"), analysis.Params(as_of="1997-02-28"))
