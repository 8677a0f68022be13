"""Which campaign is looked at, and what its cells did: the numbers on which everything else of the page rests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.moments import cell_statistics
from crmlab.analyses.campaigns.reductions import MONEY, assigned, outcomes, windows, with_answers
from crmlab.analyses.campaigns.responding import answers_counted, answers_told
from crmlab.collecting import collect_arrow
from crmlab.data.memory.reader import COMPONENTS
from crmlab.data.memory.rules import OFFER_COSTS, cell_problems, share_problems
from crmlab.errors import CampaignError, TooLittleError, listing
from crmlab.history.context import Margin, margin_known
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import SampleRatio, compare_cells, sample_ratio
from crmlab.models.testing.measures import measure

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = [
    "RATIO_ALPHA",
    "Costs",
    "Measured",
    "after_offers",
    "choose_campaign",
    "compared",
    "contrast",
    "covariates_of",
    "ends",
    "first_contacts",
    "known_cells",
    "measured",
    "mismatched",
    "offers_priced",
    "overall",
    "ratio_of",
    "ratio_of_sizes",
]


METRICS = ("response", "spend", "margin")
COVARIATE = "before"  # spend in the year before the window opened
LEAST = 2  # customers, or households, without which a mean has no variance


RATIO_ALPHA = 0.001  # under it sizes do not fit the design; small, as the check runs on every campaign


class Costs(NamedTuple):
    """What a cell cost: its contacts, fixed cost included, and the offers that were taken."""

    contacts: float
    offers: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.contacts + self.offers


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What the cells of one campaign did.

    Attributes
    ----------
    campaign : str
    cells : DataFrame
        Rows of the cells table that are compared, controls first, with ``cost`` (of a contact and of what the cell costs beside,
        per contact), ``per_contact``, ``fixed``, ``per_response`` (cost of the offer to each who buys) and ``priced``: False where the
        cell has an offer and nothing says what it costs.
    days : DataFrame
        Windows, see :func:`crmlab.analyses.campaigns.reductions.windows`.
    table : ibis.Table
        One row per customer with outcomes; ``after_offer`` is what is left of margin after the offer.
    stats : dict of str to CellStatistics
        response, spend, margin, profit (margin less contacts, fixed costs and the offer to each who bought) and the covariate, by
        cell, controls first.
    control : dict of str to str
        Cell → its control.
    counts : DataFrame
        cell_id, n, units of every cell of the plan, those that are not compared too.
    margin : Margin
        Share of spend, and where it is from.
    notes : tuple of str
        What was left out, and why; and what was recorded beside the orders.
    """

    campaign: str
    cells: pd.DataFrame
    days: pd.DataFrame
    table: ibis.Table
    stats: dict[str, CellStatistics]
    control: dict[str, str]
    counts: pd.DataFrame
    margin: Margin
    notes: tuple[str, ...]

    @property
    def treated(self) -> list[str]:
        """Cells that have a control, in order."""
        return [name for name in self.stats if name in self.control]

    @property
    def clustered(self) -> bool:
        """Whether people of one household were assigned together."""
        return any(cell.clusters is not None for cell in self.stats.values())

    @property
    def offers_unknown(self) -> list[str]:
        """Cells, controls too, with an offer of which nothing says what it costs."""
        return [str(row["cell_id"]) for row in self.cells.to_dict("records") if not row["priced"]]

    @property
    def unpriced(self) -> list[str]:
        """Cells with a control whose offer, or that of their control, costs nobody knows what: what they bring is before that cost."""
        unknown = self.offers_unknown
        return [cell for cell in self.treated if cell in unknown or self.control[cell] in unknown]

    def costs(self, cell: str) -> Costs:
        """What a cell cost."""
        row = self.cells.set_index("cell_id").loc[cell]
        n = self.stats[cell].n
        return Costs(n * float(row["cost"]), n * float(row["per_response"]) * self.stats[cell].mean("response"))

    def priced(self, per_response: Mapping[str, float]) -> Measured:
        """The same campaign, had the offers of some cells cost so much for each who buys."""
        cells = self.cells.assign(
            per_response=[
                per_response.get(str(a), b) for a, b in zip(self.cells["cell_id"], self.cells["per_response"], strict=True)
            ]
        )
        return replace(self, cells=cells, table=after_offers(self.table, cells), stats=_statistics(self.table, cells))

    @property
    def is_open(self) -> bool:
        """Whether the window of any cell goes on."""
        return bool(self.days["is_open"].any())

    def varies(self, metric: str) -> bool:
        """Whether anybody differs in a metric."""
        return any(cell.scatter[cell.index(metric), cell.index(metric)] > 0 for cell in self.stats.values())

    def name(self, cell: str) -> str:
        """What a cell is, in words: the components by which cells differ, else offer and creative, else its id."""
        if cell not in self.control:
            return "Control" if len(set(self.control.values())) == 1 else f"Control {cell}"
        row = self.cells.set_index("cell_id").loc[cell]
        named = self.components or tuple(name for name in ("offer", "creative") if name in self.cells.columns)
        parts = [str(row[name]) for name in named if not pd.isna(row[name])]
        return ", ".join(parts) or cell

    @property
    def components(self) -> tuple[str, ...]:
        """Columns in which cells with a control differ."""
        mine = self.cells[self.cells["control_cell_id"].notna()]
        return tuple(
            name
            for name in COMPONENTS
            if name in mine.columns and mine[name].notna().any() and mine[name].nunique(dropna=False) > 1
        )


