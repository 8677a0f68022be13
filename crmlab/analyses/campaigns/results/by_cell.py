"""What each cell of a campaign earned: incremental profit, return on its cost, break-even cost; and the components of cells."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pandas as pd

from crmlab.analyses.campaigns.earnings import Earned, break_even_offers, earned, spent_on
from crmlab.analyses.campaigns.looks import BOUNDARY, look_of, looked
from crmlab.analyses.campaigns.measurement import Measured, compared, covariates_of
from crmlab.data.memory.campaigns import open_memory
from crmlab.data.memory.reader import COMPONENTS
from crmlab.errors import ModelError
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.testing.factorials import factorial_effects

__all__ = ["CellEarnings", "cell_earnings", "components_of", "final_cells", "gain_of", "scale_of", "scale_word"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CellEarnings:
    """What a campaign earned, cell by cell.

    Attributes
    ----------
    whole : Earned
        All of it.
    cells : DataFrame
        A row per cell with a control: cell, name, n, cost (contacts, fixed costs and offers taken), priced (whether the offer's cost is
        known), then value, low and high of response (difference), margin and profit per contact, and of the cell (total), roi,
        break_even (cost per contact), may_cost (the offer, for each who buys; of cells that are not priced); detectable (profit per
        contact) and detectable_response; scaled and nothing (profit, and what it would be of a cell that causes nothing, of ``scale``
        contacts). Intervals hold for all cells at once where corrected. Where no margin is known, profit is
        revenue, before all costs.
    """

    whole: Earned
    cells: pd.DataFrame

    @property
    def scale(self) -> int:
        """So many contacts is what cells are compared by."""
        return scale_of(int(self.cells["n"].min()))

    @property
    def earned(self) -> pd.DataFrame:
        """Cells that are shown to have earned more than they cost, offers and all."""
        rows = zip(self.cells["profit_low"], self.cells["priced"], strict=True)
        return self.cells[[priced and low is not None and low > 0 for low, priced in rows]]


def scale_of(least: int) -> int:
    """So many contacts that the smallest of the groups that are compared has as many: 1,000, 100, or one.

    Examples
    --------
    >>> scale_of(4200), scale_of(399), scale_of(12)
    (1000, 100, 1)
    """
    return next(scale for scale in (1000, 100, 1) if least >= scale or scale == 1)


def scale_word(scale: int) -> str:
    """A number of contacts behind a sum of money.

    Examples
    --------
    >>> scale_word(1000), scale_word(1)
    ('per 1,000 contacts', 'per contact')
    """
    return "per contact" if scale == 1 else f"per {scale:,} contacts"


def cell_earnings(found: Measured, frame: pd.DataFrame, *, level: float, adjust: bool, unit: str) -> CellEarnings:
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
    CellEarnings
    """
    scale = scale_of(min(found.stats[cell].n for cell in found.treated))
    cells = pd.DataFrame([_cell(found, frame, cell, scale) for cell in found.treated])
    return CellEarnings(
        whole=earned(found, level=level, adjust=adjust, unit=unit), cells=_with_offers(found, frame, cells, adjust)
    )


def final_cells(found: Measured, as_of: dt.date) -> pd.DataFrame:
    """What each cell of a campaign whose window is over earned, for all cells at once, as the report on campaign results has it.

    Parameters
    ----------
    found : Measured
    as_of : datetime.date

    Returns
    -------
    DataFrame
        :attr:`CellEarnings.cells`; empty where nobody's margin differs.
    """
    if not found.varies("margin"):
        return pd.DataFrame(columns=["cell", "priced", "profit_low", "profit_high"])
    look = look_of(found, as_of, TEST_LEVEL, None, BOUNDARY, looked(open_memory(), found.campaign))
    return cell_earnings(found, compared(found, level=look.level), level=look.level, adjust=True, unit="").cells


def gain_of(found: Measured) -> str:
    """The metric that tells what a cell brought in money: profit, or revenue where no margin is known."""
    return "profit" if found.margin.known else "spend"


