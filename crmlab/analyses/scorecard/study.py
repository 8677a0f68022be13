"""The scorecard: everything that its page shows, worked out once from the steps of the other analyses."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from crmlab.analyses import actions
from crmlab.analyses.customer_value import base_of, chosen
from crmlab.analyses.scorecard.board import Board, board_of, need_recent_buyers, spans_of
from crmlab.analyses.scorecard.campaigns import campaigns_of
from crmlab.analyses.scorecard.forecasts import Ahead, quarters_ahead
from crmlab.analyses.scorecard.goals import goals_of
from crmlab.analyses.scorecard.groups import groups_of
from crmlab.analyses.scorecard.lines import Line
from crmlab.analyses.scorecard.measures import lines_of
from crmlab.analyses.scorecard.money import Money, money_of
from crmlab.analyses.scorecard.profiles import profiles_of
from crmlab.analyses.scorecard.reductions import two_periods
from crmlab.analyses.scorecard.value import Valued, valued
from crmlab.collecting import collect, collect_value
from crmlab.errors import CampaignError, ConvergenceError, DataError, ModelError
from crmlab.history.past import DATED
from crmlab.history.words import ROUNDS
from crmlab.models.decomposition import decompose, growth
from crmlab.page.declarations import Readiness
from crmlab.page.groups import OTHER
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    from crmlab.analyses.scorecard.params import Params
    from crmlab.history.past import History
    from crmlab.models.btyd.btyd import BuyTillYouDie

__all__ = ["UNFIT", "Study", "readiness", "study"]

UNFIT = (DataError, ModelError, ConvergenceError)
_MOST_TREATMENTS = 3  # that are told of one row
_TABLES = ("orders", "order_lines", "contacts", "responses", "customers")


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the scorecard shows; None where the data do not allow it.

    Attributes
    ----------
    context : Context
    params : Params
    board : Board
        The periods, their sums, and what each customer adds to them.
    money : Money
        From revenue to profit.
    lines : list of Line
        The measures.
    goals : DataFrame
        As of :func:`crmlab.analyses.scorecard.goals.goals_of`; empty where none is named.
    groups : DataFrame
        Revenue and profit by who customers were before: as of :func:`crmlab.analyses.scorecard.groups.groups_of`.
    profiles : DataFrame
        How segments differ: as of :func:`crmlab.analyses.scorecard.profiles.profiles_of`.
    campaigns : DataFrame
        As of :func:`crmlab.analyses.scorecard.campaigns.campaigns_of`.
    effects, members : DataFrame or None
        Why revenue changed, by factors and by who came and went; None without an earlier period to compare with.
    ahead : Ahead or None
        Forecast of the quarters ahead.
    value : Valued or None
        What the base is worth.
    reachable : mapping of (str, str) to int
        Tier and state of each row of the matrix of value → how many of them may be contacted; empty where the data do not say.
    treatments : mapping of (str, str) to str
        The same → what is done with most of them, as the report on actions decides, a line each with their number; empty where nothing
        is decided.
    fresh : DataFrame
        table, last: the last day in each table that has days.
    why : mapping of str to str
        Why there is no ``ahead``, ``value``, ``campaigns`` or ``treatments``.
    """

    context: Context
    params: Params
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
    reachable: Mapping[tuple[str, str], int]
    treatments: Mapping[tuple[str, str], str]
    fresh: pd.DataFrame
    why: Mapping[str, str]

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The measures."""
        frame = self.board.sums.drop(columns=["low", "high", "short"]).rename(
            columns={"measure": "metric", "value": "estimate"}
        )
        frame = frame.sort_values(["number", "metric"], kind="stable", ignore_index=True)
        return {"measures": Output("All measures of all periods", frame, ("number", "metric"))}

    def line(self, key: str) -> Line:
        """One measure."""
        return next(line for line in self.lines if line.key == key)


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    TooLittleError
        There is no whole period, or hardly anybody bought in the last one.
    ParameterError
        The period cannot be read.
    """
    need_recent_buyers(history, params, spans_of(history, params)[0][-1])
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Put the scorecard together.

    Raises
    ------
    DataError
        There is no whole period, or hardly anybody bought in the last one.
    ParameterError
        The period cannot be read.
    """
    board = board_of(history, params)
    people = int(board.life.sizes().sum() if board.life is not None else board.value("customers", board.now) or 0)
    money = money_of(board)
    why: dict[str, str] = {}
    ahead, why["ahead"] = _ahead(history, params)
    value, why["value"] = _value(board)
    treatments, why["treatments"] = _treatments(history, value, params.min_group) if value is not None else ({}, why["value"])
    campaigns, why["campaigns"] = campaigns_of(board)
    effects, members = _changes(board)
    return Study(
        context=history.context(people),
        params=params,
        board=board,
        money=money,
        lines=lines_of(board, money),
        goals=goals_of(board, ahead),
        groups=groups_of(board, money),
        profiles=profiles_of(board),
        campaigns=campaigns,
        effects=effects,
        members=members,
        ahead=ahead,
        value=value,
        reachable=_reachable(history, value) if value is not None else {},
        treatments=treatments,
        fresh=_fresh(history),
        why=why,
    )


def _ahead(history: History, params: Params) -> tuple[Ahead | None, str]:
    if history.data.descriptor.rounds == "year":
        return None, "These donors give or renew once a year, so quarters are not forecast."

    try:
        # The kind of model, and whether a season is followed, as chosen on the last day; rates and season as they were known on each.
        choice = chosen(history)

        def told_by(day: dt.date) -> BuyTillYouDie:
            return choice.model(base_of(history.earlier(day)), params.seed)

        return quarters_ahead(history.orders, history.as_of, purchases=told_by, level=params.level, seed=params.seed), ""
    except UNFIT as error:
        return None, f"There is no forecast. {error}"


def _value(board: Board) -> tuple[Valued | None, str]:
    try:
        return valued(board), ""
    except UNFIT as error:
        return None, f"The {board.speech.words.one} base could not be valued. {error}"


def _reachable(history: History, value: Valued) -> dict[tuple[str, str], int]:
    flags = history.contactable(value.customers["customer_id"])
    if set(flags) == {"not known"}:
        return {}
    rows, own = _places(value)
    found = Counter(pair for pair, flag in zip(own, flags, strict=True) if flag == "yes")
    return {pair: found[pair] for pair in rows}


def _places(value: Valued) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Tier and state of each row of the matrix of value, and the row of each customer."""
    rows = list(zip(value.matrix["tier"], value.matrix["state"], strict=True))
    own = zip(value.customers["tier"], value.customers["state"], strict=True)
    return rows, [pair if pair in rows else (OTHER, "") for pair in own]


