"""What past cells of the same offer, list or creative did: each as it was and shrunk, whether effects fade, and the next plan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from crmlab.analyses.campaigns.ids import check_ids
from crmlab.analyses.campaigns.measurement import (
    Measured,
    contrast,
    ends,
    known_cells,
    measured,
    mismatched,
    ratio_of,
)
from crmlab.data.memory.reader import COMPONENTS
from crmlab.data.memory.rules import COSTS
from crmlab.errors import CrmlabError, ModelError
from crmlab.models.intervals import TEST_LEVEL, normal_quantile
from crmlab.models.testing.meta import Fade, Pooled, fade, pool
from crmlab.models.testing.outcomes import Rate
from crmlab.models.testing.power import required_size
from crmlab.page.texts import titled

if TYPE_CHECKING:
    from crmlab.data.memory.campaigns import CampaignMemory
    from crmlab.history.past import History

__all__ = [
    "COLUMNS",
    "GROUPS",
    "GUESSED_RISE",
    "MOST",
    "Brought",
    "Component",
    "Past",
    "past_of",
    "pooled_past",
    "shrunk_to_mean",
]


GUESSED_RISE = (
    0.01  # of the share of people who buy, where no past campaign says anything: one in a hundred more, from none to two
)
MOST = 40  # past campaigns that are measured again, the latest
COLUMNS = (
    "campaign", "cell", "control", "opens", *COMPONENTS, "n", "effect", "error", "profit", "profit_low", "profit_high", "base", "from",
)  # fmt: skip
WHOLE = "campaign"  # the component that stands for all cells of a campaign together
GROUPS = ("component", "value", "campaign", "opens", "k", "n", "effect", "error", "base", "from")
_MORE = ("share", "n_control", "days", "spend", "spend_low", "spend_high", *COSTS)


class Brought(NamedTuple):
    """What the next campaign like some of the past is expected to bring, in the share who buy.

    ``low`` and ``high`` are the ends of its true effect; ``shown`` says whether past campaigns show it to be above 0 at the level of
    tests.
    """

    rise: float
    low: float
    high: float
    shown: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Component:
    """What past campaigns did with one component.

    Attributes
    ----------
    component, value : str
        Such as "offer", "10% off".
    campaigns : DataFrame
        A row per campaign, its cells with this component together: they share a control, and two differences from it are not two
        pieces of evidence. Columns of ``GROUPS``, and raw, raw_low, raw_high, shrunk, low, high of the difference in the share who
        bought.
    pooled : Pooled
    mean : float
        Effect that is expected of the next one: of an offer as :meth:`Past.brought` says, else the mean of past campaigns.
    fade : Fade or None
        None with fewer than three campaigns, or all at one time.
    expected : (float, float)
        Where the next true effect is expected, cut off where a share would be under 0 or over 1.
    size : int or None
        Customers per cell that the next plan needs to find the expected effect; None where that is not above 0.
    """

    component: str
    value: str
    campaigns: pd.DataFrame
    pooled: Pooled
    mean: float
    fade: Fade | None
    expected: tuple[float, float]
    size: int | None

    @property
    def next(self) -> tuple[float, float, float]:
        """What is expected of the next cell with this component, and the ends of the next true effect."""
        return self.mean, min(self.expected[0], self.mean), max(self.expected[1], self.mean)


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """Past cells, those of the campaign looked at among them; by component; and why campaigns are not there.

    Attributes
    ----------
    cells : DataFrame
        A row per cell of the data set with a control, in the order of launch: ``COLUMNS``, and share (who bought), n_control, days
        (of the window), spend (more than in control, per customer) with spend_low and spend_high, cost_per_contact, fixed_cost,
        cost_per_response, discount. Profit is there where margin and the cost of the offer are known.
    groups : DataFrame
        A row per campaign and component, ``GROUPS``: offers, lists and creatives, and the campaign as a whole.
    components : tuple of Component
        Those of at least two campaigns, offers first.
    left_out : tuple of str
        A sentence for each campaign that is not there.
    level : float
        Of intervals.
    """

    cells: pd.DataFrame
    groups: pd.DataFrame
    components: tuple[Component, ...]
    left_out: tuple[str, ...]
    level: float

    def brought(self, offer: str | None) -> Brought | None:
        """What the next cell with an offer is expected to bring, judging by past ones, in the share who buy.

        Campaigns with one offer are averaged by their precision, and offers are pulled to their mean, since the best of several was lucky,
        too. Whatever page speaks of the offer says this.

        Parameters
        ----------
        offer : str or None
            None: whatever was offered.

        Returns
        -------
        Brought or None
            Its ends allow for campaigns to differ as all of them do. None where there is no such campaign.
        """
        if offer is not None:
            return _offers(self.groups, self.level).get(offer)
        every = self._groups(WHOLE, "")
        if len(every) > 1:
            mean, low, high = _component(WHOLE, "", every, self.level).next
            return Brought(mean, low, high, _pooled(every, TEST_LEVEL).low > 0)
        if every.empty:
            return None
        return shrunk_to_mean(every["effect"], every["error"], every.index[0], 0.0, self.level)

    def without(self, campaign: str) -> Past:
        """The same had there not been one of the campaigns: what is to be judged on it must not have been learnt from it."""
        cells, groups = (part[part["campaign"].astype(str) != campaign] for part in (self.cells, self.groups))
        return pooled_past(cells.reset_index(drop=True), groups.reset_index(drop=True), list(self.left_out), self.level)

    def _groups(self, component: str, value: str) -> pd.DataFrame:
        of = self.groups
        return of[(of["component"] == component) & (of["value"] == value)].reset_index(drop=True)


def past_of(
    history: History,
    memory: CampaignMemory,
    *,
    now: Measured | None = None,
    margin: float | None = None,
    level: float = TEST_LEVEL,
    adjust: bool = True,
    min_group: int = 1,
) -> Past:
    """Measure past campaigns of the data set, add those that only the campaign memory knows, and pool them.

    Parameters
    ----------
    history : History
    memory : CampaignMemory
    now : Measured, optional
        The campaign looked at; it is not measured again.
    margin, level, adjust, min_group
        As for the campaign itself.

    Returns
    -------
    Past
        Campaigns of the data set whose windows are over and whose cells are of the sizes planned; those of the memory.

    Raises
    ------
    CustomerKeyError
        Ids of the data set are made with another key than those of a campaign that was launched from it.
    """
    check_ids(memory, history.data.descriptor)
    if history.cells is None or history.contacts is None:
        rows, groups = pd.DataFrame(columns=[*COLUMNS, *_MORE]), pd.DataFrame(columns=list(GROUPS))
        gone: list[str] = []
        known: set[str] = set()
    else:
        cells = known_cells(history.data)
        known = set(cells["campaign_id"].astype(str))
        rows, groups, gone = _measured(history, now, cells, margin=margin, level=level, adjust=adjust, min_group=min_group)
    more = _remembered(memory, known)
    return pooled_past(rows, pd.concat([groups, more], ignore_index=True) if len(more) else groups, gone, level)


def _measured(
    history: History,
    now: Measured | None,
    cells: pd.DataFrame,
    *,
    margin: float | None,
    level: float,
    adjust: bool,
    min_group: int,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Every past cell of the data set whose window is over, campaigns by component, and why campaigns are not there."""
    frames, gone = [], []
    groups: list[dict[str, Any]] = []
    names = [str(name) for name in cells["campaign_id"].unique()]
    if "opens_on" in cells.columns:
        opened = cells.groupby("campaign_id")["opens_on"].min()
        names.sort(key=lambda name: (str(opened[name]), name))
    found: list[Measured] = []
    for name in names[-MOST:]:
        if now is not None and name == now.campaign:
            found.append(now)
            continue
        try:
            found.append(measured(history.data, name, history.as_of, cells=cells, margin=margin, min_group=min_group))
        except CrmlabError as error:
            gone.append(f"The campaign “{titled(name)}” is left out of the history: {error}")
    for one in sorted(found, key=lambda each: (min(each.days["opens"]), each.campaign)):
        if one.is_open:
            if one is not now:
                gone.append(f"The campaign “{titled(one.campaign)}” is left out of the history: its window is still open.")
            continue
        if mismatched(ratio_of(one, cells)):
            gone.append(
                f"The campaign “{titled(one.campaign)}” is left out of the history: something went wrong when it was sent, as its "
                "cells are not of the planned sizes."
            )
            continue
        if not one.varies("response"):
            gone.append(
                f"The campaign “{titled(one.campaign)}” is left out of the history: either all or none of its people bought."
            )
            continue
        frames.append(_rows(one, level, adjust))
        groups += _groups(one)
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*COLUMNS, *_MORE])
    return frame, pd.DataFrame(groups, columns=list(GROUPS)), gone


