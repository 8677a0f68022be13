"""What campaigns earned over their controls, campaign by campaign and program by program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses.campaigns import Measured, final_cells, final_result, known_cells, measured, mismatched, ratio_of
from crmlab.errors import CrmlabError

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.board import Board
    from crmlab.page.estimate import Estimate

__all__ = ["COLUMNS", "MOST", "campaigns_of", "measured_of"]


MOST = 12  # campaigns shown, the latest
_BROUGHT = ("brought in more revenue than the control", "brought in less revenue than the control")
_EARNED = ("earned more than they cost", "cost more than they brought in")
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
        response (difference of the share who bought), profit (incremental, after costs, or before that of the offer where it is not
        known, as the note says), roi (profit over what was spent beyond the controls), each with interval, at the level of campaign
        tests; note: how many of its cells are shown to have earned, as that report says of each. Latest first. Nothing but the note
        where numbers would mean nothing. Why, where there is no campaign.

    Notes
    -----
    The profit of a campaign is the sum over its contacts of cell less control, adjusted by earlier spend. Programs of one campaign
    may share a control, so that their profits, which add up to the campaign's, are not independent of each other.
    """
    history = board.history
    empty = pd.DataFrame(columns=list(COLUMNS))
    if history.cells is None or history.contacts is None:
        return (
            empty,
            "The data contain no campaigns: add the tables “cells” and “contacts”. The command “crmlab campaign” plans, launches and "
            "measures campaigns.",
        )
    cells = known_cells(history.data)
    rows: list[dict[str, Any]] = []
    for name, found in measured_of(board).items():
        rows += [_blank(name, None) | {"note": found}] if isinstance(found, str) else _rows(board, found, cells)
    if not rows:
        return empty, "The table “cells” is empty, so there are no campaigns to show."
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = frame.groupby("campaign")["opens"].transform(lambda days: str(days.iloc[0]))
    frame = frame.assign(_order=order).sort_values(["_order", "campaign"], ascending=[False, True], kind="stable")
    latest = frame["campaign"].drop_duplicates().head(MOST)
    return frame[frame["campaign"].isin(latest)].drop(columns="_order").reset_index(drop=True), ""


def measured_of(board: Board) -> dict[str, Measured | str]:
    """Every campaign of the data set as measured, by name; or why it could not be."""
    history, params = board.history, board.params

    def measure() -> dict[str, Measured | str]:
        if history.cells is None or history.contacts is None:
            return {}
        cells = known_cells(history.data)
        out: dict[str, Measured | str] = {}
        for name in sorted({str(one) for one in cells["campaign_id"]}):
            try:
                out[name] = measured(
                    history.data, name, history.as_of, cells=cells, margin=params.margin, min_group=params.min_group
                )
            except CrmlabError as error:
                out[name] = str(error)
        return out

    return history.once(("scorecard.campaigns", params.margin, params.min_group), measure)


def _blank(name: str, opens: Any) -> dict[str, Any]:
    return {"campaign": name, "program": "", "opens": opens, "note": ""}


def _rows(board: Board, found: Measured, cells: pd.DataFrame) -> list[dict[str, Any]]:
    opens = min(found.days["opens"])
    if found.is_open:
        note = f"window open until {board.history.form.short_day(max(found.days['closes']))}"
        return [_blank(found.campaign, opens) | {"note": note}]
    if mismatched(ratio_of(found, cells)):
        return [_blank(found.campaign, opens) | {"note": "cell sizes do not match the plan"}]
    about = found.cells.set_index("cell_id")
    programs: dict[str, list[str]] = {}
    for cell in found.treated:
        program = about["program_id"][cell] if "program_id" in about.columns else None
        programs.setdefault("" if program is None or program != program else str(program), []).append(cell)
    rows = [_row(board, found, found.treated, _blank(found.campaign, opens))]
    if len(programs) > 1:
        rows += [
            _row(board, found, mine, _blank(found.campaign, opens) | {"program": program or "no programme"})
            for program, mine in sorted(programs.items())
        ]
    return rows


def _row(board: Board, found: Measured, cells: list[str], row: dict[str, Any]) -> dict[str, Any]:
    form, as_of = board.history.form, board.history.as_of
    whole = final_result(found, as_of, cells, unit=form.currency)
    row |= {"contacts": whole.contacts, "cost": whole.cost} | _parts("response", whole.response)
    if whole.margin is None:
        return row
    each = final_cells(found, as_of)
    mine = each[each["cell"].isin(cells)]
    if whole.profit is None:
        said = _verdict(mine.assign(priced=True), *_BROUGHT)
        return row | {"note": f"{said}; without a margin, the profit is not known"}
    row |= _parts("profit", whole.profit)
    if whole.unpriced:
        row["note"] = _verdict(mine, *_EARNED) + ": before the cost of the offer"
        if whole.break_even is not None and whole.profit.value > 0:
            row["note"] += f", which may be {form.amount(whole.break_even.value)} for each {board.speech('{one} who {buy}s')}"
        return row
    if whole.roi is not None:
        row |= _parts("roi", whole.roi)
    return row | {"note": _verdict(mine, *_EARNED)}


def _parts(name: str, found: Estimate) -> dict[str, Any]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _verdict(cells: pd.DataFrame, more: str, less: str) -> str:
    """How many cells are shown to be what, each as the report on campaign results says; of their sum nothing is said."""
    up, down, priced = cells["profit_low"] > 0, cells["profit_high"] < 0, cells["priced"].astype(bool)
    counts = ((up & priced, more), (up & ~priced, "open"), (down, less))
    told = []
    for which, what in counts:
        if number := int(which.sum()):
            told.append(f"{number} of {len(cells)} cells {what.replace(' they ', ' it ') if number == 1 else what}")
    return ", ".join(told) or (
        "not decided"
        if len(cells) == 1
        else f"{'neither' if len(cells) == 2 else 'none'} of the {len(cells)} cells is decided by itself"
    )
