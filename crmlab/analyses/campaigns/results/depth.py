"""Who was worth contacting: profit by depth of the list, ranked by scores fitted on other customers, and effects by segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.measurement import Measured
from crmlab.analyses.campaigns.moments import cell_statistics, state_moments
from crmlab.collecting import collect_arrow
from crmlab.errors import ModelError
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.uplift import Depth, Segments, depth_curve, segment_uplift

__all__ = ["Ranked", "ranked"]


FOLDS = 4
RECENCY = ("bought in the 90 days before", "bought 91 to 365 days before", "did not buy in the year before")
_STATE = ["recency", "buys"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """Who was worth contacting.

    Attributes
    ----------
    depth : Depth or None
    states : DataFrame
        recency, buys, n, score (mean over folds): the ranking.
    segments : Segments or None
        Effect on margin per contact by recency, before offers; on revenue where no margin is known.
    reason : dict of str to str
        Why depth or segments are not there.
    """

    depth: Depth | None
    states: pd.DataFrame
    segments: Segments | None
    reason: dict[str, str]


def ranked(found: Measured, *, level: float, correction: str, seed: int, min_group: int) -> Ranked:
    """Rank customers by what a contact is expected to add, as other customers' outcomes say, and see what came of it.

    Customers are scored by state: how lately and how often they bought before. Each quarter of the households is scored by what
    contacts added to the others', shrunk to the mean as far as states differ by chance.

    Parameters
    ----------
    found : Measured
    level, correction
        Of intervals.
    seed : int
        Decides which households are scored together.
    min_group : int
        Segments with fewer customers in an arm are left out.

    Returns
    -------
    Ranked
    """
    reason: dict[str, str] = {}
    controls = pd.Series(list(found.control.values())).value_counts()
    shared = str(sorted(controls[controls == controls.max()].index)[0])
    treated = [cell for cell, its in found.control.items() if its == shared]
    depth, states = None, pd.DataFrame(columns=[*_STATE, "n", "score"])
    if not found.varies("margin"):
        why = "Everybody spent the same: there is nothing to rank by."
        return Ranked(depth=None, states=states, segments=None, reason={"depth": why, "segments": why})
    mine = found.table.filter(found.table["cell_id"].isin([*treated, shared]))
    # In a fixed order: floats are added up below.
    sums = state_moments(mine, "after_offer", f"campaign_results {seed}")
    frame = collect_arrow(sums, ("cell_id", "part", *_STATE)).to_pandas()
    frame["arm"] = np.where(frame["cell_id"] == shared, "control", "treated")
    frame["fold"] = [int(part, 16) % FOLDS for part in frame["part"]]
    cost = _mean_cost(found, treated, shared)
    try:
        parts, states = _slices(frame)
        depth = depth_curve(parts, cost=cost, level=level)
    except ModelError:
        reason["depth"] = "Customers cannot be ranked: there are too few, or nothing is known about them from before."
    segments = None
    try:
        segments = _segments(found, treated, shared, level, correction, min_group)
    except ModelError:
        reason["segments"] = "There are no two segments, by how recently people had bought, that could be compared."
    return Ranked(depth=depth, states=states, segments=segments, reason=reason)


def _mean_cost(found: Measured, treated: list[str], control: str) -> float:
    """Cost of one more contact: fixed costs do not depend on depth."""
    if not found.margin.known:  # what is told is revenue
        return 0.0
    each = found.cells.set_index("cell_id")["per_contact"]
    n = np.array([found.stats[cell].n for cell in treated], dtype=float)
    return float(n @ np.array([float(each[cell]) for cell in treated]) / n.sum() - float(each[control]))


def _slices(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums per state and fold, best score first; slices in which an arm is too small go together with the next."""
    named = frame.rename(columns={"total": "sum"}).astype({"n": float})
    sums = named.pivot_table(
        index=["fold", *_STATE], columns="arm", values=["n", "sum", "squares"], aggfunc="sum", fill_value=0.0
    )
    sums.columns = [f"{what}_{arm}" for what, arm in sums.columns]
    sums = sums.reset_index()
    for column in [f"{what}_{arm}" for what in ("n", "sum", "squares") for arm in ("treated", "control")]:
        if column not in sums:
            sums[column] = 0.0
    sums["score"] = 0.0
    for fold in range(FOLDS):
        scores = _scores(sums[sums["fold"] != fold])
        inside = sums["fold"] == fold
        sums.loc[inside, "score"] = [
            scores.get((a, b), 0.0) for a, b in zip(sums.loc[inside, "recency"], sums.loc[inside, "buys"], strict=True)
        ]
    sums = sums.sort_values(["score", "fold", *_STATE], ascending=[False, True, True, True], ignore_index=True)
    states = (
        sums.assign(n=sums["n_treated"] + sums["n_control"], weight=lambda t: t["score"] * t["n"])
        .groupby(_STATE, as_index=False)[["n", "weight"]]
        .sum()
    )
    states["score"] = states["weight"] / states["n"]
    states = states.drop(columns="weight").sort_values(["score", *_STATE], ascending=[False, True, True], ignore_index=True)
    if sums["score"].nunique() < 2:
        raise ModelError.expected("depth_curve", "score", "different between customers", "the same for all")
    # Customers with one score stay in one slice, so that ties do not depend on the order of rows.
    size = (sums["n_treated"] + sums["n_control"]).groupby(sums["score"]).transform("sum")
    down = size.groupby(sums["score"]).first().sort_index(ascending=False).cumsum()
    sums["slice"] = np.minimum(np.ceil(sums["score"].map(down) / down.iloc[-1] * 20), 20).astype(int)
    measures = [column for column in sums.columns if column.startswith(("n_", "sum_", "squares_"))]
    parts = sums.groupby("slice", as_index=False)[measures].sum()
    group, groups, n1, n0 = 0, [], 0.0, 0.0
    for a, b in zip(parts["n_treated"], parts["n_control"], strict=True):
        groups.append(group)
        n1, n0 = n1 + a, n0 + b
        if min(n1, n0) >= 10:
            group, n1, n0 = group + 1, 0.0, 0.0
    return parts.assign(slice=groups).groupby("slice", as_index=False)[measures].sum(), states


