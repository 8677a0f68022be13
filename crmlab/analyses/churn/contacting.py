"""Whom it would pay to contact: what contacting each customer would bring, and how many must be left out to measure what it saves.

Contacting is judged in margin. Where no margin is known, it is not judged at all: what can be said then is how large the margin would
have to be.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from crmlab.models.intervals import TEST_LEVEL, normal_quantile
from crmlab.page.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from crmlab.analyses.churn.params import Params
    from crmlab.analyses.churn.scored import Scores
    from crmlab.history.costs import ContactCosts
    from crmlab.history.past import History

    Array = npt.NDArray[np.float64]

__all__ = [
    "FEW_WORTH",
    "NO_TIERS",
    "PAYS",
    "POWER",
    "RISKS",
    "customer_list",
    "estimates_of",
    "holdout_sizes",
    "matrix_of",
]

FEW_WORTH = 20  # people worth contacting, below whom it is practically nobody, and no test of it is laid out
POWER = 0.8  # of the test that a hold-out group is for
LEFT_OUT = 5  # of so many on the list one is left out, where the hold-out is pooled over several rounds
PAYS, NO_SCORE = "yes", "no score today"
TOO_DEAR, NO_MARGIN, NO_VALUE = (
    "no: it would cost more than it saves",
    "not known: needs a margin",
    "not known: not valued yet",
)
NO_TIERS = "all"  # instead of a tier, where the models of value could not be fitted
RISKS = {"under 25%": 0.25, "25 to 50%": 0.5, "50 to 75%": 0.75, "over 75%": 2.0}  # name → up to which probability


def customer_list(history: History, found: Scores, params: Params) -> pd.DataFrame:
    """One row per eligible customer: probability of churn, expected loss, reasons, and whether keeping them would pay.

    At stake is what a customer would bring in the next year if active, times the share of it that a churned one is away. The
    profit of contacting a customer is accept × (min(p × at stake, most) − p × offer) − (1 − p) × offer − contact: of would-be leavers a
    share accepts and stays; all others take the offer too. ``most`` is what an effort that always works can be worth, as the
    report on customer value has it, so that no contact is said to bring more. Without a margin there is no profit.

    Parameters
    ----------
    history : History
    found : Scores
        Of :func:`~crmlab.analyses.churn.study.scores`, of the same history.
    params : Params
        Of which ``accept`` is used; costs and margin are those of the scores.

    Returns
    -------
    DataFrame
        Ordered by customer_id: customer_id, churn (probability), if_loyal (expected of the next 365 days; last_year_spend where customers
        are not valued), at_stake, expected_loss, tier, days_since_last, profit_of_contact, keeping_pays ("yes", or why not), reason_1 to
        reason_3, contactable, refusal; money in the currency.
    """
    value, p = found.worth["value"].to_numpy(float), found.customers["churn"].to_numpy(float)
    stake = np.round(found.lost * value, 2)
    # What is decided is what is shown.
    most = found.worth["most"].to_numpy(float)
    profit = np.round(_profit(p, (stake, most), params, found.costs), 2) if found.margin.known else np.full(len(p), np.nan)
    columns = {
        "customer_id": found.rows["customer_id"],
        "churn": p,
        **({"if_loyal": np.round(value, 2)} if found.tiers else {"last_year_spend": found.worth["last_year_spend"]}),
        "at_stake": stake,
        "expected_loss": np.round(p * stake, 2),
        **({"tier": found.worth["tier"]} if found.tiers else {}),
        "days_since_last": found.rows["days_since_last"].astype("int64"),
        "profit_of_contact": profit,
    }
    frame = pd.DataFrame(columns)
    no = NO_SCORE if found.refused else NO_MARGIN if not found.margin.known else TOO_DEAR
    frame["keeping_pays"] = np.where(profit > 0, PAYS, np.where(np.isnan(stake) & (not found.refused), NO_VALUE, no))
    frame = pd.concat([frame, found.customers.drop(columns=["customer_id", "churn"])], axis=1)
    frame = history.with_consent(frame)
    refused = frame["refusal"] != ""
    frame.loc[refused, "keeping_pays"] = "no: " + frame.loc[refused, "refusal"]
    return frame


def matrix_of(listed: pd.DataFrame) -> pd.DataFrame:
    """Customers by probability of churn and value tier: what is expected to be lost, and what contacting them would bring.

    Parameters
    ----------
    listed : DataFrame
        Of :func:`customer_list`.

    Returns
    -------
    DataFrame
        risk, tier (``"all"`` without tiers), customers, expected_loss, worth (how many would be worth contacting) and profit (of
        contacting these, in all; missing without a margin). Customers, worth and profit add up to those of the list.
    """
    known = bool(listed["profit_of_contact"].notna().any())
    band = pd.cut(listed["churn"], [-1, *RISKS.values()], labels=list(RISKS))
    tier = listed["tier"].fillna("none") if "tier" in listed else pd.Series(NO_TIERS, index=listed.index)
    rows = []
    for (risk, name), part in listed.assign(band=band, tier=tier).groupby(["band", "tier"], observed=True):
        profits = part.loc[part["keeping_pays"] == PAYS, "profit_of_contact"]
        rows.append(
            {
                "risk": str(risk),
                "tier": name,
                "customers": len(part),
                "expected_loss": float(part["expected_loss"].sum()),
                "profit": float(profits.sum()) if known else np.nan,
                "worth": len(profits),
            }
        )
    return pd.DataFrame(rows, columns=["risk", "tier", "customers", "expected_loss", "profit", "worth"])


def holdout_sizes(listed: pd.DataFrame, params: Params) -> pd.DataFrame:
    """How many customers must be left uncontacted to measure what contact saves, by saving in per cent of churners.

    Among those whom it would pay to contact, at 95% confidence and 80% power. Without rows where these are fewer than two: then there is
    nobody to leave out.

    Returns
    -------
    DataFrame
        saving, rate (of churn without contact), kept_out (how many to leave out, and contact, in two groups of equal size), targets
        (customers whom it would pay to contact), rounds (how many lists of that size must be pooled where a fifth of each is left out).

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical methods for rates and proportions, chapter 4: groups of equal and of unequal size.
    """
    targets = listed[listed["keeping_pays"] == PAYS]
    count = len(targets)
    if count < 2:
        return pd.DataFrame(columns=["saving", "rate", "kept_out", "targets", "rounds"])
    rate = float(targets["churn"].mean())
    rows = []
    for saving in (0.1, 0.2, params.accept):
        few = _left_out(rate, saving, LEFT_OUT - 1)
        rows.append(
            {
                "saving": saving,
                "rate": rate,
                "kept_out": _left_out(rate, saving, 1),
                "targets": count,
                "rounds": None if few is None else math.ceil(few / (count / LEFT_OUT)),
            }
        )
    return pd.DataFrame(rows).drop_duplicates("saving").sort_values("saving", ignore_index=True)


def _left_out(rate: float, saving: float, ratio: float) -> int | None:
    """How many to leave out where for each of them so many are contacted as the ratio says."""
    less = rate * (1 - saving)
    if rate <= less:
        return None
    z, power = normal_quantile(TEST_LEVEL), float(special.ndtri(POWER))
    middle = (rate + ratio * less) / (ratio + 1)
    top = z * math.sqrt((ratio + 1) * middle * (1 - middle)) + power * math.sqrt(ratio * rate * (1 - rate) + less * (1 - less))
    return math.ceil(top**2 / (ratio * (rate - less) ** 2))


def estimates_of(found: Scores, listed: pd.DataFrame, params: Params, currency: str) -> dict[str, Estimate]:
    """Expected churners and expected loss; with a margin for whom contact pays, without one which margin it needs; each with an interval.

    The first two carry chance and the calibration's error (drift included), and are at least as wide as the forecast of the test's day
    was off; what rests on a decision carries the calibration's error, and what it would be had all scores been off as they were then.
    """
    scorer, rows, tested = found.scorer, found.rows, found.tested
    stake = listed["at_stake"].fillna(0.0).to_numpy(float)
    off = abs(tested.seen - tested.told)
    out = {
        "expected_churners": _widened(scorer.total(rows, np.ones(len(rows)), params.level), off * len(rows), float(len(rows))),
        "expected_loss_total": _widened(
            scorer.total(rows, stake, params.level), 0.0, float(stake.sum()), off / max(tested.told, 1e-9)
        ),
    }
    units = {"expected_churners": "customers", "expected_loss_total": currency}
    estimates = {name: Estimate(*ends, params.level, units[name]) for name, ends in out.items()}
    allowed = ((listed["contactable"] != "no") & listed["at_stake"].notna()).to_numpy()
    point, shift = listed["churn"].to_numpy(float)[allowed], abs(tested.shift)
    odds = special.logit(np.clip(point, 1e-6, 1 - 1e-6))
    shifted = special.expit(odds + np.array([[-shift], [shift]]))
    drawn = scorer.draws(rows, 200, params.seed)[:, allowed]
    mine = stake[allowed], found.worth["most"].to_numpy(float)[allowed]
    if not found.margin.known:
        return estimates | _needed(point, (drawn, shifted), mine, params, found.costs)
    told = listed["profit_of_contact"].to_numpy(float)[None, allowed]
    profits = [told, *(np.round(_profit(p, mine, params, found.costs), 2) for p in (drawn, shifted))]
    for name, of, unit in (("worth_contacting", _count_of, "customers"), ("profit_of_contact_total", _sum_of, currency)):
        estimates[name] = _held([of(profit) for profit in profits], params.level, unit)
    return estimates


def _needed(
    point: Array, drawn: tuple[Array, Array], stake: tuple[Array, Array], params: Params, costs: ContactCosts
) -> dict[str, Estimate]:
    """The margin at which contacting breaks even for half of the customers; nothing where there is nobody, or nothing at stake."""
    if not len(point) or not (stake[0] > 0).any():
        return {}

    def half(p: Array) -> Array:
        spent = costs.contact + (1 - p + params.accept * p) * costs.offer
        with np.errstate(divide="ignore"):
            return np.asarray(np.median(spent / (params.accept * _saved(p, stake)), axis=-1))

    values = [half(p) for p in (point[None, :], *drawn)]
    if not np.isfinite(values[0]).all():
        return {}
    return {"break_even_margin": _held(values, params.level, "share")}


def _held(values: Sequence[Array], level: float, unit: str) -> Estimate:
    """Of a point, draws and two shifts: an estimate whose interval holds the draws at its level, and both shifts."""
    point, drawn, shifted = values
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate.holding(float(point[0]), min(low, shifted.min()), max(high, shifted.max()), level, unit)


def _widened(ends: tuple[float, float, float], least: float, most: float, relative: float = 0.0) -> tuple[float, float, float]:
    """A value and its interval, which reaches to both sides at least so far: absolutely, or as a share of the value."""
    value, low, high = ends
    least = max(least, relative * value)
    return value, max(min(low, value - least), 0.0), min(max(high, value + least), most)


def _count_of(profit: Array) -> Array:
    return np.asarray((profit > 0).sum(axis=-1), dtype=float)


def _sum_of(profit: Array) -> Array:
    return np.asarray(np.where(profit > 0, profit, 0.0).sum(axis=-1))


def _saved(p: Any, stake: tuple[Array, Array]) -> Any:
    """What is saved where every would-be leaver stays: what they would be away with, and no more than can be saved of them at most."""
    return np.minimum(p * stake[0], stake[1])


def _profit(p: Any, stake: tuple[Array, Array], params: Params, costs: ContactCosts) -> Any:
    taken = 1 - p + params.accept * p
    return params.accept * _saved(p, stake) - taken * costs.offer - costs.contact
