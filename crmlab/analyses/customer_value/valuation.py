"""What a customer base is worth all together and by group, each sum with an interval: one recipe for every page that adds values up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.customer_value.averaging import averaged
from crmlab.analyses.customer_value.scoring import most_to_spend
from crmlab.analyses.customer_value.tiers import TIER_WORDS, TIERS
from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.portfolios import Measure, Worth, portfolio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from crmlab.analyses.customer_value.scoring import Scores

__all__ = ["ALL", "Valuation", "measured", "purchases_within", "sums", "value_customers", "value_within"]

ALL = "all"
_SUMS = ("value", "if_loyal", "value_today", "at_risk")
_MONEY = (*_SUMS, "if_known", "value_each", "most_to_spend")
_NOT_SEEN = ("value_today", "at_risk", "most_to_spend", "alive")  # means nothing where drop-out cannot be seen


@dataclass(frozen=True, kw_only=True, eq=False)
class Valuation:
    """What a customer base is worth.

    Attributes
    ----------
    horizon : float
        Of the value shown: infinite, or finite where drop-out cannot be seen.
    ahead : float
        Periods over which purchases are expected.
    customers : DataFrame
        As ``customers`` of :class:`crmlab.analyses.customer_value.scoring.Scores`.
    sums : DataFrame
        By tier, and of all: as of :func:`sums`.
    near, purchases, alive : Series
        value, low, high: value within ``ahead``, purchases within it, and how many are customers still.
    if_known : Series
        value, low, high: the value of all, if season and level were known for certain. What its interval lacks of that of the value is
        the part that comes from them.
    tiers : DataFrame
        The rows of ``sums`` that are tiers, with their names, and ``share``, of customers.
    """

    horizon: float
    ahead: float
    customers: pd.DataFrame
    sums: pd.DataFrame
    near: pd.Series
    purchases: pd.Series
    alive: pd.Series
    if_known: pd.Series
    tiers: pd.DataFrame


def value_customers(scores: Scores) -> Valuation:
    """Add up what customers are worth, all together and by tier, each sum with an interval."""
    fit, ahead = scores.fit, scores.ahead
    found = sums(scores, scores.points["tier"].to_numpy(object))
    people, total = len(fit.summary), found.loc[ALL]
    ends = ["value", "low", "high"]
    alive = pd.Series([float(people * total[f"alive{end}"]) for end in ("", "_low", "_high")], index=ends)
    reaching, known = (
        pd.Series(total[[name, f"{name}_low", f"{name}_high"]].to_numpy(), index=ends) for name in ("value", "if_known")
    )
    tiers = found.drop(index=ALL).reindex([name for name in TIERS if name in found.index])
    return Valuation(
        horizon=scores.horizon,
        ahead=ahead,
        customers=scores.customers,
        sums=found,
        near=value_within(scores, ahead) if fit.seen else reaching,
        purchases=purchases_within(scores, ahead),
        alive=alive,
        if_known=known,
        tiers=tiers.assign(tier=[f"{name}: {TIER_WORDS[name]}" for name in tiers.index], share=tiers["customers"] / people),
    )


def purchases_within(scores: Scores, horizon: float) -> pd.Series:
    """Purchases of all customers within a horizon, in periods: value, low, high of the number that will be seen, chance included."""

    def told(model: CustomerValue) -> pd.DataFrame:
        bought = model.fitted_models()[0]
        return _as_row(bought.expected_total(scores.fit.summary, horizon, level=scores.level, interval="outcome"))

    return _total(scores, told, money=False)


def value_within(scores: Scores, horizon: float) -> pd.Series:
    """Value of all customers within a horizon, in periods: value, low, high of the sum that will be seen, chance included."""

    def told(model: CustomerValue) -> pd.DataFrame:
        return _as_row(model.total(scores.fit.summary, horizon, level=scores.level, interval="outcome"))

    return _total(scores, told, money=True)


def _as_row(found: pd.Series) -> pd.DataFrame:
    return pd.DataFrame([found.to_numpy()], columns=["value", "low", "high"])


def _total(scores: Scores, told: Callable[[CustomerValue], pd.DataFrame], *, money: bool) -> pd.Series:
    """What is told of all customers, by the models that may be right, and at least as wide as what was missed."""
    value, low, high = (float(end) for end in averaged(scores.fit.model, scores.alternatives, told, scores.level).iloc[0])
    ends = scores.miss.widened(value, low, high, money=money)
    return pd.Series([value, *ends], index=["value", "low", "high"])


def measured(scores: Scores, summary: pd.DataFrame, measures: Mapping[str, Measure]) -> pd.DataFrame:
    """Work out measures over customers, with intervals that take in what models say that the data do not tell apart.

    Parameters
    ----------
    scores : Scores
        Whose models, horizons and level are used.
    summary : DataFrame
        The customers: those of ``scores``, or others beside them.
    measures : mapping of str to Measure

    Returns
    -------
    DataFrame
        As of :func:`crmlab.models.btyd.customer_value.portfolio`.
    """
    year = scores.base.words.year

    def told(model: CustomerValue) -> pd.DataFrame:
        return portfolio(model, summary, measures, scores.horizon, ahead=scores.ahead, year=year, level=scores.level)

    return averaged(scores.fit.model, scores.alternatives, told, scores.level)


def sums(scores: Scores, groups: npt.NDArray[np.object_] | None = None) -> pd.DataFrame:
    """Add up what customers are worth by group, each sum with an interval. Whoever shows a sum of values asks here.

    Sums are of the values in the list, to the cent. Intervals of value carry chance and what is not known of the parameters; of all
    others the second alone. Those of money and purchases also carry what is not known of season and level over the time they look
    ahead (more of it, the fewer years it was learnt from: :attr:`crmlab.models.btyd.clock.Clock.doubt`), and reach at least as far as
    the forecast missed in the holdout period; shares do neither. All take in what other models say that the holdout period does not
    tell apart from the one that is used (:mod:`crmlab.analyses.customer_value.averaging`).

    Parameters
    ----------
    scores : Scores
    groups : array of str of shape (n_customers,), optional
        Group of each customer, in the order of ``scores.points``; default: none.

    Returns
    -------
    DataFrame
        Indexed by group, sorted, and at the end :data:`ALL`: customers; and each with ends (``_low``, ``_high``): value, if_known (the
        same, if season and level were known for certain), if_loyal, value_today, at_risk (sums), value_share (of all value), value_each,
        purchases, alive (means), and most_to_spend (mean of those who may be contacted; missing where nobody may). What needs P(alive)
        is missing where drop-out cannot be seen.

    Examples
    --------
    >>> import crmlab
    >>> from crmlab.analyses.customer_value import Params, scores
    >>> from crmlab.history.past import History
    >>> found = sums(scores(History(crmlab.open_dataset("cdnow_sample")), Params(model="mbg_nbd", margin=0.4)))
    >>> found.loc["all", ["if_loyal", "value_today", "at_risk"]].round(-3).astype(int).tolist()
    [46000, 28000, 18000]
    """
    points, n = scores.points, len(scores.points)
    members = {} if groups is None else {name: groups == name for name in sorted(set(groups))}
    members[ALL] = np.ones(n, dtype=bool)
    measures: dict[str, Measure] = {}
    for name, member in members.items():
        measures |= {f"{key} {name}": measure for key, measure in _measures(member, scores).items()}
    found = measured(scores, scores.fit.summary, measures)
    rows = {}
    for name, member in members.items():
        exact = {key: round(float(points.loc[member, key].sum()), 2) for key in _SUMS}
        exact |= {
            "if_known": exact["value"],
            "value_each": exact["value"] / member.sum(),
            "most_to_spend": _mean_of(points["most_to_spend"].to_numpy(float), member & ~scores.blocked),
        }
        exact["value_share"] = exact["value"] / total if (total := float(points["value"].sum())) > 0 else np.nan
        nothing = {f"most_to_spend{end}": np.nan for end in ("", "_low", "_high")}
        row: dict[str, float] = {"customers": int(member.sum()), **nothing}
        for key in _measures(member, scores):
            row |= _ends(scores, key, exact.get(key), found.loc[f"{key} {name}"])
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").astype({"customers": "int64"}).rename_axis("group")


def _measures(member: npt.NDArray[np.bool_], scores: Scores) -> dict[str, Measure]:
    """What is worked out of some customers, and how far ahead each looks: so far season and level may be other than was learnt."""
    year, blocked = scores.base.words.year, scores.blocked

    def total(of: Callable[[Worth], npt.NDArray[np.float64]], ahead: float | None = None, outcome: str = "mean") -> Measure:
        return Measure(lambda worth: float(of(worth)[member].sum()), outcome, member, ahead)

    def mean(of: Callable[[Worth], npt.NDArray[np.float64]], ahead: float | None = None) -> Measure:
        return Measure(lambda worth: float(of(worth)[member].mean()), ahead=ahead)

    def spent(worth: Worth) -> float:
        return _mean_of(most_to_spend(worth.alive, worth.at_risk, worth.value, blocked), allowed)

    allowed = member & ~blocked
    # Where nobody may be contacted there is no mean, and nothing is to be told of it.
    spending = {"most_to_spend": Measure(spent, ahead=year)} if allowed.any() else {}

    return {
        "value": total(lambda worth: worth.value, scores.horizon, "outcome"),
        "if_known": total(lambda worth: worth.value, None, "outcome"),
        "if_loyal": total(lambda worth: worth.if_loyal, year),
        "value_today": total(lambda worth: worth.value_today, year),
        "at_risk": total(lambda worth: worth.at_risk, year),
        "value_share": Measure(lambda worth: float(worth.value[member].sum()) / max(float(worth.value.sum()), 1e-300)),
        "value_each": mean(lambda worth: worth.value, scores.horizon),
        "purchases": mean(lambda worth: worth.purchases, scores.ahead),
        "alive": mean(lambda worth: worth.alive),
        **spending,
    }


def _mean_of(amounts: npt.NDArray[np.float64], some: npt.NDArray[np.bool_]) -> float:
    """The mean of some of them; not a number where there are none."""
    return float(amounts[some].mean()) if some.any() else np.nan


def _ends(scores: Scores, key: str, exact: float | None, found: pd.Series) -> dict[str, float]:
    """A number and the ends of its interval: those of the model, moved to the number in the list, and for money to what was missed."""
    value, low, high = (float(one) for one in found)
    if not scores.fit.seen and key in _NOT_SEEN:
        return {key: np.nan, f"{key}_low": np.nan, f"{key}_high": np.nan}
    if exact is not None:
        moved = exact / value if value > 0 else 1.0
        value, low, high = exact, min(low * moved, exact), max(high * moved, exact)
    if key in _MONEY or key == "purchases":
        low, high = scores.miss.widened(value, low, high, money=key in _MONEY)
    else:
        high = min(high, 1.0)  # intervals of positive numbers know no upper end: of shares there is one
    return {key: value, f"{key}_low": low, f"{key}_high": high}
