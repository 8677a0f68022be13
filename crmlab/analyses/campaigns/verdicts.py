"""What the command line says of a look at a campaign: rates, differences, money, a verdict in words, and what is new since the last."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlab.analyses.campaigns.measurement import mismatched, ratio_of_sizes
from crmlab.analyses.campaigns.reductions import windows
from crmlab.analyses.campaigns.responding import answers_told
from crmlab.analyses.campaigns.results.words import far_off, level_word
from crmlab.data.memory.reader import COMPONENTS
from crmlab.history.context import form_of, margin_known
from crmlab.history.words import Words, words_for

if TYPE_CHECKING:
    from crmlab.analyses.campaigns.looking import CampaignLook
    from crmlab.data.dataset import Dataset
    from crmlab.page.format import Format

__all__ = ["news_of", "verdicts_of"]

# Which money is told of a cell, the first that there is, and what it is called. Without a margin there is none but revenue.
_MONEY = (
    ("profit", "{profit} after costs"),
    ("profit_before_offer", "{profit} before the cost of the offer, which is not known"),
    ("spend", "revenue"),
)


def verdicts_of(look: CampaignLook, data: Dataset) -> list[str]:
    """Say what each cell did against its control, and what follows from it.

    Parameters
    ----------
    look : CampaignLook
    data : Dataset

    Returns
    -------
    list of str
        A sentence or two each; those of a cell after the first are indented.
    """
    form, words = form_of(data), words_for(data.descriptor.rounds)
    lines = [_when(look, data.name, form)]
    sizes = _sizes(look)
    ratio = ratio_of_sizes(sizes, look.cells) if any(sizes.values()) else None
    if ratio is not None and mismatched(ratio):
        return [
            *lines,
            "No verdict: the sizes of the cells do not fit the plan, so something other than chance decided who is in which. "
            + far_off(ratio, form),
        ]
    for cell in dict.fromkeys(look.results["cell"]):
        mine = look.results[look.results["cell"] == cell].set_index("metric")
        if "response" in mine.index:
            lines += _of_cell(_about(look, str(cell)), mine, form, words)
    told = set(look.results["metric"])
    if "spend" in told and not told & {"profit", "profit_before_offer"}:
        lines += [words.told(one) for one in margin_known(data, look.as_of, None).advice("to see what the campaign earned")]
    said = answers_told(data.remembered, look.campaign)
    return [*lines, said] if said else lines


def news_of(look: CampaignLook, number: int, *, again: bool, data: Dataset, recorded: int = 0) -> list[str]:
    """Say which responses are new since the last look; where none are, why.

    Parameters
    ----------
    look : CampaignLook
    number : int
        Of the look before this one, from 1; 0: there was none.
    again : bool
        Whether this look is one that was taken before.
    data : Dataset
    recorded : int
        Responses that were recorded since the last look.
    """
    if not number:
        return []
    form = form_of(data)
    days = look.earlier["as_of"].dropna() if "as_of" in look.earlier else pd.Series(dtype=object)
    last = dt.date.fromisoformat(str(days.iloc[0])[:10]) if len(days) else None
    since = f"look {number}" + (f" ({form.day(last)})" if last else "")
    before, now = _bought(look.earlier), _bought(look.results)
    change = {cell: now[cell] - before.get(cell, 0) for cell in sorted(now) if now[cell] != before.get(cell, 0)}
    if change:
        parts = ", ".join(f"{cell} {'+' if count > 0 else '−'}{form.count(abs(count))}" for cell, count in change.items())
        total = sum(change.values())
        some = (
            f"{form.count(total)} {'response is' if total == 1 else 'responses are'} new"
            if total > 0
            else "Responses have changed"
        )
        return [f"{some} since {since}: {parts}."]
    if recorded:
        noun = "recorded response is" if recorded == 1 else "recorded responses are"
        return [f"{form.count(recorded)} {noun} new since {since}; what counts is as it was."]
    closes = _days(look)["closes"].max()
    ends = f"'{data.name}' goes up to {form.day(look.as_of)}"
    if last is not None and closes <= last:
        why = f"the window closed on {form.day(closes)}, and nothing later counts"
    elif again or last == look.as_of:
        why = f"{ends}, as it did then. Later orders, or a file given to crmlab campaign responses, make another look"
    else:
        why = f"{ends}, and nobody in these cells has bought for the first time since"
    return [f"There are no new responses since {since}: {why}."]


def _bought(results: pd.DataFrame) -> dict[str, int]:
    """How many responded, by cell and control."""
    found: dict[str, int] = {}
    if not {"mean", "mean_control", "n_control"} <= set(results.columns):
        return found
    mine = results[results["metric"] == "response"].rename(columns={"cell_id": "cell", "control_cell_id": "control"})
    for row in mine.to_dict("records"):
        found[str(row["cell"])] = round(float(row["mean"]) * int(row["n"]))
        found[str(row["control"])] = round(float(row["mean_control"]) * int(row["n_control"]))
    return found


def _days(look: CampaignLook) -> pd.DataFrame:
    first = look.contacts["contacted_at"].min()
    return windows(look.cells, pd.Timestamp(first).date(), look.as_of)


def _when(look: CampaignLook, data: str, form: Format) -> str:
    days = _days(look)
    opens, closes = days["opens"].min(), days["closes"].max()
    window = f"The window, {form.day(opens)} to {form.day(closes)}, is over."
    if closes > look.as_of:
        over, whole = form.count((look.as_of - opens).days + 1), form.count((closes - opens).days + 1)
        window = f"The window, {form.day(opens)} to {form.day(closes)}, is open: {over} of {whole} days are over; this may still change."
    if "closes_on" not in look.cells or look.cells["closes_on"].isna().any():
        window = f"Counted are orders from {form.day(opens)} on; the plan names no last day."
    return f"Orders of '{data}' up to {form.day(look.as_of)}. {window}"


def _sizes(look: CampaignLook) -> dict[str, int]:
    """Households (else customers) of each cell, everybody in the first that they were in."""
    known = look.contacts[look.contacts["contacted_at"].dt.date <= look.as_of]
    first = known.sort_values(["contacted_at", "cell_id"], kind="stable").drop_duplicates("customer_id")
    home = first["household_id"] if "household_id" in first else pd.Series(None, first.index, dtype=object)
    unit = ("h:" + home.astype("str")).where(home.notna(), "c:" + first["customer_id"].astype("str"))
    counts = unit.groupby(first["cell_id"]).nunique()
    return {str(cell): int(counts.get(cell, 0)) for cell in look.cells["cell_id"]}


def _about(look: CampaignLook, cell: str) -> str:
    """A cell and what it is made of."""
    row = look.cells.set_index("cell_id").loc[cell]
    parts = [str(row[name]) for name in COMPONENTS if name in row.index and isinstance(row[name], str)]
    return f"{cell} ({', '.join(parts)})" if parts else cell


def _of_cell(about: str, mine: pd.DataFrame, form: Format, words: Words) -> list[str]:
    """Rates, difference, money and verdict of one cell."""
    response = mine.loc["response"]
    level = level_word(float(response["level"]), form)
    mean, base = (form.share(float(response[name]), 1) for name in ("mean", "mean_control"))
    people, others = (form.count(int(response[name])) for name in ("n", "n_control"))
    more, low, high = (100 * float(response[name]) for name in ("estimate", "low", "high"))
    points, ends = form.measured(more, low, high)
    out = [words.told(f"{about}: {mean} of {people} customers bought, against {base} of {others} in {response['control']}.")]
    out.append(f"  Difference: {points} points ({ends} points, at {level}).")
    kind, row = next(((name, mine.loc[key]) for key, name in _MONEY if key in mine.index), ("", None))
    if row is not None:
        n = int(row["n"])
        whole, low, high = (n * float(row[name]) for name in ("estimate", "low", "high"))
        total, span = form.measured(whole, low, high, "money")
        each = form.write(float(row["estimate"]), "exact")
        out.append(f"  Money: {total} more {words.fill(kind)} than control ({span}, at {level}), {each} for each contact.")
    return [*out, f"  Verdict: {words.told(_verdict(response, row, form))}"]


def _verdict(response: Any, money: Any, form: Format) -> str:
    if response["low"] > 0:
        said = "more bought because of it."
    elif response["high"] < 0:
        said = "fewer bought because of it."
    else:
        said = "it is not shown to have changed how many buy"
        seen = response.get("detectable")
        said += (
            f": a difference of {form.number(100 * float(seen), 1)} points could have been detected."
            if seen and not pd.isna(seen)
            else "."
        )
    return said if money is None else f"{said} {_of_money(money)}"


def _of_money(money: Any) -> str:
    """What is shown of money; of profit only where the metric is one."""
    more, less = money["low"] > 0, money["high"] < 0
    if money.name == "spend":
        if not (more or less):
            return "It is not shown to have changed what is spent."
        return f"{'More' if more else 'Less'} was spent because of it."
    after = "" if money.name == "profit" else ", before the cost of the offer"
    if less:
        return f"It cost more than it earned{after and ', even' + after[1:]}."
    if more:
        return f"It earned more than it cost{after}."
    return f"It is not shown to have earned more than it cost, nor less{after}."
