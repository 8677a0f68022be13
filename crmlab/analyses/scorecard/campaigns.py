"""What campaigns earned over their controls, campaign by campaign and program by program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses.campaigns import Measured, contrast, ends, known_cells, measured, mismatched, ratio_of
from crmlab.errors import CrmlabError

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.board import Board

__all__ = ["COLUMNS", "MOST", "campaigns_of"]


MOST = 12  # campaigns shown, the latest
COLUMNS = (
    *("campaign", "program", "opens", "contacts", "cost"),
    *("response", "response_low", "response_high"),
    *("profit", "profit_low", "profit_high"),
    *("roi", "roi_low", "roi_high", "note"),
)


def campaigns_of(board: Board) -> tuple[pd.DataFrame, str]:
    """Measure every campaign of the data set against its controls, as the report on campaign results does.

    Parameters
    ----------
    board : Board

    Returns
    -------
    (frame, why)
        A row per campaign (program ``""``), and per program where a campaign has several: campaign, program, opens, contacts, cost,
        response (difference of the share who bought), profit (incremental, after costs), roi (profit over cost), each with interval,
        note. Latest first. Nothing but the note where numbers would mean nothing. Why, where there is no campaign.

    Notes
    -----
    The profit of a campaign is the sum over its contacts of cell less control, adjusted by earlier spend. Programs of one campaign
    may share a control, so that their profits, which add up to the campaign's, are not independent of each other.
    """
    history, params = board.history, board.params
    empty = pd.DataFrame(columns=list(COLUMNS))
    if history.cells is None or history.contacts is None:
        return (
            empty,
            "No campaign is known: add the tables cells and contacts. crmlab campaign plans, launches and measures them.",
        )
    cells = known_cells(history.data)
    rows: list[dict[str, Any]] = []
    for name in sorted({str(one) for one in cells["campaign_id"]}):
        try:
            found = measured(history.data, name, history.as_of, cells=cells, margin=params.margin, min_group=params.min_group)
        except CrmlabError as error:
            rows.append(_blank(name, None) | {"note": str(error)})
            continue
        rows += _rows(board, found, cells)
    if not rows:
        return empty, "The table cells is empty: no campaign is known."
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = frame.groupby("campaign")["opens"].transform(lambda days: str(days.iloc[0]))
    frame = frame.assign(_order=order).sort_values(["_order", "campaign"], ascending=[False, True], kind="stable")
    latest = frame["campaign"].drop_duplicates().head(MOST)
    return frame[frame["campaign"].isin(latest)].drop(columns="_order").reset_index(drop=True), ""


def _blank(name: str, opens: Any) -> dict[str, Any]:
    return {"campaign": name, "program": "", "opens": opens, "note": ""}


def _rows(board: Board, found: Measured, cells: pd.DataFrame) -> list[dict[str, Any]]:
    opens = min(found.days["opens"])
    if found.is_open:
        note = f"window open until {board.history.form.short_day(max(found.days['closes']))}"
        return [_blank(found.campaign, opens) | {"note": note}]
    if mismatched(ratio_of(found, cells)):
        return [_blank(found.campaign, opens) | {"note": "sizes of cells do not fit its plan"}]
    about = found.cells.set_index("cell_id")
    programs: dict[str, list[str]] = {}
    for cell in found.treated:
        program = about["program_id"][cell] if "program_id" in about.columns else None
        programs.setdefault("" if program is None or program != program else str(program), []).append(cell)
    rows = [_row(board, found, found.treated, _blank(found.campaign, opens))]
    if len(programs) > 1:
        rows += [
            _row(board, found, mine, _blank(found.campaign, opens) | {"program": program or "no program"})
            for program, mine in sorted(programs.items())
        ]
    return rows


def _row(board: Board, found: Measured, cells: list[str], row: dict[str, Any]) -> dict[str, Any]:
    cost_of = dict(zip(found.cells["cell_id"], found.cells["cost"], strict=True))
    weights: dict[str, float] = {}
    cost = 0.0
    for cell in cells:
        n, its = float(found.stats[cell].n), found.control[cell]
        weights[cell] = weights.get(cell, 0.0) + n
        weights[its] = weights.get(its, 0.0) - n
        cost += n * (float(cost_of[cell]) - float(cost_of[its]))
    contacts = sum(found.stats[cell].n for cell in cells)
    row |= {"contacts": contacts, "cost": cost}
    value, error, freedom = contrast(found, "response", {cell: w / contacts for cell, w in weights.items()}, adjust=False)
    row |= dict(
        zip(
            ("response", "response_low", "response_high"),
            (value, *_ends(value, error, freedom, board.params.level)),
            strict=True,
        )
    )
    if found.varies("margin"):
        value, error, freedom = contrast(found, "profit", weights, adjust=True)
        triple = (value, *_ends(value, error, freedom, board.params.level))
        row |= dict(zip(("profit", "profit_low", "profit_high"), triple, strict=True))
        if cost > 0:
            row |= dict(zip(("roi", "roi_low", "roi_high"), (end / cost for end in triple), strict=True))
        low, high = triple[1:]
        row["note"] = "earned more than it cost" if low > 0 else "lost money" if high < 0 else "not decided"
    return row


def _ends(value: float, error: float, freedom: float, level: float) -> tuple[float, float]:
    if error <= 0:
        return value, value
    low, high, _ = ends(value, error, freedom, level)
    return low, high
