"""Checks of campaigns before anything is concluded from them: what makes results meaningless, and what weakens them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab.collecting import collect_arrow, collect_value
from crmlab.data.memory.rules import cell_problems, share_problems
from crmlab.data.rules.campaigns import in_two_cells, unknown_codes
from crmlab.errors import CampaignError
from crmlab.frames import as_ibis
from crmlab.history.sending import sent_of, silent
from crmlab.page.texts import titled

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = ["CampaignFinding", "check_campaigns", "check_tables"]


@dataclass(frozen=True)
class CampaignFinding:
    """Something that weakens the results of a campaign: which check, in a sentence, and how many it is about.

    ``campaign`` is None where the finding is about no single campaign.
    """

    check: str
    sentence: str
    count: int
    campaign: str | None = None


def check_campaigns(data: Dataset) -> list[CampaignFinding]:
    """Check the campaigns of a data set.

    Parameters
    ----------
    data : Dataset
        With the table ``cells``; ``contacts``, ``responses`` and ``customers`` are looked at where they are there.

    Returns
    -------
    list of CampaignFinding
        By check, then by campaign; empty where all is well.

    Raises
    ------
    CampaignError
        Cells do not make a test: a control that is its own cell, that there is none of or that is of another campaign; a cell
        without control beside others that have one; a code used twice; a negative cost; a window that ends before it begins.

    Examples
    --------
    >>> from crmlab.data.dataset import open_dataset
    >>> [finding.check for finding in check_campaigns(open_dataset("shop"))][:2]
    ['two_cells', 'two_cells']
    """
    tables = {name: data.table(name) for name in ("contacts", "responses", "customers") if name in data.tables}
    return check_tables(data.cells, **tables)


def check_tables(cells: Any, contacts: Any = None, responses: Any = None, customers: Any = None) -> list[CampaignFinding]:
    """Check canonical tables of campaigns, each of pandas, Polars, PyArrow or Ibis; see :func:`check_campaigns`.

    Examples
    --------
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"campaign_id": ["spring"], "cell_id": ["gift"], "control_cell_id": [None]})
    >>> [finding.check for finding in check_tables(cells)]
    ['no_control']
    """
    cells = as_ibis(cells, "cells", CampaignError)
    contacts = None if contacts is None else as_ibis(contacts, "contacts", CampaignError)
    responses = None if responses is None else as_ibis(responses, "responses", CampaignError)
    customers = None if customers is None else as_ibis(customers, "customers", CampaignError)
    known = collect_arrow(cells, ("campaign_id", "cell_id")).to_pandas()
    for problem in cell_problems(known):
        raise problem
    found = _of_cells(known)
    if contacts is not None:
        found += _of_contacts(known, cells, contacts, customers)
    if responses is not None:
        found += _of_responses(cells, contacts, responses)
    return [finding for finding in found if finding.count]


def _of_cells(known: Any) -> list[CampaignFinding]:
    found = []
    for campaign, mine in known.groupby("campaign_id"):
        if mine["control_cell_id"].isna().all():
            words = f"The campaign “{titled(str(campaign))}” has no control: what its {_many(len(mine), 'cell')} caused cannot be told."
            found.append(CampaignFinding("no_control", words, len(mine), str(campaign)))
    for campaign, mine in known.groupby("campaign_id"):
        if share_problems(mine):
            shares = mine["planned_share"]
            missing = int(shares.isna().sum())
            words = f"The planned shares of “{titled(str(campaign))}” add up to {float(shares.dropna().astype(float).sum()):.4g}, not to 1"
            words += f"; {_many(missing, 'cell')} without one." if missing else "."
            found.append(CampaignFinding("shares", words, len(mine), str(campaign)))
    return found


def _of_contacts(known: Any, cells: ibis.Table, contacts: ibis.Table, customers: ibis.Table | None) -> list[CampaignFinding]:
    found = []
    sizes = {row["cell_id"]: row["n"] for row in _rows(contacts.group_by("cell_id").agg(n=contacts.count()))}
    for campaign, mine in known.groupby("campaign_id"):
        empty = [name for name in sorted(mine["cell_id"]) if not sizes.get(name)]
        if empty:
            words = f"{_many(len(empty), 'cell')} of “{titled(str(campaign))}” without contacts: {', '.join(empty)}."
            found.append(CampaignFinding("empty_cell", words, len(empty), str(campaign)))
    strangers = sum(n for name, n in sizes.items() if name not in set(known["cell_id"]))
    words = f"{_many(strangers, 'contact')} of cells that are not in the table of cells: left out."
    found.append(CampaignFinding("unknown_cell", words, strangers))
    twice, pair = in_two_cells(contacts, cells), ["campaign_id", "customer_id"]
    controls = cells.semi_join(silent(cells), "cell_id").select("cell_id", "campaign_id")
    among = contacts.inner_join(controls, "cell_id").select(*pair).distinct().mutate(control=1)
    twice = twice.left_join(among, pair).select(*pair, "control")
    for row in _by_campaign(twice.group_by("campaign_id").agg(n=twice.count(), leaked=twice["control"].sum().coalesce(0))):
        are, leaked = "is" if row["n"] == 1 else "are", row["leaked"]
        words = f"{_many(row['n'], 'customer')} {are} in two cells of “{titled(row['campaign_id'])}”"
        who = "is a control who was" if leaked == 1 else "are controls who were"
        words += f"; {leaked:,} of them {who} contacted all the same." if leaked else "."
        found.append(CampaignFinding("two_cells", words, int(row["n"]), row["campaign_id"]))
    return found + _of_sending(cells, contacts, customers)


def _of_sending(cells: ibis.Table, contacts: ibis.Table, customers: ibis.Table | None) -> list[CampaignFinding]:
    """Codes, windows and consent of what was sent."""
    found = []
    wanted = ["cell_id", "campaign_id"]
    wanted += [name for name in ("response_code", "closes_on") if name in cells.columns]
    about = cells.select(wanted)
    if "response_code" in wanted:
        about = about.rename(own_code="response_code")
    assigned = contacts.inner_join(about, "cell_id")
    if "response_code" in contacts.columns and "response_code" in cells.columns:
        code, own = assigned["response_code"], assigned["own_code"]
        wrong = assigned.filter(code.notnull() & (own.isnull() | (code != own)))
        words = "with a response code other than its cell’s: responses are counted where the code says."
        found += _counted("other_code", wrong, "contact", words)
    if "closes_on" in wanted:
        late = assigned.filter(assigned["contacted_at"].cast("date") > assigned["closes_on"])
        found += _counted("late_contact", late, "contact", "after its window had closed.")
    if customers is not None and "contactable" in customers.columns:
        refused = customers.filter(~customers["contactable"]).select("customer_id")
        sent = sent_of(assigned, cells).semi_join(refused, "customer_id")
        found += _counted("not_contactable", sent, "contact", "of customers who may not be contacted.")
    return found


def _of_responses(cells: ibis.Table, contacts: ibis.Table | None, responses: ibis.Table) -> list[CampaignFinding]:
    found: list[CampaignFinding] = []
    unknown = unknown_codes(responses, cells)
    if unknown is None and "response_code" in responses.columns:
        n = _count(responses.filter(responses["response_code"].notnull()))
        words = f"{_many(n, 'response')} {'carries' if n == 1 else 'carry'} a code, but no cell has one; {_by_contact(n)}"
        found.append(CampaignFinding("unknown_code", words, n))
    if unknown is not None:
        codes = cells.filter(cells["response_code"].notnull()).select("response_code", named="cell_id")
        given = responses.filter(responses["response_code"].notnull())
        n = _count(unknown)
        words = f"{_many(n, 'response')} {'carries' if n == 1 else 'carry'} a code that belongs to no cell; {_by_contact(n)}"
        found.append(CampaignFinding("unknown_code", words, n))
        if contacts is not None:
            first = contacts.group_by(who="customer_id", named="cell_id").agg(first=contacts["contacted_at"].min())
            said = given.inner_join(codes, "response_code")
            early = said.inner_join(first, [said["customer_id"] == first["who"], said["named"] == first["named"]])
            found += _early(early.filter(early["responded_at"] < early["first"]), "by code")
    if contacts is not None:
        ever = contacts.group_by(who="customer_id").agg(first=contacts["contacted_at"].min())
        # An order or a request needs no contact; an open, a click or a complaint does.
        react = responses.filter(responses["kind"].notin(("order", "request")))
        if unknown is not None:
            react = react.filter(react["response_code"].isnull())
        before = react.inner_join(ever, react["customer_id"] == ever["who"])
        found += _early(before.filter(before["responded_at"] < before["first"]), "without a code")
    return found


def _by_contact(count: int) -> str:
    """How responses are matched that their code does not tell."""
    return "it is matched by contact if there is one." if count == 1 else "they are matched by contact where there is one."


def _early(rows: ibis.Table, how: str) -> list[CampaignFinding]:
    n = _count(rows)
    return [
        CampaignFinding(
            "early_response",
            f"{_many(n, 'response')} {how} came before the contact and {'is' if n == 1 else 'are'} not counted.",
            n,
        )
    ]


def _counted(check: str, rows: ibis.Table, thing: str, words: str) -> list[CampaignFinding]:
    """One finding per campaign."""
    counts = _by_campaign(rows.group_by("campaign_id").agg(n=rows.count()))
    return [
        CampaignFinding(
            check, f"{_many(row['n'], thing)} of “{titled(row['campaign_id'])}” {words}", int(row["n"]), row["campaign_id"]
        )
        for row in counts
    ]


def _by_campaign(table: ibis.Table) -> list[dict[str, Any]]:
    return sorted(_rows(table), key=lambda row: str(row["campaign_id"]))


def _rows(table: ibis.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = collect_arrow(table, table.columns).to_pylist()
    return rows


def _count(table: ibis.Table) -> int:
    return int(collect_value(table.count()))


def _many(count: int, thing: str) -> str:
    return f"1 {thing}" if count == 1 else f"{count:,} {thing}s"
