"""The cells of the next campaign: combinations of offer, list and creative, each with a code, a share and a control."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from crmlab.data.codes import check_code, normalised, response_codes
from crmlab.data.memory.rules import cell_problems, share_problems
from crmlab.errors import CampaignError
from crmlab.frames import as_pandas
from crmlab.models.testing import factorials
from crmlab.models.testing.power import control_share

__all__ = ["COLUMNS", "COMPONENTS", "Codes", "Design", "Sending", "check_cells", "design_cells"]


COMPONENTS = ("offer", "list", "creative")
COLUMNS = (
    "campaign_id", "program_id", "cell_id", "control_cell_id", "response_code", "offer", "list", "creative", "channel",
    "cost_per_contact", "fixed_cost", "cost_per_response", "discount", "planned_share", "opens_on", "closes_on",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """Cells of a campaign, and what they can and cannot tell apart.

    Attributes
    ----------
    cells : DataFrame
        Rows of the canonical table ``cells``, controls first.
    aliases : DataFrame
        Effects that these cells cannot tell apart, see :func:`crmlab.models.testing.factorials.aliases`.
    warnings : tuple of str
    """

    cells: pd.DataFrame
    aliases: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def controls(self) -> pd.DataFrame:
        """Cells that others are compared with."""
        return self.cells[self.cells["control_cell_id"].isna()]

    @property
    def treated(self) -> pd.DataFrame:
        """Cells that are compared with a control."""
        return self.cells[self.cells["control_cell_id"].notna()]

    def only(self, names: Collection[str], share: float | None = None) -> Design:
        """The same campaign with fewer cells, each with its code; shares are made anew.

        Parameters
        ----------
        names : collection of str
            Cells with a control.
        share : float, optional
            Of the control; default: √m / (m + √m) for m cells.
        """
        if set(names) == set(self.treated["cell_id"]):
            return self
        kept = self.cells[self.cells["control_cell_id"].isna() | self.cells["cell_id"].isin(names)].reset_index(drop=True)
        kept = kept.assign(planned_share=_shared(kept, 1, "optimal" if share is None else share))
        return Design(cells=kept, aliases=self.aliases.iloc[:0], warnings=_warned(kept, self.aliases.iloc[:0], False))

    def shares(self) -> dict[str, float]:
        """Share of the list by cell."""
        return {str(name): float(share) for name, share in zip(self.cells["cell_id"], self.cells["planned_share"], strict=True)}


@dataclass(frozen=True, kw_only=True)
class Codes:
    """Response codes of cells: ``given`` in their order, or else made from their names; ``taken`` by other campaigns."""

    given: Sequence[str] = ()
    taken: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How cells are sent, what that costs, and when.

    Attributes
    ----------
    channel : str, or mapping of creative to channel
    cost_per_contact, fixed_cost : float
        Of every cell that is sent something.
    cost_per_response, discount : mapping of offer to float
        What an offer costs for each who buys, and which share of the price it takes off; of an offer in neither, its cost is not known.
    opens_on, closes_on : date or None
    """

    channel: str | Mapping[str, str] = "email"
    cost_per_contact: float = 0.0
    fixed_cost: float = 0.0
    cost_per_response: Mapping[str, float] = field(default_factory=dict)
    discount: Mapping[str, float] = field(default_factory=dict)
    opens_on: dt.date | None = None
    closes_on: dt.date | None = None