def known_cells(data: Dataset) -> pd.DataFrame:
    """The cells table as a frame, in order of campaign and cell."""
    return _plain(collect_arrow(data.cells, ("campaign_id", "cell_id")).to_pandas())


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for name in ("campaign_id", "cell_id", "control_cell_id"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame.sort_values(["campaign_id", "cell_id"], ignore_index=True)


def choose_campaign(cells: pd.DataFrame, contacts: ibis.Table, as_of: dt.date, given: str | None = None) -> str:
    """Say which campaign is looked at: the one given, else the last whose windows are over, else the last that began.

    Parameters
    ----------
    cells : DataFrame
        Of all campaigns.
    contacts : ibis.Table
    as_of : datetime.date
    given : str, optional

    Raises
    ------
    CampaignError
        There is no such campaign.
    TooLittleError
        None had begun and has a control.
    """
    known = sorted(cells["campaign_id"].astype(str).unique())
    if given is not None:
        if given not in known:
            raise CampaignError.unknown(given, known)
        return given
    began = first_contacts(contacts, as_of)
    able: list[tuple[bool, dt.date, str]] = []
    for campaign, mine in cells.groupby("campaign_id"):
        firsts = [began[name] for name in mine["cell_id"] if name in began]
        if firsts and mine["control_cell_id"].notna().any():
            days = windows(mine, min(firsts), as_of)
            last = max(days["closes"])
            able.append((last <= as_of, last if last <= as_of else min(days["opens"]), str(campaign)))
    if not able:
        needed = "a campaign that has a control and had begun by the last day of history"
        raise TooLittleError.needs("campaign_results", needed, f"none of {listing(known)}")
    return max(able)[2]


def first_contacts(contacts: ibis.Table, as_of: dt.date) -> dict[str, dt.date]:
    """Day of the first contact of each cell, up to a day."""
    firsts = contacts.group_by("cell_id").agg(first=contacts["contacted_at"].min())
    found = collect_arrow(firsts, "cell_id").to_pylist()
    return {str(row["cell_id"]): row["first"].date() for row in found if row["first"].date() <= as_of}


def measured(
    data: Dataset,
    campaign: str,
    as_of: dt.date,
    *,
    cells: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    margin: float | None = None,
    min_group: int = 1,
) -> Measured:
    """Measure the cells of a campaign.

    Parameters
    ----------
    data : Dataset
    campaign : str
    as_of : datetime.date
        Last day of history.
    cells, people : DataFrame, optional
        Cells and assignment (customer_id, cell_id, household_id and, where known, contacted_at) as the campaign memory has them;
        default: the tables of the data set.
    margin : float, optional
        Share of spend that is left; default: from unit costs, else margin is revenue.
    min_group : int
        Cells of fewer customers are left out.

    Returns
    -------
    Measured

    Raises
    ------
    CampaignError
        The cells do not make a test, or no cell and control have customers.
    """
    every = known_cells(data) if cells is None else _plain(cells)
    mine = every[every["campaign_id"].astype(str) == campaign].sort_values("cell_id", ignore_index=True)
    for problem in cell_problems(mine):
        raise problem
    if mine["control_cell_id"].isna().all():
        raise CampaignError.must_be(f"The cells of {campaign}", "compared with a control", "no control")
    contacts = data.contacts if people is None else _as_contacts(people, mine, campaign)
    names = [str(name) for name in mine["cell_id"]]
    began = {name: day for name, day in first_contacts(contacts, as_of).items() if name in names}
    if not began:
        raise CampaignError(f"Campaign {campaign} has no results yet. Expected contacts by {as_of}. Found none until then.")
    days = windows(mine, min(began.values()), as_of).assign(discount=_amounts(mine, "discount"))
    who = assigned(contacts, names, as_of)
    known = margin_known(data, as_of, margin)
    goods = {"order_lines": data.order_lines, "products": data.products} if known.source == "costs" else {}
    rows = outcomes(who, days, data.orders, margin=known.share, **goods)
    answers = answers_counted(data.remembered, campaign)
    if answers is not None:
        rows = with_answers(rows, days, answers)
    if rows.get_backend().name == "pyspark":
        # Ibis 12 caches there without bringing the frames of the expression along; whoever executes it brings them.
        rows.get_backend().execute(rows.limit(0))
    table = rows.cache()
    stats = _moments(table, METRICS)
    sizes = table.group_by("cell_id").agg(n=table.count(), units=table["unit"].nunique())
    counts = (
        pd.DataFrame({"cell_id": names})
        .merge(collect_arrow(sizes, "cell_id").to_pandas(), how="left", on="cell_id")
        .fillna({"n": 0, "units": 0})
    )
    counts[["n", "units"]] = counts[["n", "units"]].astype(np.int64)
    kept, notes = _comparable(mine, stats, campaign, max(min_group, LEAST))
    notes += [said] if (said := answers_told(data.remembered, campaign)) else []
    costed = _costs(kept, stats)
    control = {str(a): str(b) for a, b in zip(costed["cell_id"], costed["control_cell_id"], strict=True) if b is not None}
    return Measured(
        campaign=campaign,
        cells=costed,
        days=days,
        table=after_offers(table, costed),
        stats=_statistics(table, costed, stats),
        control=control,
        counts=counts,
        margin=known,
        notes=tuple(notes),
    )


def _as_contacts(people: pd.DataFrame, cells: pd.DataFrame, campaign: str) -> ibis.Table:
    """An assignment as contacts; where it does not say when, on the day on which the windows open."""
    import ibis
    import pyarrow as pa

    if "contacted_at" in people.columns:
        moments = [moment.to_pydatetime() for moment in people["contacted_at"]]
    else:
        moments = _opening(people, cells, campaign)
    home = people["household_id"] if "household_id" in people.columns else pd.Series([None] * len(people))
    return ibis.memtable(
        pa.table(
            {
                "customer_id": pa.array(people["customer_id"].astype(str).tolist(), pa.string()),
                "cell_id": pa.array(people["cell_id"].astype(str).tolist(), pa.string()),
                "contacted_at": pa.array(moments, pa.timestamp("us")),
                "household_id": pa.array([None if pd.isna(name) else str(name) for name in home], pa.string()),
            }
        )
    )


def _opening(people: pd.DataFrame, cells: pd.DataFrame, campaign: str) -> list[dt.datetime]:
    """When the window of everybody's cell opens."""
    opens = cells["opens_on"] if "opens_on" in cells.columns else pd.Series([None] * len(cells))
    if opens.isna().any():
        raise CampaignError.must_be(f"opens_on of {campaign}", "given for every cell", "an empty one")
    day = dict(zip(cells["cell_id"], pd.to_datetime(opens), strict=True))
    return [day[cell].to_pydatetime() for cell in people["cell_id"]]


def _comparable(
    cells: pd.DataFrame, stats: dict[str, CellStatistics], campaign: str, least: int
) -> tuple[pd.DataFrame, list[str]]:
    """Cells that are large enough and whose control is, controls first; and what was left out."""
    small = [str(name) for name in cells["cell_id"] if name not in stats or stats[name].units < LEAST or stats[name].n < least]
    notes = [f"The cell “{name}” has fewer than {least} customers and is left out." for name in small]
    kept = cells[~cells["cell_id"].isin(small)]
    lost = [str(a) for a, b in zip(kept["cell_id"], kept["control_cell_id"], strict=True) if b is not None and b in small]
    notes += [f"The cell “{name}” is left out because its control is." for name in lost]
    kept = kept[~kept["cell_id"].isin(lost)]
    used = set(kept["control_cell_id"].dropna())
    kept = kept[kept["control_cell_id"].notna() | kept["cell_id"].isin(used)]
    if not used:
        raise CampaignError.must_be(
            f"A cell of {campaign} and its control", f"of at least {least} customers each", "none that are"
        )
    treated = kept["control_cell_id"].notna()
    return kept.assign(_place=treated).sort_values(["_place", "cell_id"], ignore_index=True).drop(columns="_place"), notes


def _amounts(cells: pd.DataFrame, name: str) -> list[float]:
    """A column of cells, 0 where nothing is said."""
    values = cells[name] if name in cells.columns else [None] * len(cells)
    return [0.0 if value is None or pd.isna(value) else float(value) for value in values]


def _costs(cells: pd.DataFrame, stats: dict[str, CellStatistics]) -> pd.DataFrame:
    each, fixed = _amounts(cells, "cost_per_contact"), _amounts(cells, "fixed_cost")
    sizes = [stats[str(name)].n for name in cells["cell_id"]]
    cost = [a + b / n for a, b, n in zip(each, fixed, sizes, strict=True)]
    return cells.assign(
        per_contact=each, fixed=fixed, cost=cost, per_response=_amounts(cells, "cost_per_response"), priced=offers_priced(cells)
    )


def offers_priced(cells: pd.DataFrame) -> list[bool]:
    """Say of each cell whether it is known what its offer costs: it has none, or names its cost per response or its discount.

    Parameters
    ----------
    cells : DataFrame
        Rows of the canonical table ``cells``. Columns that are optional may be absent.

    Examples
    --------
    >>> offers_priced(pd.DataFrame({"offer": [None, "gift", "gift"], "cost_per_response": [None, None, 0.0]}))
    [True, False, True]
    """
    known = pd.Series(True, index=cells.index)
    if "offer" in cells.columns:
        known = cells["offer"].isna()
        for name in OFFER_COSTS:
            if name in cells.columns:
                known = known | cells[name].notna()
    return [bool(one) for one in known]


def _statistics(
    table: ibis.Table, cells: pd.DataFrame, known: dict[str, CellStatistics] | None = None
) -> dict[str, CellStatistics]:
    """Size and moments of the cells that are compared, with profit.

    An offer costs for everybody who buys, so that profit varies with who does: what is left after it is a metric of its own.
    """
    names = [str(name) for name in cells["cell_id"]]
    if known is None or (cells["per_response"] != 0).any():
        known = _moments(after_offers(table, cells), (*METRICS, "after_offer"))
    left = "after_offer" if "after_offer" in known[names[0]].metrics else "margin"
    costs = zip(names, cells["cost"], strict=True)
    return {name: known[name].combine("profit", {left: 1.0}, -float(cost)) for name, cost in costs}


def _moments(table: ibis.Table, metrics: Sequence[str]) -> dict[str, CellStatistics]:
    return cell_statistics(table, metrics, covariates=[COVARIATE], rates=["response"], household="unit")


def after_offers(table: ibis.Table, cells: pd.DataFrame) -> ibis.Table:
    """Add ``after_offer`` to outcomes: what is left of margin after the offer, which costs for everybody who bought."""
    import ibis

    named = zip(cells["cell_id"], cells["per_response"], strict=True)
    gifts = {str(cell): Decimal(f"{gift:.4f}") for cell, gift in named if gift != 0}
    none = ibis.literal(Decimal(0), type=MONEY)
    cases = [(table["cell_id"] == cell, ibis.literal(gift, type=MONEY)) for cell, gift in gifts.items()]
    gift = ibis.cases(*cases, else_=none) if cases else none
    taken = ibis.ifelse(table["response"] == 1, gift, none)
    return table.mutate(after_offer=(table["margin"] - taken).cast(MONEY))


def ratio_of(found: Measured, cells: pd.DataFrame) -> SampleRatio | None:
    """Sizes against planned shares, counted in what was assigned: households, or customers."""
    mine = cells[cells["campaign_id"].astype(str) == found.campaign]
    return ratio_of_sizes(dict(zip(found.counts["cell_id"], found.counts["units"], strict=True)), mine)


def ratio_of_sizes(sizes: Mapping[str, int], mine: pd.DataFrame) -> SampleRatio | None:
    """Hold sizes of the cells of one campaign against planned shares; None where it does not plan all of them.

    Parameters
    ----------
    sizes : mapping of cell to int
        In what was assigned: households, or customers.
    mine : DataFrame
        Rows of the canonical table ``cells``.
    """
    if "planned_share" not in mine.columns or mine["planned_share"].isna().any() or share_problems(mine) or len(mine) < 2:
        return None
    shares = {str(cell): float(share) for cell, share in zip(mine["cell_id"], mine["planned_share"], strict=True)}
    used = {cell: share for cell, share in shares.items() if share > 0}
    total = sum(used.values())
    return sample_ratio({cell: int(sizes[cell]) for cell in used}, {cell: share / total for cell, share in used.items()})


def mismatched(ratio: SampleRatio | None) -> bool:
    """Whether sizes of cells do not fit the plan, so that something other than chance decided who is in which."""
    return ratio is not None and ratio.p_value < RATIO_ALPHA


def compared(
    found: Measured,
    *,
    level: float = TEST_LEVEL,
    correction: str = "max-t",
    adjust: bool = True,
    metrics: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Compare every cell with its own control.

    Parameters
    ----------
    found : Measured
    level, correction
        As in :func:`crmlab.models.testing.comparisons.compare_cells`.
    adjust : bool
        Take off what spend in the year before differed by; for money only, rates stay as they are.
    metrics : tuple of str, optional
        Default: response, spend, margin, profit.

    Returns
    -------
    DataFrame
        As ``compare_cells`` gives it, with ``error`` (standard error of the estimate, before any correction). Metrics in which nobody
        differs are not there.
    """
    wanted = [name for name in (metrics or (*METRICS, "profit")) if found.varies(name)]
    frames = []
    for metric in wanted:
        covariates = covariates_of(found, metric, adjust=adjust)
        frame = compare_cells(
            found.stats, control=found.control, metrics=[metric], adjust=covariates or None, correction=correction, level=level
        )
        errors = [
            contrast(found, metric, {a: 1.0, b: -1.0}, adjust=adjust)[1]
            for a, b in zip(frame["cell"], frame["control"], strict=True)
        ]
        frames.append(frame.assign(error=errors))
    if not frames:
        raise CampaignError.must_be(f"What people of {found.campaign} did", "different for some of them", "all the same")
    return pd.concat(frames, ignore_index=True)


def covariates_of(found: Measured, metric: str, *, adjust: bool) -> tuple[str, ...]:
    """What a metric is adjusted by."""
    return (COVARIATE,) if adjust and metric != "response" and found.varies(COVARIATE) else ()


def contrast(found: Measured, metric: str, weights: dict[str, float], *, adjust: bool = True) -> tuple[float, float, float]:
    """Return a weighted sum of cells' means: its value, standard error, and degrees of freedom.

    Parameters
    ----------
    found : Measured
    metric : str
    weights : dict of cell to weight
    adjust : bool
        As in :func:`compared`.
    """
    names = list(found.stats)
    one = measure(list(found.stats.values()), metric, None, covariates_of(found, metric, adjust=adjust))
    w = np.array([weights.get(name, 0.0) for name in names])
    covariance, freedom = one.spread(w[None])
    return float(w @ one.values), float(np.sqrt(covariance[0, 0])), float(freedom[0])


def ends(value: float, error: float, freedom: float, level: float) -> tuple[float, float, float]:
    """Interval of an estimate, and the p-value of it being 0."""
    from scipy import special

    half = error * float(-special.stdtrit(freedom, (1 - level) / 2))
    return value - half, value + half, 2 * float(special.stdtr(freedom, -abs(value / error)))


def overall(found: Measured, cells: Sequence[str] | None = None) -> dict[str, float]:
    """Weights by which all contacts of cells with a control (or of some) add up: each cell's size, and against it its control's."""
    weights: dict[str, float] = {}
    for cell in found.treated if cells is None else cells:
        n, its = float(found.stats[cell].n), found.control[cell]
        weights[cell] = weights.get(cell, 0.0) + n
        weights[its] = weights.get(its, 0.0) - n
    return weights