def _cell(found: Measured, frame: pd.DataFrame, cell: str, scale: int) -> dict[str, Any]:
    n, its = found.stats[cell].n, found.control[cell]
    about = found.cells.set_index("cell_id")
    spent, known = spent_on(found, [cell]), found.margin.known
    row: dict[str, Any] = {"cell": cell, "name": found.name(cell), "control": its, "n": n, "cost": spent.cost}
    row["priced"] = cell not in found.unpriced
    by = frame[frame["cell"] == cell].set_index("metric")
    for metric, shown in (("response", "response"), ("margin", "margin"), (gain_of(found), "profit")):
        for part, column in (("", "estimate"), ("_low", "low"), ("_high", "high")):
            row[shown + part] = float(by.at[metric, column]) if metric in by.index else None
    row["detectable"] = float(by.at[gain_of(found), "detectable"]) if gain_of(found) in by.index else None
    row["detectable_response"] = float(by.at["response", "detectable"]) if "response" in by.index else None
    for part in ("", "_low", "_high"):
        profit = row["profit" + part]
        row["total" + part] = None if profit is None else n * profit
        row["roi" + part] = spent.returned(row["total" + part]) if known else None
        row["break_even" + part] = None if profit is None or not known else profit + float(about.at[cell, "per_contact"])
        row["scaled" + part] = None if profit is None else scale * profit
    # Profit of a cell that causes nothing: as many take its offer as buy without it.
    gifts = float(about.at[cell, "per_response"] - about.at[its, "per_response"]) * found.stats[its].mean("response")
    row["nothing"] = -scale * (float(about.at[cell, "cost"] - about.at[its, "cost"]) + gifts) if known else 0.0
    return row


def _with_offers(found: Measured, frame: pd.DataFrame, cells: pd.DataFrame, adjust: bool) -> pd.DataFrame:
    """Add what offers may cost whose cost is not known, as surely as profit is known: the same number of standard errors."""
    by = frame[frame["metric"] == "profit"].set_index("cell")
    unknown = found.offers_unknown if found.margin.known else []
    wanted = [cell for cell in cells["cell"] if cell in by.index and cell in unknown and found.control[cell] not in unknown]
    may = break_even_offers(
        found, {cell: (float(by.at[cell, "estimate"]), float(by.at[cell, "error"])) for cell in wanted}, adjust=adjust
    )
    rows: list[tuple[float | None, float | None, float | None]] = []
    for cell in cells["cell"]:
        if cell not in may:
            rows.append((None, None, None))
            continue
        each, error = may[cell]
        low, high = (
            (float(by.at[cell, end]) - float(by.at[cell, "estimate"])) / float(by.at[cell, "error"]) for end in ("low", "high")
        )
        rows.append((each, each + low * error, each + high * error))
    told = pd.DataFrame(rows, columns=["may_cost", "may_cost_low", "may_cost_high"], index=cells.index, dtype=object)
    return pd.concat([cells, told], axis=1)


def components_of(found: Measured, *, level: float, correction: str, adjust: bool) -> tuple[pd.DataFrame | None, str, int]:
    """Main effects and interactions of what cells are made of, for response and profit: revenue where no margin is known.

    Where an offer's cost is not known, money is left out: offers would be compared before what they cost.

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
    told = ("response",) if found.unpriced else ("response", gain_of(found))
    for metric in [name for name in told if found.varies(name)]:
        shown = "response" if metric == "response" else "profit"
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
            "estimate": shown,
            "low": f"{shown}_low",
            "high": f"{shown}_high",
            "detectable": f"{shown}_detectable",
            "p_adjusted": f"{shown}_p",
        }
        mine = frame[["effect", "levels", "order", *named]].rename(columns=named)
        out = mine if out is None else out.merge(mine, on=["effect", "levels", "order"], validate="one_to_one")
    if out is None:
        raise ModelError.does_not_vary("response", 0.0)
    return out