def design_cells(
    factors: Mapping[str, Sequence[str]],
    *,
    campaign: str = "next",
    generators: Mapping[str, Sequence[str]] | None = None,
    control: Mapping[str, str] | None = None,
    share: float | str | Sequence[float] = "optimal",
    codes: Codes = Codes(),
    sending: Sending = Sending(),
) -> Design:
    """Lay out the cells of a campaign.

    Parameters
    ----------
    factors : mapping of "offer", "list", "creative" to their levels
        A factor of one level is the same in all cells. With several lists each has a control of its own: people of two lists
        cannot be compared.
    campaign : str
    generators : mapping of factor to factors, optional
        For a fraction of the combinations: ``{"creative": ("offer", "list")}``, see :func:`crmlab.models.testing.factorials.design_cells`.
    control : mapping of component to level, optional
        What the control is sent; default: nothing.
    share : float, "optimal", "equal" or sequence of float
        Of the control; optimal is √m / (m + √m) for m cells. Several: of the controls, then of the cells, in their order; they add
        up to 1.
    codes : Codes
    sending : Sending

    Returns
    -------
    Design

    Raises
    ------
    CampaignError
        An unknown component, a code used twice or mistyped, shares that do not add up, a negative cost, a window that ends before it
        begins, a campaign without cells.
    ModelError
        A level named twice, or generators that make no fraction.

    Examples
    --------
    >>> design = design_cells({"offer": ["10% off", "gift"], "creative": ["plain"]}, campaign="spring")
    >>> design.cells[["cell_id", "control_cell_id", "response_code"]].astype(object).fillna("").values.tolist()
    [['spring-0', '', ''], ['spring-1', 'spring-0', 'AYADH7'], ['spring-2', 'spring-0', '5VDWQ5']]
    >>> design.cells["planned_share"].round(3).tolist()
    [0.414, 0.293, 0.293]
    """
    table, found = _combinations(factors, generators)
    lists = list(dict.fromkeys(table["list"])) if "list" in table.columns else [None]
    several = len(lists) > 1
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(lists, start=1):
        sent = dict(control or {})
        label = f"{campaign}-{number}" if several else campaign
        rows.append({"cell_id": f"{label}-0", "control_cell_id": None, "program_id": "control", "list": name, **sent})
    for place, row in enumerate(table.to_dict("records"), start=1):
        label = f"{campaign}-{lists.index(row['list']) + 1}" if several else campaign
        rows.append({"cell_id": f"{label}-{place}", "control_cell_id": f"{label}-0", "program_id": row.get("offer"), **row})
    frame = pd.DataFrame(rows, dtype=object)
    treated = frame["control_cell_id"].notna()
    active = treated | frame[[name for name in ("offer", "creative") if name in frame.columns]].notna().any(axis=1)
    frame["response_code"] = _coded(frame, active, campaign, codes)
    frame["channel"] = [_channel(sending.channel, row.get("creative")) for row in frame.to_dict("records")]
    frame["cost_per_contact"] = [float(sending.cost_per_contact) if one else 0.0 for one in active]
    frame["fixed_cost"] = [float(sending.fixed_cost) if one else 0.0 for one in treated]
    for name in ("cost_per_response", "discount"):
        known: Mapping[str, float] = getattr(sending, name)
        frame[name] = [
            known.get(row["offer"]) if isinstance(row.get("offer"), str) else None for row in frame.to_dict("records")
        ]
    frame["planned_share"] = _shared(frame, len(lists), share)
    frame = frame.assign(campaign_id=campaign, opens_on=sending.opens_on, closes_on=sending.closes_on).reindex(
        columns=list(COLUMNS)
    )
    frame = frame.astype(
        dict.fromkeys(("planned_share", "cost_per_contact", "fixed_cost", "cost_per_response", "discount"), float)
    )
    check_cells(frame)
    return Design(cells=frame, aliases=found, warnings=_warned(frame, found, bool(control)))


def check_cells(cells: Any) -> None:
    """Raise the first thing among cells that makes their results meaningless: see :mod:`crmlab.data.memory.rules`.

    Parameters
    ----------
    cells : table
        The canonical table ``cells``, of pandas, Polars, PyArrow or Ibis.

    Raises
    ------
    CampaignError
        A cell without control, a control that is its own cell, a code used twice, shares that do not add up to 1, a negative cost, a
        window that ends before it begins.

    Examples
    --------
    >>> check_cells(pd.DataFrame({"campaign_id": "spring", "cell_id": ["gift", "none"], "control_cell_id": ["none", None]}))
    >>> check_cells(pd.DataFrame({"campaign_id": "spring", "cell_id": ["gift", "none"], "control_cell_id": ["gift", None]}))
    Traceback (most recent call last):
    crmlab.errors.campaigns.CampaignError: ...
    """
    frame = as_pandas(cells, "cells", CampaignError, key="cell_id")
    for problem in (*cell_problems(frame), *share_problems(frame)):
        raise problem


