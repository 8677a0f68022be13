"""Which campaign is looked at, and what its cells did: the numbers on which everything else of the page rests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.campaigns.moments import cell_statistics
from crmlab.analyses.campaigns.reductions import assigned, outcomes, windows
from crmlab.data.collecting import collect_arrow
from crmlab.data.memory.reader import COMPONENTS
from crmlab.data.memory.rules import cell_problems, share_problems
from crmlab.errors import CampaignError, listing
from crmlab.history.context import margin_known
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import SampleRatio, compare_cells, sample_ratio
from crmlab.models.testing.measures import measure

if TYPE_CHECKING:
    import ibis

    from crmlab.data.dataset import Dataset

__all__ = [
    "RATIO_ALPHA",
    "Measured",
    "choose_campaign",
    "compared",
    "contrast",
    "covariates_of",
    "ends",
    "first_contacts",
    "known_cells",
    "measured",
    "mismatched",
    "overall",
    "ratio_of",
]


METRICS = ("response", "spend", "margin")
COVARIATE = "before"  # spend in the year before the window opened
LEAST = 2  # customers, or households, without which a mean has no variance


RATIO_ALPHA = 0.001  # under it sizes do not fit the design; small, as the check runs on every campaign


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What the cells of one campaign did.

    Attributes
    ----------
    campaign : str
    cells : DataFrame
        Rows of the cells table that are compared, controls first, with ``cost`` (of the cell, per contact, fixed cost included),
        ``per_contact`` and ``fixed``.
    days : DataFrame
        Windows, see :func:`crmlab.analyses.campaigns.reductions.windows`.
    table : ibis.Table
        One row per customer with outcomes.
    stats : dict of str to CellStatistics
        response, spend, margin, profit and the covariate, by cell, controls first.
    control : dict of str to str
        Cell → its control.
    counts : DataFrame
        cell_id, n, units of every cell of the plan, those that are not compared too.
    margin : float
        Share of spend; ``source`` says where it is from: "given", "costs", "revenue", "loss".
    notes : tuple of str
        What was left out, and why.
    """

    campaign: str
    cells: pd.DataFrame
    days: pd.DataFrame
    table: ibis.Table
    stats: dict[str, CellStatistics]
    control: dict[str, str]
    counts: pd.DataFrame
    margin: float
    source: str
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
        There is no such campaign, or none that had begun and has a control.
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
        raise CampaignError.needs("campaign_results", needed, f"none of {listing(known)}")
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
        Cells and assignment (customer_id, cell_id, household_id) as the campaign memory has them; default: the tables of the data set.
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
        raise CampaignError.must_be(f"Campaign {campaign}", f"begun by {as_of}", "no contacts until then")
    days = windows(mine, min(began.values()), as_of)
    who = assigned(contacts, names, as_of)
    share, source, _ = margin_known(data, as_of, margin)
    goods = {"order_lines": data.order_lines, "products": data.products} if source == "costs" else {}
    rows = outcomes(who, days, data.orders, margin=share, **goods)
    if rows.get_backend().name == "pyspark":
        # Ibis 12 caches there without bringing the frames of the expression along; whoever executes it brings them.
        rows.get_backend().execute(rows.limit(0))
    table = rows.cache()
    stats = cell_statistics(table, METRICS, covariates=[COVARIATE], rates=["response"], household="unit")
    sizes = table.group_by("cell_id").agg(n=table.count(), units=table["unit"].nunique())
    counts = (
        pd.DataFrame({"cell_id": names})
        .merge(collect_arrow(sizes, "cell_id").to_pandas(), how="left", on="cell_id")
        .fillna({"n": 0, "units": 0})
    )
    counts[["n", "units"]] = counts[["n", "units"]].astype(np.int64)
    kept, notes = _comparable(mine, stats, campaign, max(min_group, LEAST))
    costed = _costs(kept, stats)
    found = {
        str(row["cell_id"]): stats[str(row["cell_id"])].combine("profit", {"margin": 1.0}, -float(row["cost"]))
        for row in costed.to_dict("records")
    }
    control = {str(a): str(b) for a, b in zip(costed["cell_id"], costed["control_cell_id"], strict=True) if b is not None}
    return Measured(
        campaign=campaign,
        cells=costed,
        days=days,
        table=table,
        stats=found,
        control=control,
        counts=counts,
        margin=share,
        source=source,
        notes=tuple(notes),
    )


