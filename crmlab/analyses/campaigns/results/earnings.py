"""What a campaign earned: incremental profit of all of it and of each cell, return on what it cost, break-even cost; its components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from crmlab.analyses.campaigns.measurement import Measured, contrast, covariates_of, ends, overall
from crmlab.data.memory.reader import COMPONENTS
from crmlab.errors import ModelError
from crmlab.models.testing.factorials import factorial_effects
from crmlab.page.result import Estimate

__all__ = ["Money", "components_of", "money"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Money:
    """What a campaign earned.

    Attributes
    ----------
    contacts : int
        In cells with a control.
    cost : float
        Of all of them.
    profit, margin : Estimate or None
        Incremental, of the whole campaign; profit is after its costs. None where nobody's spend differs.
    p_value : float or None
        That profit is 0.
    response : Estimate
        Difference of the share who bought, mean over contacts.
    share, share_control : float
        Who bought, of people contacted and of controls weighted alike.
    cells : DataFrame
        A row per cell with a control: cell, name, n, cost, then value, low and high of response (difference), margin and profit per
        contact, and of the cell (total), roi, break_even (cost per contact); detectable (profit per contact) and
        detectable_response. Intervals hold for all cells at once where corrected.
    """

    contacts: int
    cost: float
    profit: Estimate | None
    margin: Estimate | None
    p_value: float | None
    response: Estimate
    response_p: float
    share: float
    share_control: float
    cells: pd.DataFrame

    @property
    def earned(self) -> pd.DataFrame:
        """Cells that are shown to have earned more than they cost."""
        return self.cells[[low is not None and low > 0 for low in self.cells["profit_low"]]]


def money(found: Measured, frame: pd.DataFrame, *, level: float, adjust: bool, unit: str) -> Money:
    """Work out what a campaign earned.

    Parameters
    ----------
    found : Measured
    frame : DataFrame
        As :func:`compared` gives it.
    level : float
        Of the whole campaign's intervals.
    adjust : bool
    unit : str
        Currency.

    Returns
    -------
    Money
    """
    treated = found.treated
    cost_of = dict(zip(found.cells["cell_id"], found.cells["cost"], strict=True))
    contacts = sum(found.stats[cell].n for cell in treated)
    cost = sum(found.stats[cell].n * float(cost_of[cell]) for cell in treated)
    weights = overall(found)
    profit = margin = None
    p_value = None
    if found.varies("margin"):
        value, error, freedom = contrast(found, "profit", weights, adjust=adjust)
        low, high, p_value = ends(value, error, freedom, level)
        profit = Estimate(value, low, high, level, unit)
        value, error, freedom = contrast(found, "margin", weights, adjust=adjust)
        margin = Estimate(value, *ends(value, error, freedom, level)[:2], level, unit)
    each = {cell: weight / contacts for cell, weight in weights.items()}
    value, error, freedom = contrast(found, "response", each, adjust=False)
    low, high, p = ends(value, error, freedom, level)
    share = sum(w * found.stats[cell].mean("response") for cell, w in each.items() if w > 0)
    response = Estimate(value, low, high, level, "share")
    rows = [_cell(found, frame, cell, cost_of) for cell in treated]
    return Money(
        contacts=contacts,
        cost=cost,
        profit=profit,
        margin=margin,
        p_value=p_value,
        response=response,
        response_p=p,
        share=share,
        share_control=share - value,
        cells=pd.DataFrame(rows),
    )


def _cell(found: Measured, frame: pd.DataFrame, cell: str, cost_of: dict[str, float]) -> dict[str, Any]:
    n, its = found.stats[cell].n, found.control[cell]
    extra = float(cost_of[cell]) - float(cost_of[its])  # what a contact cost more than a control
    about = found.cells.set_index("cell_id").loc[cell]
    row: dict[str, Any] = {"cell": cell, "name": found.name(cell), "control": its, "n": n, "cost": n * float(cost_of[cell])}
    by = frame[frame["cell"] == cell].set_index("metric")
    for metric in ("response", "margin", "profit"):
        for part, column in (("", "estimate"), ("_low", "low"), ("_high", "high")):
            row[metric + part] = float(by.at[metric, column]) if metric in by.index else None
    row["detectable"] = float(by.at["profit", "detectable"]) if "profit" in by.index else None
    row["detectable_response"] = float(by.at["response", "detectable"]) if "response" in by.index else None
    for part in ("", "_low", "_high"):
        profit = row["profit" + part]
        row["total" + part] = None if profit is None else n * profit
        row["roi" + part] = None if profit is None or extra <= 0 else profit / extra
        row["break_even" + part] = None if profit is None else profit + float(about["per_contact"])
        row["per_1000" + part] = None if profit is None else 1000 * profit
    row["nothing"] = -1000 * extra  # profit per 1,000 of a cell that causes nothing
    return row


def components_of(found: Measured, *, level: float, correction: str, adjust: bool) -> tuple[pd.DataFrame | None, str, int]:
    """Main effects and interactions of what cells are made of, for response and profit.

    Parameters
    ----------
    found : Measured
    level, correction
        As in :func:`crmlab.models.testing.factorials.factorial_effects`.
    adjust : bool

    Returns
    -------
    (frame, reason, order)
        effect, levels, order, then response, profit (per contact), each with _low, _high, _detectable; None, and why, where cells do
        not tell components apart. Order 2: with interactions.
    """
    factors = [name for name in COMPONENTS if name in found.components]
    controls = pd.Series(list(found.control.values())).value_counts()
    shared = str(sorted(controls[controls == controls.max()].index)[0])
    mine = found.cells[(found.cells["control_cell_id"] == shared)]
    factors = [name for name in factors if mine[name].nunique() > 1 and mine[name].notna().all()]
    if not factors:
        return (
            None,
            "The cells of this campaign do not differ in offer, list, creative or channel, or each has a control of its own.",
            0,
        )
    parts = {str(row["cell_id"]): {name: str(row[name]) for name in factors} for row in mine.to_dict("records")}
    reason = ""
    for order in (2, 1) if len(factors) > 1 else (1,):
        try:
            return _effects(found, parts, order, level, correction, adjust), "", order
        except ModelError as error:
            reason = str(error)
    return None, f"The components cannot be told apart. {reason}", 0


def _effects(
    found: Measured, parts: dict[str, dict[str, str]], order: int, level: float, correction: str, adjust: bool
) -> pd.DataFrame:
    out: pd.DataFrame | None = None
    for metric in [name for name in ("response", "profit") if found.varies(name)]:
        frame = factorial_effects(
            found.stats,
            parts,
            metric,
            adjust=covariates_of(found, metric, adjust=adjust),
            order=order,
            correction=correction,
            level=level,
        )
        named = {
            "estimate": metric,
            "low": f"{metric}_low",
            "high": f"{metric}_high",
            "detectable": f"{metric}_detectable",
            "p_adjusted": f"{metric}_p",
        }
        mine = frame[["effect", "levels", "order", *named]].rename(columns=named)
        out = mine if out is None else out.merge(mine, on=["effect", "levels", "order"], validate="one_to_one")
    if out is None:
        raise ModelError.does_not_vary("response", 0.0)
    return out