def _groups(one: Measured) -> list[dict[str, Any]]:
    """The cells of a campaign by component, and all of them: each group less its controls, weighted by size."""
    rows = []
    mine = one.cells[one.cells["control_cell_id"].notna()].assign(**{WHOLE: ""})
    opens = min(one.days["opens"])
    for component in (*COMPONENTS[:3], WHOLE):
        if component not in mine.columns:
            continue
        for value, some in mine[mine[component].notna()].groupby(component):
            names = [str(name) for name in some["cell_id"]]
            n = sum(one.stats[name].n for name in names)
            weights: dict[str, float] = {}
            for name in names:
                share = one.stats[name].n / n
                weights[name] = share
                weights[one.control[name]] = weights.get(one.control[name], 0.0) - share
            effect, error, _ = contrast(one, "response", weights, adjust=False)
            if error <= 0:  # all of these people bought, or none: that has no weight among others
                continue
            base = sum(-w * one.stats[name].mean("response") for name, w in weights.items() if w < 0)
            row = {
                "component": component,
                "value": str(value),
                "campaign": one.campaign,
                "opens": opens,
                "k": len(names),
                "n": n,
            }
            rows.append({**row, "effect": effect, "error": error, "base": base, "from": "data"})
    return rows


def _rows(one: Measured, level: float, adjust: bool) -> pd.DataFrame:
    about, days = one.cells.set_index("cell_id"), one.days.set_index("cell_id")
    rows = []
    for cell, its in one.control.items():
        effect, error, _ = contrast(one, "response", {cell: 1.0, its: -1.0}, adjust=False)
        row: dict[str, Any] = {"campaign": one.campaign, "cell": cell, "control": its, "opens": days.at[cell, "opens"]}
        for name in COMPONENTS:
            value = about.at[cell, name] if name in about.columns else None
            row[name] = None if value is None or pd.isna(value) else str(value)
        row |= {
            "n": one.stats[cell].n,
            "effect": effect,
            "error": error,
            "profit": None,
            "profit_low": None,
            "profit_high": None,
        }
        if one.varies("margin") and one.margin.known and cell not in one.unpriced:
            profit, spread, freedom = contrast(one, "profit", {cell: 1.0, its: -1.0}, adjust=adjust)
            low, high, _ = ends(profit, spread, freedom, level)
            row |= {"profit": profit, "profit_low": low, "profit_high": high}
        row |= {"spend": None, "spend_low": None, "spend_high": None, "n_control": one.stats[its].n}
        if one.varies("spend"):
            spend, spread, freedom = contrast(one, "spend", {cell: 1.0, its: -1.0}, adjust=adjust)
            low, high, _ = ends(spend, spread, freedom, level)
            row |= {"spend": spend, "spend_low": low, "spend_high": high}
        row |= {"share": one.stats[cell].mean("response"), "days": (days.at[cell, "closes"] - days.at[cell, "opens"]).days + 1}
        for name in COSTS:
            value = about.at[cell, name] if name in about.columns else None
            row[name] = None if value is None or pd.isna(value) else float(value)
        rows.append({**row, "base": one.stats[its].mean("response"), "from": "data"})
    return pd.DataFrame(rows, columns=[*COLUMNS, *_MORE])