def _as_contacts(people: pd.DataFrame, cells: pd.DataFrame, campaign: str) -> ibis.Table:
    """An assignment as contacts on the day on which the windows open."""
    import ibis
    import pyarrow as pa

    opens = cells["opens_on"] if "opens_on" in cells.columns else pd.Series([None] * len(cells))
    if opens.isna().any():
        raise CampaignError.must_be(f"opens_on of {campaign}", "given for every cell", "an empty one")
    day = dict(zip(cells["cell_id"], pd.to_datetime(opens), strict=True))
    home = people["household_id"] if "household_id" in people.columns else pd.Series([None] * len(people))
    return ibis.memtable(
        pa.table(
            {
                "customer_id": pa.array(people["customer_id"].astype(str).tolist(), pa.string()),
                "cell_id": pa.array(people["cell_id"].astype(str).tolist(), pa.string()),
                "contacted_at": pa.array([day[cell].to_pydatetime() for cell in people["cell_id"]], pa.timestamp("us")),
                "household_id": pa.array([None if pd.isna(name) else str(name) for name in home], pa.string()),
            }
        )
    )


def _comparable(
    cells: pd.DataFrame, stats: dict[str, CellStatistics], campaign: str, least: int
) -> tuple[pd.DataFrame, list[str]]:
    """Cells that are large enough and whose control is, controls first; and what was left out."""
    small = [str(name) for name in cells["cell_id"] if name not in stats or stats[name].units < LEAST or stats[name].n < least]
    notes = [f"Cell {name} has fewer than {least} customers: it is left out." for name in small]
    kept = cells[~cells["cell_id"].isin(small)]
    lost = [str(a) for a, b in zip(kept["cell_id"], kept["control_cell_id"], strict=True) if b is not None and b in small]
    notes += [f"Cell {name} is left out: its control is." for name in lost]
    kept = kept[~kept["cell_id"].isin(lost)]
    used = set(kept["control_cell_id"].dropna())
    kept = kept[kept["control_cell_id"].notna() | kept["cell_id"].isin(used)]
    if not used:
        raise CampaignError.must_be(
            f"A cell of {campaign} and its control", f"of at least {least} customers each", "none that are"
        )
    treated = kept["control_cell_id"].notna()
    return kept.assign(_place=treated).sort_values(["_place", "cell_id"], ignore_index=True).drop(columns="_place"), notes


def _costs(cells: pd.DataFrame, stats: dict[str, CellStatistics]) -> pd.DataFrame:
    def amounts(name: str) -> list[float]:
        values = cells[name] if name in cells.columns else [None] * len(cells)
        return [0.0 if value is None or pd.isna(value) else float(value) for value in values]

    each, fixed = amounts("cost_per_contact"), amounts("fixed_cost")
    sizes = [stats[str(name)].n for name in cells["cell_id"]]
    cost = [a + b / n for a, b, n in zip(each, fixed, sizes, strict=True)]
    return cells.assign(per_contact=each, fixed=fixed, cost=cost)


def ratio_of(found: Measured, cells: pd.DataFrame) -> SampleRatio | None:
    """Sizes against planned shares, counted in what was assigned: households, or customers."""
    mine = cells[cells["campaign_id"].astype(str) == found.campaign]
    if "planned_share" not in mine.columns or mine["planned_share"].isna().any() or share_problems(mine) or len(mine) < 2:
        return None
    shares = {str(cell): float(share) for cell, share in zip(mine["cell_id"], mine["planned_share"], strict=True)}
    sizes = dict(zip(found.counts["cell_id"], found.counts["units"], strict=True))
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


def overall(found: Measured) -> dict[str, float]:
    """Weights by which all contacts of cells with a control add up: each cell's size, and against it its control's."""
    weights: dict[str, float] = {}
    for cell, its in found.control.items():
        n = float(found.stats[cell].n)
        weights[cell] = weights.get(cell, 0.0) + n
        weights[its] = weights.get(its, 0.0) - n
    return weights