def _combinations(
    factors: Mapping[str, Sequence[str]], generators: Mapping[str, Sequence[str]] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All cells by their components, and what is aliased among those that vary."""
    for name, levels in factors.items():
        if name not in COMPONENTS:
            raise CampaignError.must_be("A component of cells", f"one of {', '.join(COMPONENTS)}", name)
        if not levels or not all(isinstance(level, str) and level.strip() for level in levels):
            raise CampaignError.must_be(f"The levels of '{name}'", "at least one text", list(levels) or "none")
    if not factors:
        raise CampaignError.must_be("The components of cells", f"some of {', '.join(COMPONENTS)}", "none")
    varied = {name: list(levels) for name, levels in factors.items() if len(levels) > 1}
    table = factorials.design_cells(varied, generators) if varied else pd.DataFrame(index=[0])
    for name, levels in factors.items():
        if name not in varied:
            table[name] = levels[0]
    # Names of pairs are those of models; a fraction of three factors has effects of two at most that matter.
    same = pd.DataFrame(columns=["effect", "aliased_with", "correlation", "how"])
    if len(varied) > 1:
        same = factorials.aliases(table[list(varied)], min(2, len(varied)))
    return table[[name for name in COMPONENTS if name in table.columns]], same


def _coded(frame: pd.DataFrame, active: pd.Series, campaign: str, given: Codes) -> list[str | None]:
    """A code for whatever is sent."""
    codes, taken = given.given, given.taken
    names = frame.loc[active, "cell_id"].tolist()
    if codes and len(codes) != len(names):
        raise CampaignError.must_be("The response codes", f"one for each of {len(names)} cells", ", ".join(codes))
    for code in codes:
        if not check_code(code):
            raise CampaignError.must_be("A response code", "one whose last character checks the others", code)
        if normalised(code) in {normalised(one) for one in taken}:
            raise CampaignError.must_be("A response code", "one that no other campaign has", code)
    made = (
        dict(zip(names, (normalised(code) for code in codes), strict=True))
        if codes
        else response_codes(names, campaign, taken=taken)
    )
    return [made.get(name) for name in frame["cell_id"]]


def _channel(channel: str | Mapping[str, str], creative: Any) -> str:
    if isinstance(channel, str):
        return channel
    return str(channel.get(creative) or next(iter(channel.values())))


def _shared(frame: pd.DataFrame, lists: int, share: float | str | Sequence[float]) -> list[float]:
    treated = int(frame["control_cell_id"].notna().sum())
    if not isinstance(share, str | float | int):
        if len(share) != len(frame):
            raise CampaignError.must_be("The shares", f"one for each of {len(frame)} cells, controls first", tuple(share))
        return [float(one) for one in share]
    its = control_share(max(treated // lists, 1), share)
    return [its / lists] * lists + [(1 - its) / treated] * treated


def _warned(frame: pd.DataFrame, same: pd.DataFrame, sent: bool) -> tuple[str, ...]:
    """What the cells cannot tell apart, in sentences."""
    found = []
    parts = [name for name in COMPONENTS if frame[name].notna().any()]
    components = {row["cell_id"]: {name: row[name] for name in parts} for row in frame.astype(object).to_dict("records")}
    controls = {
        row["cell_id"]: row["control_cell_id"] for row in frame.to_dict("records") if not pd.isna(row["control_cell_id"])
    }
    components = {name: {part: None if pd.isna(one) else one for part, one in own.items()} for name, own in components.items()}
    differences = factorials.component_differences(components, controls)
    if sent:
        found += [str(one) for one in differences["warning"].dropna()]
    elif (differences["count"] > 1).any():
        names = differences.loc[differences["count"] > 1, "differs"].iloc[0].replace(", ", " and ")
        found.append(
            f"The control is sent nothing, so each cell differs from it in {names} at once: what a cell achieves is the combined "
            "effect of these, and of being contacted at all."
        )
    for row in same.to_dict("records"):
        how = "cannot be told apart from" if row["how"] == "fully" else "can only partly be told apart from"
        other = "the mean of all cells" if row["aliased_with"] == "mean" else row["aliased_with"]
        found.append(f"The effect of {row['effect']} {how} that of {other}.")
    return tuple(found)