def _remembered(memory: CampaignMemory, known: set[str]) -> pd.DataFrame:
    """Past campaigns of the campaign memory that are not in the data set, by component.

    Cells of one campaign with the same component are taken for one, as sure as they are on the average: the memory does not say how
    they go together.
    """
    rows: list[dict[str, Any]] = []
    if memory.headers(kind="results"):
        for component in (*COMPONENTS[:3], WHOLE):
            # As a whole: the cells of which the memory knows what they offered.
            past = memory.history("offer").assign(value="") if component == WHOLE else memory.history(component)
            if "error" not in past.columns or "estimate" not in past.columns:
                continue
            error, wanted = pd.to_numeric(past["error"]), past["metric"] == "response"
            past = past[wanted & ~past["campaign_id"].isin(known) & (error > 0) & past["estimate"].notna()]
            for (value, campaign), some in past.groupby(["value", "campaign_id"]):
                n = some["n"].to_numpy(dtype=float)
                opens = some["opens_on"].dropna()
                base = some["mean_control"].dropna() if "mean_control" in some else pd.Series(dtype=float)
                rows.append(
                    {
                        "component": component,
                        "value": str(value),
                        "campaign": str(campaign),
                        "opens": pd.Timestamp(opens.min()).date() if len(opens) else None,
                        "k": len(some),
                        "n": int(n.sum()),
                        "effect": float(n @ some["estimate"].to_numpy(dtype=float) / n.sum()),
                        "error": float(n @ some["error"].to_numpy(dtype=float) / n.sum()),
                        "base": float(base.iloc[0]) if len(base) else None,
                        "from": "memory",
                    }
                )
    return pd.DataFrame(rows, columns=list(GROUPS))


