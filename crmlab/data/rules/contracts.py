"""Rules of contracts: terms that never hold, that hold twice at once, and trials outside of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.data.rules.rule import Rule

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["RULES", "at_once", "ends_too_early"]

_NEEDS = ("contracts",)
_NEVER = "9999-12-31"  # later than every end


def ends_too_early(contracts: ibis.Table) -> ibis.Table | None:
    """Return the rows that end before they start; None where no ends are known. A row that ends on its first day holds for that day.

    Parameters
    ----------
    contracts : ibis.Table
        Canonical contracts.
    """
    if "ended_at" not in contracts.columns:
        return None
    wrong = contracts.filter(contracts["ended_at"] < contracts["started_at"])
    return wrong.select("contract_id", "customer_id", "started_at", "ended_at")


def at_once(contracts: ibis.Table, *key: str) -> ibis.Table:
    """Return the rows that begin while an earlier row of the same key still holds.

    Rows that never hold overlap none, a row that ends on the day on which the next begins gives way on it, and of rows that are the same
    in every column one is looked at.

    Parameters
    ----------
    contracts : ibis.Table
        Canonical contracts.
    *key : str
        Columns; rows that lack one of them are of no key.
    """
    import ibis

    held = contracts.distinct()
    for name in key:
        held = held.filter(held[name].notnull())
    last: Any = ibis.literal(_NEVER).cast("date")
    if "ended_at" in held.columns:
        last = held["ended_at"].fill_null(last)
    held = held.mutate(_last=last)
    held = held.filter(held["_last"] >= held["started_at"])
    others = [name for name in held.columns if name not in (*key, "started_at", "contract_id")]
    before = ibis.window(group_by=list(key), order_by=["started_at", "contract_id", *others], preceding=(None, 1))
    held = held.mutate(_until=held["_last"].max().over(before))
    again = held.filter(held["_until"] > held["started_at"])
    return again.select("contract_id", "customer_id", "started_at", *(["plan"] if "plan" in key else []), "price")


def _wrong_trials(data: Dataset) -> ibis.Table | None:
    contracts = data.contracts
    if "trial_until" not in contracts.columns:
        return None
    wrong = contracts.filter(contracts["trial_until"] < contracts["started_at"])
    return wrong.select("contract_id", "customer_id", "started_at", "trial_until")


def _copies(data: Dataset) -> ibis.Table:
    rows = data.contracts
    groups = rows.group_by(*rows.columns).agg(copies=rows.count())
    return groups.filter(groups["copies"] > 1)


def _of_same_plan(data: Dataset) -> ibis.Table:
    contracts = data.contracts
    if "plan" not in contracts.columns:
        return at_once(contracts, "customer_id")
    return at_once(contracts, "customer_id", "plan")


def _rows(data: Dataset) -> Any:
    return data.contracts.count()


RULES = (
    Rule(
        name="Contracts counted once",
        says="No contract appears twice",
        found="Some contracts appear more than once, the same in every column. Were they loaded twice?",
        advice='Remove the copy, or write duplicates = "drop" at the top of the data set’s file. Until then, each is counted once.',
        unit="contracts",
        needs=_NEEDS,
        base=_rows,
        broken=_copies,
    ),
    Rule(
        name="Contracts end after they start",
        says="No contract ends before it starts",
        found="Some contracts end before they start.",
        advice="They are ignored. Correct their days; where days and months are mixed up, correct date_format.",
        unit="contracts",
        needs=_NEEDS,
        grave=True,
        base=_rows,
        broken=lambda data: ends_too_early(data.contracts),
    ),
    Rule(
        name="One price at a time",
        says="No contract has two prices at once",
        found="Some contracts have two prices at once: a row begins before the previous one has ended.",
        advice="Both count, so the customer is charged twice. End the earlier row on the day before the later one.",
        unit="contracts",
        needs=_NEEDS,
        grave=True,
        base=_rows,
        broken=lambda data: at_once(data.contracts, "contract_id"),
    ),
    Rule(
        name="One contract for a plan",
        says="Nobody has two contracts for the same plan at once",
        found="Some customers have two contracts for the same plan at once.",
        advice="Both count. Where one replaces the other, end the earlier one on the day before; where both are paid, accept the rule.",
        unit="contracts",
        needs=_NEEDS,
        grave=True,
        base=_rows,
        broken=_of_same_plan,
    ),
    Rule(
        name="Trials lie in their contracts",
        says="No trial ends before its contract starts",
        found="Some trials end before their contracts start.",
        advice="They are not counted as trials. Correct trial_until, or leave it out where there was no trial.",
        unit="contracts",
        needs=_NEEDS,
        base=_rows,
        broken=_wrong_trials,
    ),
)