def _treatments(history: History, value: Valued, least: int) -> tuple[Mapping[tuple[str, str], str], str]:
    """What the report on actions does with most customers of each row, those left alone too; or why it decides nothing."""
    try:
        decided = actions.decisions(history).set_index("customer_id")["action"].reindex(value.customers["customer_id"])
    except (*UNFIT, CampaignError) as error:
        return {}, str(error)
    if decided.nunique() < 2:
        return {}, "The decision is the same for everybody."
    rows, own = _places(value)
    frame = pd.DataFrame({"pair": own, "action": decided.to_numpy(object)}).dropna()
    counts = frame.groupby("pair")["action"].value_counts()
    form = history.context().form
    found = {}
    for pair in rows:
        mine = counts[pair] if pair in counts.index.get_level_values(0) else pd.Series(dtype=int)
        mine = mine[mine >= max(least, 1)].sort_index().sort_values(ascending=False, kind="stable")[:_MOST_TREATMENTS]
        found[pair] = "\n".join(f"{action}: {form.count(int(many))}" for action, many in mine.items())
    return found, ""


def _changes(board: Board) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Why revenue changed, by factors and by who came and went."""
    if board.compared is None:
        return None, None
    history, level, seed = board.history, board.params.level, board.params.seed
    # Pieces and their price are told of what is sold.
    lines = None if history.words is ROUNDS else history.lines
    both = collect(two_periods(history.orders, board.spans[board.compared], board.span, lines), "customer_id")
    try:
        effects = decompose(both, level=level, seed=seed)
    except ModelError:
        # Pieces that do not add up to more than 0 say nothing of prices.
        both = both.drop(columns=["pieces_before", "pieces_after"], errors="ignore")
        effects = decompose(both, level=level, seed=seed)
    # Where nothing ever comes back, nobody needs to be told so.
    none = (effects["part"] == "returns") & (effects[["before", "after", "effect"]] == 0).all(axis=1)
    return effects[~none].reset_index(drop=True), growth(both, level=level)


def _fresh(history: History) -> pd.DataFrame:
    """How far each table of the data set reached on the last day: of what came later, nothing is known."""
    rows = []
    for name in _TABLES:
        if name not in history.data.tables or DATED[name] not in history.data.table(name).columns:
            continue
        table = history.data.table(name)
        day = table[DATED[name]] if table[DATED[name]].type().is_date() else table[DATED[name]].date()
        last = collect_value(day.max())
        if last is not None:
            rows.append([name, last])
    return pd.DataFrame(rows, columns=["table", "last"])
