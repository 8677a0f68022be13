"""What is known of one customer: purchases, contacts and responses, value, state, risk, offers and moments to act."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value import model_of, tier_of
from crmlab.analyses.customers import customer_outputs
from crmlab.analyses.lifecycle import QUANTILES, limits_of, states
from crmlab.analyses.triggers import TRIGGERS
from crmlab.data.personal import concepts, is_personal
from crmlab.errors import ConvergenceError, DataError, ModelError, ParameterError, TooLittleError
from crmlab.history.customers import occasion_days
from crmlab.history.orders import between, history
from crmlab.page.result import Estimate

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["MOST_IDS", "NEVER", "UNFIT", "YEAR", "Facts", "facts_of"]


UNFIT = (DataError, ModelError, ConvergenceError)
MOST_IDS = 2000  # ids among which a mistyped one is looked for
YEAR = 52.0  # weeks ahead
NEVER = "The probability of churn is not known: nobody has churned before, so there is nothing to learn from."


@dataclass(frozen=True, eq=False)
class Facts:
    """One customer.

    Attributes
    ----------
    customer : str
    first, end : datetime.date
        Of the history.
    attributes : dict
        Columns of the customers table that name nobody.
    days : DataFrame
        day, spend, is_occasion: every day with a receipt.
    bought : DataFrame
        product, times, spend: what was bought, most first; empty without order lines.
    contacts, responses : DataFrame
        day, campaign, what; day, kind, campaign.
    state : dict
        As of :func:`crmlab.analyses.lifecycle.reductions.states`; empty where it is not known.
    tier : str
    estimates : dict of str to Estimate
        value, alive, purchases, churn; those that are known.
    next_from, next_to : datetime.date or None
        Between which days the next purchase is expected.
    horizon : float
        Of the value, in weeks; infinite without end.
    window : int
        Days without a purchase that count as churn; 0 where it is not known.
    reasons : tuple of str
        What moves the probability of churn most.
    offers : DataFrame
        name, reason; best first.
    moments : DataFrame
        label, advice.
    absent : dict of str to str
    """

    customer: str
    first: dt.date
    end: dt.date
    attributes: dict[str, Any]
    days: pd.DataFrame
    bought: pd.DataFrame
    contacts: pd.DataFrame
    responses: pd.DataFrame
    state: dict[str, Any]
    tier: str
    estimates: dict[str, Estimate]
    next_from: dt.date | None
    next_to: dt.date | None
    horizon: float
    window: int
    reasons: tuple[str, ...]
    offers: pd.DataFrame
    moments: pd.DataFrame
    absent: dict[str, str]

    @property
    def occasions(self) -> pd.DataFrame:
        """Purchase occasions."""
        return self.days[self.days["is_occasion"]]


def facts_of(data: Dataset, customer: str, as_of: str | None = None, *, level: float = 0.9, seed: int = 0) -> Facts:
    """Collect what is known of a customer.

    Parameters
    ----------
    data : Dataset
    customer : str
    as_of : ISO date, optional
    level : float
        Of intervals; of what this customer will do.
    seed : int

    Returns
    -------
    Facts

    Raises
    ------
    ParameterError
        Nobody has this id by the day, or the day is outside the history.
    """
    first, end = history(data.orders, as_of)
    attributes = _attributes(data, customer)
    mine = between(data.orders, None, end)
    days = occasion_days(mine.filter(mine["customer_id"] == customer))
    frame = (
        days.select("day", "is_occasion", spend=days["spend"].cast("float64")).to_pandas().sort_values("day", ignore_index=True)
    )
    frame["day"] = pd.to_datetime(frame["day"])
    if frame.empty and not attributes:
        raise ParameterError.no_customer(customer, _ids(data, customer))
    absent: dict[str, str] = {}
    state: dict[str, Any] = {}
    try:
        limits = limits_of(data, end.isoformat(), QUANTILES, (None, None, None), 6)
        found = states(data.orders, end, limits)
        rows = found.filter(found["customer_id"] == customer).to_pyarrow().to_pylist()
        state = rows[0] if rows else {"state": "prospect"}
    except UNFIT as error:
        absent["state"] = str(error)
    tier, estimates, horizon = "", dict[str, Estimate](), math.inf
    soon: tuple[dt.date | None, dt.date | None] = (None, None)
    reasons_: tuple[str, ...] = ()
    window = 0
    if frame["is_occasion"].any():
        try:
            tier, estimates, soon, horizon = _valued(data, customer, end, level, seed)
        except UNFIT as error:
            absent["value"] = f"Value is not known. {error}"
        try:
            risk, reasons_, window = _risk(data, customer, end, level, seed, absent)
            if risk is not None:
                estimates["churn"] = risk
        except UNFIT as error:
            absent["churn"] = f"The probability of churn is not known. {error}"
    else:
        absent["value"] = "Nothing was bought yet, so no value can be told."
    return Facts(
        customer, first, end, attributes, frame, _bought(data, customer, end), *_touched(data, customer, end), state, tier, estimates,
        *soon, horizon, window, reasons_, _offers(data, end, customer, absent), _moments(data, end, customer, absent), absent,
    )  # fmt: skip


def _ids(data: Dataset, customer: str) -> list[str]:
    """Ids that look like a wrong one, by their first letters; any, where none does."""
    ids = data.orders.select("customer_id").distinct()
    for length in (len(customer) - 1, 3, 1, 0):
        if length < 0:
            continue
        some = ids.filter(ids["customer_id"].startswith(customer[:length])) if length else ids
        found = some.order_by("customer_id").limit(MOST_IDS).to_pyarrow()["customer_id"].to_pylist()
        if found:
            return [str(one) for one in found]
    return []


def _attributes(data: Dataset, customer: str) -> dict[str, Any]:
    if "customers" not in data.tables:
        return {}
    found = data.customers.filter(data.customers["customer_id"] == customer).to_pyarrow().to_pylist()
    if not found:
        return {}
    # What names a person is not shown, whether or not the data set calls it personal.
    return {name: value for name, value in found[0].items() if not is_personal(concepts(name))}


def _valued(
    data: Dataset, customer: str, end: dt.date, level: float, seed: int
) -> tuple[str, dict[str, Estimate], tuple[dt.date | None, dt.date | None], float]:
    base, model, summary, _, horizon, _ = model_of(data, end, level=level, seed=seed)
    purchases = model.fitted_models()[0]
    place = int((summary["customer_id"] == customer).to_numpy().argmax())
    # Of everybody, as in the list of that report: simulated futures of one alone would be others.
    values = model.residual_value(summary, horizon, level=level, interval="outcome")
    tier = str(tier_of(values["residual_value"].to_numpy())[place])
    value, mine = values.iloc[place], summary.iloc[[place]].reset_index(drop=True)
    weeks = base.words.unit == "week"
    ahead = YEAR if weeks else 1.0
    bought = purchases.expected_purchases(mine, ahead, level=level, interval="outcome").iloc[0]
    out = {
        "value": Estimate(float(value["residual_value"]), float(value["low"]), float(value["high"]), level, data.currency),
        "purchases": Estimate(
            float(bought["expected_purchases"]), float(bought["low"]), float(bought["high"]), level, "purchases"
        ),
    }
    if math.isinf(horizon):
        alive = purchases.probability_alive(mine, level=level).iloc[0]
        out["alive"] = Estimate(float(alive["probability_alive"]), float(alive["low"]), float(alive["high"]), level, "share")
    soon = purchases.next_purchase(mine, level=level, interval="outcome").iloc[0]
    days = [
        end + dt.timedelta(days=math.ceil(7 * float(soon[name]))) if weeks and float(soon[name]) <= 5 * YEAR else None
        for name in ("low", "high")
    ]
    return tier, out, (days[0], days[1]), horizon


def _risk(
    data: Dataset, customer: str, end: dt.date, level: float, seed: int, absent: dict[str, str]
) -> tuple[Estimate | None, tuple[str, ...], int]:
    """Probability of churn as the report on churn tells it, with the interval of its calibration, and what moves it."""
    from crmlab.analyses.churn import Params, final, prepared, reasons, scheme_of, snapshots_of, trial
    from crmlab.history.customers import gaps

    own = Params(as_of=end.isoformat(), seed=seed)
    waits = gaps(data.orders, end).to_pandas().sort_values(["customer_id", "number"], ignore_index=True)
    scheme = scheme_of(waits, history(data.orders, end)[0], end, own)
    days = snapshots_of(data, scheme, end)
    rows = prepared(days.pop(end))
    where = np.flatnonzero((rows["customer_id"] == customer).to_numpy())
    if not len(where):
        absent["churn"] = "Silent for too long to be counted as active: churn is told of active customers only."
        return None, (), scheme.window
    # Money decides which score card is shown, not which model is used.
    money = {"value": 1.01 * own.offer_cost, "offer": own.offer_cost, "contact": own.contact_cost, "accept": own.accept}
    try:
        tested = trial(days, scheme, money, level=level, seed=seed)
        drift = float(tested.scores.loc[(tested.used, "intercept"), "value"])
        scorer = final(days, scheme, tested.used, seed, drift)
    except TooLittleError:
        absent["churn"] = NEVER
        return None, (), scheme.window
    mine = rows.iloc[where[:1]]
    p = float(scorer.probability(mine)[0])
    low, high = np.quantile(scorer.draws(mine, 400, seed)[:, 0], [(1 - level) / 2, (1 + level) / 2])
    # Facts are held against the middle of all customers.
    words = reasons(scorer, rows).iloc[where[0]]
    fact_texts = tuple(str(text) for text in words if text)
    return Estimate(p, min(float(low), p), max(float(high), p), level, "share"), fact_texts, scheme.window


def _one(data: Dataset, end: dt.date, customer: str, column: str, absent: dict[str, str]) -> Any:
    try:
        found = customer_outputs(data, end, [column]).set_index("customer_id")[column]
    except UNFIT as error:
        absent[column] = str(error)
        return None
    return found.get(customer)


def _bought(data: Dataset, customer: str, end: dt.date) -> pd.DataFrame:
    columns = ["product", "times", "spend"]
    if "order_lines" not in data.tables:
        return pd.DataFrame(columns=columns)
    lines = between(data.order_lines, None, end)
    lines = lines.filter((lines["customer_id"] == customer) & (lines["quantity"] > 0))
    found = lines.group_by("product_id").agg(times=lines["order_id"].nunique(), spend=lines["amount"].sum().cast("float64"))
    frame = found.to_pandas()
    names = _names(data)
    frame["product"] = [names.get(one, one) for one in frame["product_id"]]
    return frame.sort_values(["times", "spend", "product_id"], ascending=[False, False, True], ignore_index=True)[columns]


def _names(data: Dataset) -> dict[str, str]:
    if "products" not in data.tables:
        return {}
    rows = data.products.select("product_id", "name").to_pyarrow().to_pylist()
    return {row["product_id"]: row["name"] for row in rows if row["name"]}


def _touched(data: Dataset, customer: str, end: dt.date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Contacts and responses, by day."""
    sent = pd.DataFrame(columns=["day", "campaign", "what", "contacted"])
    came = pd.DataFrame(columns=["day", "kind", "code"])

    def mine(table: ibis.Table, column: str) -> list[dict[str, Any]]:
        some = between(table.rename(ordered_at=column), None, end)
        return list(some.filter(some["customer_id"] == customer).order_by("ordered_at").to_pyarrow().to_pylist())

    if "contacts" in data.tables and "cells" in data.tables:
        cells = {row["cell_id"]: row for row in data.cells.to_pyarrow().to_pylist()}
        rows = []
        for row in mine(data.contacts, "contacted_at"):
            cell = cells.get(row["cell_id"], {})
            treated = cell.get("control_cell_id") is not None
            parts = [str(cell[name]) for name in ("offer", "creative", "channel") if cell.get(name)]
            what = ", ".join(parts) or str(row["cell_id"]) if treated else "left alone, as control"
            rows.append([row["ordered_at"], cell.get("campaign_id", ""), what, treated])
        sent = pd.DataFrame(rows, columns=sent.columns)
    if "responses" in data.tables:
        rows = [
            [row["ordered_at"], row["kind"], row.get("response_code") or ""] for row in mine(data.responses, "responded_at")
        ]
        came = pd.DataFrame(rows, columns=came.columns)
    for frame in (sent, came):
        frame["day"] = pd.to_datetime(frame["day"]).dt.normalize()
    return sent, came


def _offers(data: Dataset, end: dt.date, customer: str, absent: dict[str, str]) -> pd.DataFrame:
    columns = ["rank", "name", "reason"]
    if "order_lines" not in data.tables:
        absent["offers"] = "Offers need order lines, which this data set does not have."
        return pd.DataFrame(columns=columns)
    from crmlab.analyses.cross_sell import next_best_offers

    try:
        found = next_best_offers(data, end).frame
    except UNFIT as error:
        absent["offers"] = str(error)
        return pd.DataFrame(columns=columns)
    mine = found[found["customer_id"] == customer].sort_values("rank", ignore_index=True)
    if mine.empty:
        absent["offers"] = "No offer: whoever must not be contacted gets none, nor who has bought nothing."
    return mine[columns]


def _moments(data: Dataset, end: dt.date, customer: str, absent: dict[str, str]) -> pd.DataFrame:
    names = _one(data, end, customer, "trigger", absent)
    labels = {trigger.name: trigger for trigger in TRIGGERS}
    rows = [[labels[name].label, labels[name].advice] for name in (names if isinstance(names, tuple) else ())]
    if not rows:
        absent.setdefault("moments", "No moment of the last seven days calls for action.")
    return pd.DataFrame(rows, columns=["label", "advice"])