def pooled_past(cells: pd.DataFrame, groups: pd.DataFrame, left_out: list[str], level: float) -> Past:
    """Pool past campaigns by offer, list and creative.

    Parameters
    ----------
    cells, groups, left_out, level
        As in :class:`Past`.

    Returns
    -------
    Past
        A list or creative that is the same in every cell tells nothing and is not
        there.
    """
    out, offers = [], _offers(groups, level)
    for component in COMPONENTS[:3]:
        mine = groups[groups["component"] == component]
        values = sorted(mine["value"].unique())
        if len(values) == 1 and component != "offer":
            continue
        for value in values:
            some = mine[mine["value"] == value].reset_index(drop=True)
            if len(some) >= 2:
                out.append(
                    _component(component, str(value), some, level, offers.get(str(value)) if component == "offer" else None)
                )
    return Past(cells=cells, groups=groups, components=tuple(out), left_out=tuple(left_out), level=level)


def _pooled(campaigns: pd.DataFrame, level: float) -> Pooled:
    return pool(campaigns["effect"].to_numpy(dtype=float), campaigns["error"].to_numpy(dtype=float), level)


def _offers(groups: pd.DataFrame, level: float) -> dict[str, Brought]:
    """What the next campaign with each offer is expected to bring."""
    of = groups[groups["component"] == "offer"]
    if of.empty:
        return {}
    effects, errors = of["effect"].astype(float), of["error"].astype(float)
    weight = errors**-2
    sums = pd.DataFrame({"weight": weight, "weighted": weight * effects}).groupby(of["value"].astype(str)).sum()
    means, spreads = sums["weighted"] / sums["weight"], sums["weight"] ** -0.5
    # Campaigns with one offer may differ as much as all of them do.
    between = pool(effects.to_numpy(), errors.to_numpy(), level).tau if len(of) > 1 else 0.0
    return {str(name): shrunk_to_mean(means, spreads, name, between, level) for name in means.index}


def shrunk_to_mean(effects: pd.Series, errors: pd.Series, name: Any, between: float, level: float) -> Brought:
    """One of several effects, pulled to their mean, since the best of several was lucky, too; the ends are those of the next like it.

    Parameters
    ----------
    effects, errors : Series
        Each with its standard error, by name.
    name : Hashable
        The one that is asked for.
    between : float
        Standard deviation of true effects between campaigns that are alike.
    level : float
        Of the ends. It is shown where its own interval, at the level of tests, lies above 0.

    Examples
    --------
    >>> found = shrunk_to_mean(pd.Series({"gift": 0.05, "10%": 0.01}), pd.Series({"gift": 0.01, "10%": 0.01}), "gift", 0.0, 0.9)
    >>> round(found.rise, 4), found.shown
    (0.0475, True)
    """
    rise, half = float(effects[name]), normal_quantile(level) * float(errors[name])
    least = rise - normal_quantile(TEST_LEVEL) * float(errors[name])
    if len(effects) > 1:
        row, test = (
            pool(effects.to_numpy(dtype=float), errors.to_numpy(dtype=float), at).effects.set_index(effects.index).loc[name]
            for at in (level, TEST_LEVEL)
        )
        rise, half, least = float(row["shrunk"]), float(row["high"] - row["low"]) / 2, float(test["low"])
    half = math.hypot(half, normal_quantile(level) * between)
    return Brought(rise, rise - half, rise + half, least > 0)


def _component(component: str, value: str, campaigns: pd.DataFrame, level: float, brought: Brought | None = None) -> Component:
    effects, errors = campaigns["effect"].to_numpy(dtype=float), campaigns["error"].to_numpy(dtype=float)
    pooled = _pooled(campaigns, level)
    times = pd.to_datetime(campaigns["opens"])
    fading = None
    if len(campaigns) >= 3 and times.notna().all() and times.nunique() > 1:
        years = (times - times.min()).dt.days.to_numpy(dtype=float) / 365.25
        fading = fade(effects, errors, years, level)
    bases = campaigns["base"].dropna().astype(float)
    base = float(bases.mean()) if len(bases) else 0.0
    mean, low, high = (pooled.mean, pooled.next_low, pooled.next_high) if brought is None else brought[:3]
    expected = (max(low, -base), min(high, 1 - base)) if base > 0 else (low, high)
    size = None
    if mean > 0 and base > 0:
        try:
            size = required_size(Rate(base), min(mean, 1 - base - 1e-6)).per_cell
        except ModelError:
            size = None
    return Component(
        component=component,
        value=value,
        campaigns=pd.concat([campaigns, pooled.effects], axis=1),
        pooled=pooled,
        mean=mean,
        fade=fading,
        expected=expected,
        size=size,
    )
