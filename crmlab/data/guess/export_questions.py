"""Asks about rows of a known export that its status alone does not tell: refunds, a state that another column has, events sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crmlab.data.exports.declaration import Part, find_column
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import Roles
from crmlab.data.guess.worth import Count, amounts, tally
from crmlab.data.statuses import spelled

__all__ = ["ask_about_export"]

_LISTED = 12
_NO_ID = (None, "(not set)")


def ask_about_export(
    roles: Roles, profiles: Sequence[Profile], part: Part, options: dict[str, Any], remarks: dict[str, str], *, complete: bool
) -> None:
    """Settle what a declaration says beside the words of the status, and ask where the TOML file cannot say it.

    Parameters
    ----------
    roles : Roles
        The mapping; ``status`` is another column where that one decides.
    profiles : sequence of Profile
        All columns of the file.
    part : Part
        What is declared of the table.
    options : dict
        Keys of the table's section, with the statuses in ``keep`` and ``drop``; changed.
    remarks : dict
        What is said beside each key; changed.
    complete : bool
        Whether these are all rows.
    """
    if "status" in roles.columns:
        _other_states(roles, profiles, part, options, remarks, complete=complete)
        _returned(roles, part, options, remarks)
    if part.sent_again:
        _sent_again(roles, profiles, options)


def _kept(roles: Roles, options: dict[str, Any]) -> list[bool]:
    """Which rows count, by their status."""
    status = roles.columns.get("status")
    if status is None:
        return [True] * len(next(iter(roles.columns.values())).values)
    keep = options.get("keep", options.get("#keep", ()))
    return [value is not None and str(value) in keep for value in status.values]


def _counted(roles: Roles, rows: Sequence[bool]) -> Count:
    return tally(["x" if row else None for row in rows], amounts(roles)).get("x", Count())


def _list(roles: Roles, key: str, values: list[str], options: dict[str, Any], remarks: dict[str, str]) -> None:
    """Write statuses into a list, with what each is worth beside it."""
    counts = {str(value): count for value, count in tally(roles.columns["status"].values, amounts(roles)).items()}
    listed = [f"{value}: {counts[value]}" for value in values if value in counts]
    more = [f"and {len(listed) - _LISTED} more"] if len(listed) > _LISTED else []
    options[key], remarks[key] = values, "; ".join([*listed[:_LISTED], *more])


def _other_states(
    roles: Roles, profiles: Sequence[Profile], part: Part, options: dict[str, Any], remarks: dict[str, str], *, complete: bool
) -> None:
    """Let another column be the status where it says as much; else tell which rows it calls no sales."""
    names = [item.name for item in profiles]
    for name, words in part.sale_where.items():
        if (found := find_column(name, names)) is None or roles.columns["status"].name == found:
            continue
        item, wanted = profiles[names.index(found)], {spelled(word) for word in words}
        says = [value is not None and spelled(str(value)) in wanted for value in item.values]
        kept = _kept(roles, options)
        wrong = [row and not sale for row, sale in zip(kept, says, strict=True)]
        if not any(wrong):
            continue
        if complete and item.filled == len(item.values) and all(row or not sale for row, sale in zip(kept, says, strict=True)):
            roles.columns["status"] = item
            values = [str(value) for value in tally(item.values, None)]
            for key in ("keep", "drop"):
                _list(roles, key, [one for one in values if (spelled(one) in wanted) == (key == "keep")], options, remarks)
            continue
        others = dict.fromkeys(str(value) for value, row in zip(item.values, wrong, strict=True) if row and value is not None)
        shown = ", ".join(f"'{value[:40]}'" for value in list(others)[:_LISTED])
        named = f" ({shown})" if shown else ""
        sentence = f"'{found}' says of {_counted(roles, wrong)} that they are no sales{named}, and they count."
        roles.doubt("status", f"{sentence} Take these rows out of the file.")


def _returned(roles: Roles, part: Part, options: dict[str, Any], remarks: dict[str, str]) -> None:
    """Take returns off that stand below zero, and ask about those that cannot be taken off."""
    status, money = roles.columns["status"], amounts(roles)
    declared = {spelled(word) for word in part.returned}
    counts = {str(value): count for value, count in tally(status.values, money).items() if spelled(str(value)) in declared}
    key = next((one for one in ("drop", "#drop") if one in options), "drop")
    if not declared or key not in options:
        return
    # Neither kept nor dropped, they are asked about again when the file is checked.
    _list(roles, key, [one for one in options[key] if spelled(one) not in declared], options, remarks)
    if not counts:
        return
    rows = [value is not None and str(value) in counts for value in status.values]
    below = money is not None and all(money[place] < 0 for place, row in enumerate(rows) if row)
    kept = "keep" if key == "drop" else "#keep"
    if below and not part.returned_by:
        _list(roles, kept, [*options.get(kept, ()), *counts], options, remarks)
        return
    shown = "; ".join(f"'{value}' ({count})" for value, count in counts.items())
    if below:
        answers = (
            Answer(label=f"take them off; {part.returned_by}", options={"keep": list(counts)}),
            Answer(label="leave them out: what they paid back counts in full", options={"drop": list(counts)}),
        )
        sentence = (
            f"'{status.name}' holds refunds: {shown}; {part.returned_by}, so they cannot be taken off those who paid. Put them into "
            "keep to take them off the sums, or into drop; until then what they paid back counts in full."
        )
        roles.ask(Question(key="status", sentence=sentence, answers=answers))
        return
    refund = roles.columns.get("refund")
    back = sum(abs(value or 0.0) for value, row in zip(refund.read(roles.decimal), rows, strict=True) if row) if refund else 0.0
    also = f", with {back:,.2f} paid back" if back else ""
    sentence = f"'{status.name}' holds returns or refunds that do not stand below zero: {shown}{also}."
    advice = "Write their amounts with a minus and put them into keep, or put them into drop."
    roles.doubt("status", f"{sentence} They are left out, and what they give back counts in full. {advice}")


def _sent_again(roles: Roles, profiles: Sequence[Profile], options: dict[str, Any]) -> None:
    """Ask about events with the number and the values of another, as a page sends them that is loaded again."""
    order = roles.columns.get("order_id")
    if order is None:
        return
    key = [
        roles.columns[role] for role in ("order_id", "product_id", "quantity", "unit_price", "amount") if role in roles.columns
    ]
    rows = list(zip(*(item.values for item in profiles), strict=True))
    seen: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    again = []
    for place, kept in enumerate(_kept(roles, options)):
        row = rows[place]
        if not kept or order.values[place] in _NO_ID:
            again.append(False)
            continue
        same = seen.setdefault(tuple(item.values[place] for item in key), set())
        again.append(bool(same) and row not in same)  # the same in every column is asked about elsewhere
        same.add(row)
    if any(again):
        sentence = f"{_counted(roles, again)} repeat the '{order.name}' of another, with the same values, as when a page is loaded again"
        roles.doubt("order_id", f"{sentence}: they count. Take them out of the file if each was one purchase.")
