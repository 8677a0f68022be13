"""Tables behind campaign results: past cells, the next plan, matched responses, balance before the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses.campaign_results_health import BALANCE, BALANCE_ALPHA
from crmlab.analyses.campaign_results_words import level_word
from crmlab.analyses.common import masked
from crmlab.result import Column, Table

if TYPE_CHECKING:
    from crmlab.analyses.campaign_results import Params, Parts
    from crmlab.style import Format


def history_table(parts: Parts, form: Format, params: Params) -> Table:
    """Past campaigns of each component, raw and shrunk."""
    frames = [each.campaigns.assign(component=each.component.capitalize()) for each in parts.history.components]
    frame = pd.concat([one.astype(object) for one in frames], ignore_index=True)
    for name in ("raw", "raw_low", "raw_high", "shrunk", "low", "high"):
        frame[name] = 100 * frame[name].astype(float)
    frame["what"] = frame["value"]
    columns = {
        "what": Column("Component"),
        "campaign": Column("Campaign"),
        "k": Column("Cells", "count"),
        "opens": Column("Sent", "date"),
        "n": Column("Contacts", "count"),
        "raw": Column("As measured, points", "number", "raw_low", "raw_high"),
        "shrunk": Column("Shrunk, points", "number", "low", "high"),
    }
    kept = frame[["component", "what", "campaign", "k", "opens", "n", "raw", "raw_low", "raw_high", "shrunk", "low", "high"]]
    caption = (
        "How many more bought than in control, by what was sent, all campaigns whose windows are over: as "
        "measured, and shrunk to the mean "
        f"of such cells. Small figures: {form.share(params.level)} intervals, each by itself."
    )
    return Table(caption, kept, columns, form)


def next_table(parts: Parts, form: Format, params: Params) -> Table:
    """What to expect of the next cell with each component."""
    rows = []
    for each in parts.history.components:
        pooled, fading = each.pooled, each.fade
        if fading is None:
            trend = "too few to say"
        else:
            ends = f"{form.number(100 * fading.low, 1)} to {form.number(100 * fading.high, 1)} points a year"
            trend = (
                f"fades ({ends})" if fading.high < 0 else f"grows ({ends})" if fading.low > 0 else f"not shown to fade ({ends})"
            )
        row = {"what": each.value, "component": each.component, "k": pooled.k, "next": 100 * pooled.prior[0], "trend": trend}
        row |= {"next_low": 100 * min(each.expected[0], pooled.mean), "next_high": 100 * max(each.expected[1], pooled.mean)}
        rows.append({**row, "size": "no gain to plan for" if each.size is None else each.size})
    columns = {
        "what": Column("Component"),
        "k": Column("Campaigns", "count"),
        "next": Column("Expect of the next, points", "number", "next_low", "next_high"),
        "trend": Column("With time"),
        "size": Column("Customers per cell to find that", "count"),
    }
    caption = (
        "For the next plan: the mean of past campaigns and where the true effect of the next one is expected, and how many customers "
        "a cell and its control need each to find that mean in "
        f"80 of 100 campaigns at 95{chr(0x202F)}%. Small figures: {form.share(params.level)} intervals."
    )
    return Table(caption, pd.DataFrame(rows), columns, form)


def matched_table(parts: Parts, form: Format, params: Params) -> Table:
    """Orders coded, matched and unmatched, side by side."""
    assert parts.matched is not None
    least = params.min_group
    rows = []
    for row in parts.matched.to_dict("records"):
        cell = row["cell_id"] if isinstance(row["cell_id"], str) else None
        if cell is not None and cell not in parts.found.stats:
            continue
        name = "No contact found" if cell is None else parts.found.name(cell)
        rows.append(
            {
                "name": name,
                "cell": cell or "",
                **{key: masked(int(row[key]), least) for key in ("coded", "matched", "unmatched")},
            }
        )
    order = {cell: k for k, cell in enumerate(parts.found.stats)}
    rows.sort(key=lambda row: order.get(str(row["cell"]), len(order)))
    columns = {
        "name": Column("Cell"),
        "coded": Column("By code", "count"),
        "matched": Column("By the latest contact", "count"),
        "unmatched": Column("Unmatched", "count"),
    }
    caption = (
        "Orders in the windows, by the cell that they go to. Controls are matched too, without having got anything: this is why matched "
        "orders are not what a cell caused. Counts of what was read."
    )
    return Table(caption, pd.DataFrame(rows), columns, form, top=40)


def balance_table(parts: Parts, form: Format) -> Table:
    """Differences before anything was sent."""
    frame = parts.health.balance
    wide: dict[str, dict[str, Any]] = {}
    for row in frame.to_dict("records"):
        mine = wide.setdefault(row["cell"], {"name": parts.found.name(row["cell"])})
        mine |= {
            row["covariate"]: row["difference"],
            f"{row['covariate']}_low": row["low"],
            f"{row['covariate']}_high": row["high"],
        }
    names = [name for name in BALANCE if name in set(frame["covariate"])]
    columns = {"name": Column("Cell")} | {
        name: Column(BALANCE[name].capitalize(), "number", f"{name}_low", f"{name}_high") for name in names
    }
    caption = (
        "Before the window opened: cell less control, in standard deviations. Chance alone makes some differ. Small figures: "
        f"{level_word(1 - BALANCE_ALPHA, form)} intervals, for all at once."
    )
    return Table(caption, pd.DataFrame(list(wide.values())), columns, form, top=40)