def _scores(sums: pd.DataFrame) -> dict[object, float]:
    """What contacts added in each state beyond their mean, shrunk by how much states differ beyond chance.

    The mean itself is no part of a score: those of two folds differ by chance, and a fold with a low mean among the others has a
    high one itself. Where states differ no more than by chance they are still ranked, by a tenth of their variance.
    """
    by = sums.groupby(_STATE)[[c for c in sums.columns if c.startswith(("n_", "sum_", "squares_"))]].sum()
    some = by[(by["n_treated"] >= 2) & (by["n_control"] >= 2)]
    total = by.sum()
    if total["n_treated"] < 2 or total["n_control"] < 2:
        return {}
    mean = float(total["sum_treated"] / total["n_treated"] - total["sum_control"] / total["n_control"])
    effect = some["sum_treated"] / some["n_treated"] - some["sum_control"] / some["n_control"]
    variance = sum(
        (some[f"squares_{arm}"] - some[f"sum_{arm}"] ** 2 / some[f"n_{arm}"]) / (some[f"n_{arm}"] * (some[f"n_{arm}"] - 1))
        for arm in ("treated", "control")
    )
    sure = variance[variance > 0]
    if len(sure) < 2:
        return {}
    weight = 1 / sure
    gap = effect[sure.index] - mean
    q = float((weight * gap**2).sum())
    tau2 = (q - (len(sure) - 1)) / float(weight.sum() - (weight**2).sum() / weight.sum())  # DerSimonian and Laird (1986)
    tau2 = max(tau2, float(sure.median()) / 10)
    return {state: tau2 / (tau2 + float(sure[state])) * float(gap[state]) for state in sure.index}


def _segments(found: Measured, treated: list[str], control: str, level: float, correction: str, min_group: int) -> Segments:
    """Effect on margin by how lately people had bought."""
    import ibis

    table = found.table
    arm = ibis.ifelse(table["cell_id"] == control, "0", "1")
    recency = ibis.ifelse(table["recent"] == 1, "0", ibis.ifelse(table["ever"] == 1, "1", "2"))
    mine = table.filter(table["cell_id"].isin([*treated, control])).mutate(segment=recency + arm)
    stats = cell_statistics(mine, ["margin"], by="segment", household="unit")
    pairs: dict[str, tuple[CellStatistics, CellStatistics]] = {}
    for place, words in enumerate(RECENCY):
        one, base = stats.get(f"{place}1"), stats.get(f"{place}0")
        if one is not None and base is not None and min(one.n, base.n, one.units, base.units) >= max(min_group, 2):
            pairs[words] = (one, base)
    if len(pairs) < 2:
        raise ModelError.expected("segment_uplift", "segments", "at least two of enough customers", list(pairs))
    return segment_uplift(pairs, "margin", correction=correction, level=level)
