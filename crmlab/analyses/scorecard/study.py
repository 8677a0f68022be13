"""The scorecard: everything that its page shows, worked out once from the steps of the other analyses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses.scorecard.board import Board, board_of
from crmlab.analyses.scorecard.campaigns import campaigns_of
from crmlab.analyses.scorecard.forecasts import Ahead, quarters_ahead
from crmlab.analyses.scorecard.goals import goals_of
from crmlab.analyses.scorecard.groups import groups_of
from crmlab.analyses.scorecard.measures import Line, lines_of
from crmlab.analyses.scorecard.money import Money, money_of
from crmlab.analyses.scorecard.params import Params
from crmlab.analyses.scorecard.profiles import profiles_of
from crmlab.analyses.scorecard.reductions import two_periods
from crmlab.analyses.scorecard.value import Valued, valued
from crmlab.errors import ConvergenceError, DataError, ModelError
from crmlab.models.decomposition import decompose, growth

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["Parts", "parts_of"]


@dataclass(frozen=True, eq=False)
class Parts:
    """What the page is made of; None where the data do not allow it, with the reason in ``why``."""

    board: Board
    money: Money
    lines: list[Line]
    goals: pd.DataFrame
    groups: pd.DataFrame
    profiles: pd.DataFrame
    campaigns: pd.DataFrame
    effects: pd.DataFrame | None
    members: pd.DataFrame | None
    ahead: Ahead | None
    value: Valued | None
    why: dict[str, str]

    def line(self, key: str) -> Line:
        """One measure."""
        return next(line for line in self.lines if line.key == key)


def parts_of(data: Dataset, params: Params) -> Parts:
    """Compute everything that the page shows.

    Parameters
    ----------
    data : Dataset
    params : Params

    Returns
    -------
    Parts
    """
    board = board_of(
        data, params.as_of, params.period, margin=params.margin, level=params.level, min_group=params.min_group
    )  # fmt: skip
    money = money_of(board, params.serve_cost)
    why: dict[str, str] = {}
    ahead: Ahead | None = None
    value: Valued | None = None
    if data.descriptor.rounds == "year":
        why["ahead"] = "People give or renew once a year here: quarters are not forecast."
    else:
        try:
            ahead = quarters_ahead(data.orders, board.end, level=params.level, seed=params.seed)
        except (DataError, ModelError, ConvergenceError) as error:
            why["ahead"] = f"No forecast. {error}"
    try:
        value = valued(board, params.rate, params.seed)
    except (DataError, ModelError, ConvergenceError) as error:
        why["value"] = f"The base could not be valued. {error}"
    campaigns, why["campaigns"] = campaigns_of(board)
    profiles = profiles_of(board)
    why["profiles"] = "Segments are too few or too small to be told apart."
    if len(profiles):
        why["profiles"] = (
            f"No segment surely stands out: none of {len(profiles)} comparisons of what they buy, when, where and how they came shows a "
            "standardised difference of at least 0.2 with an interval that excludes 0."
        )
    effects = members = None
    if board.compared is not None:
        lines = data.order_lines if "order_lines" in data.tables else None
        both = two_periods(data.orders, board.spans[board.compared], board.span, lines).to_pandas()
        both = both.sort_values("customer_id", kind="stable", ignore_index=True)
        try:
            effects = decompose(both, level=params.level, seed=params.seed)
        except ModelError:
            # Pieces that do not add up to more than 0 say nothing of prices.
            both = both.drop(columns=["pieces_before", "pieces_after"], errors="ignore")
            effects = decompose(both, level=params.level, seed=params.seed)
        members = growth(both, level=params.level)
    return Parts(
        board, money, lines_of(board, money), goals_of(board, ahead), groups_of(board, money), profiles, campaigns, effects, members, ahead,
        value, why,
    )  # fmt: skip
