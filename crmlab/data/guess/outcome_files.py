"""Recognises a test in one file: a row per customer with a cell and what came of it, and no dates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from crmlab.data.exports.declaration import form_of_name
from crmlab.data.guess.customers import id_text
from crmlab.data.guess.profiles import Profile
from crmlab.data.guess.roles import Roles, is_possible, name_score
from crmlab.data.personal import plain
from crmlab.data.reading.parse import FALSE, TRUE

__all__ = ["outcome_file"]

_CELLS = (
    "cell, cell id, test cell, test group, group, grp, variant, variation, arm, treatment, bucket, segment, condition, "
    "treated, treat, behandelt, zelle, testzelle, testgruppe, gruppe, variante, groupe, grupo, groep"
)
# What may be a cell by its name alone; a segment is one only where one of its values is that of a control.
_SURE = frozenset(map(form_of_name, _CELLS.split(", "))) - {form_of_name("segment"), form_of_name("group"), form_of_name("grp")}
_CONTROL = re.compile(
    r"\b(control|ctrl|controle|kontroll\w*|temoin|hold ?out|baseline|untreated|placebo)\b|^(none|nothing|a|0|false|nein)$"
    r"|^(no|kein\w*|ohne|sans|sin) "
)
_BEFORE = re.compile(
    r"before|prior|\bpre\b|previous|past|last year|history|recency|tenure|\bage\b|since|newbie|alter|bisher|vorjahr|vorher|avant|antes"
)
_MONEY = re.compile(r"spend|spent|revenue|umsatz|ausgaben|spende\b|chiffre|depense|gasto|ventas|importe|montant|betrag")
_AGE = re.compile(r"^(age|alter|edad|leeftijd)$")
_WORSE = re.compile(r"complain|unsub|opt.?out|churn|refund|bounce|spam|beschwerde|abmeld|plainte|desabon|queja|\bbaja")
_MOST = 20  # cells


def outcome_file(
    profiles: Sequence[Profile], columns: Sequence[Sequence[Any]], decimal: str
) -> tuple[Roles, dict[str, Any]] | None:
    """Say whether a file holds a test with its outcomes, by names and values, and map it.

    Parameters
    ----------
    profiles : sequence of Profile
        All columns of the file.
    columns : sequence of sequences
        Their values as they stand in the file: "none" and "NA" are names of cells.
    decimal : str
        Its decimal sign.

    Returns
    -------
    (Roles, dict) or None
        The columns of the unit and the cell, and the keys control, outcomes and covariates of the section ``[test]``. None where it is no
        such file.
    """
    found = next(
        ((item, names) for item, one in zip(profiles, columns, strict=True) if _is_cell(item, names := _names(one))), None
    )
    if found is None:
        return None
    cell, names = found
    dated = any(item.dates.share >= 0.8 for item in profiles)
    if dated and form_of_name(cell.name) not in _SURE:
        return None
    unit = max(
        (item for item in profiles if name_score("customer_id", item) >= 0.6 and is_possible("customer_id", item)),
        key=lambda item: name_score("customer_id", item),
        default=next((item for item in profiles if item.unique and item.numbers.fractions == 0 and not item.personal), None),
    )
    if dated and (unit is None or not unit.unique):  # orders, perhaps
        return None
    free = [item for item in profiles if item not in (cell, unit) and (not item.personal or _AGE.search(plain(item.name)))]
    measured = [item for item in free if _is_measure(item, decimal)]
    before = [
        item.name for item in measured if _AGE.search(plain(item.name)) or _BEFORE.search(plain(item.name).replace("_", " "))
    ]
    outcomes = {item.name: _outcome(item) for item in measured if item.name not in before}
    if not outcomes:
        return None
    roles = Roles("test", {**({} if unit is None else {"unit": unit}), "cell": cell}, decimal)
    roles.personal = tuple(item for item in profiles if item.personal and item not in (cell, unit, *measured))
    control, sure = _control(names)
    if not sure:
        listed = ", ".join(f"'{name}'" for name in sorted(names)[:8])
        roles.doubt("control", f"Which cell is the control is a guess; the cells are {listed}.")
    roles.doubt(
        "outcomes",
        "These columns are taken for what came of the test. Take out what is none, and name first what the test was for.",
    )
    options: dict[str, Any] = {"control": control, "outcomes": outcomes}
    blank = [item.name for item in measured if item.name in outcomes and item.filled < len(item.values)]
    if blank:
        listed = ", ".join(f"'{name}'" for name in blank)
        roles.doubt(
            "blanks",
            f"Some rows have nothing in {listed}: that is read as nothing having happened. If it is not known, leave such rows out.",
        )
        options["blanks"] = "zero"
    return roles, {**options, "covariates": before} if before else options


def _names(column: Sequence[Any]) -> Counter[str]:
    """Cells and their sizes."""
    return Counter(id_text(value) for value in column if value is not None)


def _is_cell(item: Profile, names: Counter[str]) -> bool:
    """Whether a column names cells: few values that repeat, under such a name, or with a control among them."""
    called = form_of_name(item.name)
    if not 2 <= len(names) <= _MOST or len(item.values) < 5 * len(names) or (item.personal and called not in _SURE):
        return False
    return called in _SURE or (called in map(form_of_name, _CELLS.split(", ")) and _control(names)[1])


def _control(names: Counter[str]) -> tuple[str, bool]:
    """The cell that reads like a control, and whether any does; else the largest."""
    named = sorted(name for name in names if _CONTROL.search(re.sub(r"[_-]+", " ", plain(name))))
    return (named[0], True) if named else (names.most_common(1)[0][0], False)


def _outcome(item: Profile) -> Any:
    """What an outcome is, by its values and its name, and whether less of it is better."""
    kind = _kind(item)
    return {"kind": kind, "direction": "down"} if _WORSE.search(plain(item.name)) else kind


def _kind(item: Profile) -> str:
    if _is_flag(item):
        return "rate"
    return "money" if name_score("amount", item) >= 0.6 or _MONEY.search(plain(item.name)) else "mean"


def _is_flag(item: Profile) -> bool:
    """Whether all values of a column are yes or no."""
    values = {re.sub(r"^([01])[.,]0+$", r"\1", str(value).strip().lower()) for value in set(item.values) if value is not None}
    return values <= {*TRUE, *FALSE}


def _is_measure(item: Profile, decimal: str) -> bool:
    """Whether all values of a column are numbers, or yes and no: of a column of yes and blanks too."""
    if item.filled == 0 or (item.distinct < 2 and item.filled == len(item.values)):
        return False
    if _is_flag(item):
        return True
    if item.distinct < 2:
        return False
    return all(number is not None for value, number in zip(item.values, item.read(decimal), strict=True) if value is not None)
