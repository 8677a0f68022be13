"""Recency, frequency, money: ten segments, what each is worth, and who moved.

The scores and the rules of the segments are in ``rfm_segments``, what is shown is in ``rfm_tables`` and ``rfm_charts``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab import checks
from crmlab.analyses import rfm_charts, rfm_tables
from crmlab.analyses.common import LEVEL, OTHER, context_of
from crmlab.analyses.rfm_segments import (
    SEGMENTS,
    Segment,
    cut_points,
    level,
    movement,
    score,
    segment_of,
    segment_table,
    segmented,
)
from crmlab.errors import DataError, ParameterError
from crmlab.features.customers import customer_summary
from crmlab.models.intervals import wilson
from crmlab.result import Estimate, Finding, Findings, Method, Output, Result
from crmlab.style import Format

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset

__all__ = [
    "NEEDS",
    "SEGMENTS",
    "Params",
    "Segment",
    "cut_points",
    "level",
    "movement",
    "run",
    "score",
    "segment_of",
    "segment_table",
    "segmented",
]

NEEDS = ("orders",)
QUIET = ("Cannot lose", "At risk")  # bought more often than many, and have not bought for long


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    compare_to: str | None = None  # an earlier day, ISO date, to say who moved since; default: 91 days before as_of
    bins: int = 5  # score bins per dimension, 2 to 10
    min_group: int = 5  # groups with fewer customers are never shown alone, but added up as "Other"

    def __post_init__(self) -> None:
        end = checks.day("rfm", "as_of", self.as_of)
        earlier = checks.day("rfm", "compare_to", self.compare_to)
        checks.whole("rfm", "bins", self.bins, 2, 10)
        checks.whole("rfm", "min_group", self.min_group, 1)
        if end is not None and earlier is not None and earlier >= end:
            raise ParameterError.dates_out_of_order("compare_to", earlier, "as_of", end)


def run(data: Dataset, params: Params = Params()) -> Result:
    """Score, segment and value the customer base.

    Parameters
    ----------
    data : Dataset
        Needs orders.
    params : Params

    Returns
    -------
    Result
        Tables: segments, rules, cuts, moves. Charts: segments, grid, moves. Outputs: customers.

    Raises
    ------
    ParameterError
        ``as_of`` or ``compare_to`` is outside the history.
    DataError
        No customer has a purchase occasion.

    References
    ----------
    Hughes (1994), Strategic Database Marketing: scores by equal parts of the base.
    Fader, Hardie and Lee (2005), RFM and CLV, JMR 42: recency, frequency and money as statistics of a customer.
    """
    context = context_of(data, params.as_of)
    scored = segmented(customer_summary(data.orders, context.as_of), params.bins)
    if scored.empty:
        raise DataError.too_little("rfm", "at least one customer with a purchase", "none")
    context = context_of(data, params.as_of, len(scored))
    segments = segment_table(scored, params.min_group)
    earlier = _earlier(params, context.first_day, context.as_of)
    form, bins, least = context.form, params.bins, params.min_group
    tables = {
        "segments": rfm_tables.segments_shown(segments, form, context.as_of),
        "rules": rfm_tables.rules_shown(scored, segments, bins, least, form),
        "cuts": rfm_tables.cuts_shown(scored, bins, least, form),
    }
    charts = {"segments": rfm_charts.segments_chart(segments, form), "grid": rfm_charts.grid_chart(scored, bins, least, form)}
    warnings: list[str] = []
    absent: dict[str, str] = {}
    if earlier is None:
        absent["moves"] = "The history is too short to say who moved: it needs at least 182 days, or compare_to."
    else:
        before = segmented(customer_summary(data.orders, earlier), bins)
        scored = scored.merge(
            before[["customer_id", "segment"]].rename(columns={"segment": "segment_before"}), "left", "customer_id"
        )
        moves = movement(scored)
        tables["moves"] = rfm_tables.moves_shown(moves, form, earlier, least)
        charts["moves"] = rfm_charts.moves_chart(moves, form, earlier, least)
    if scored["f_score"].nunique() == 1:
        warnings.append("Every customer has the same number of occasions, so frequency tells nobody apart.")
    return Result(
        title="Who our customers are, and where the money is",
        context=context,
        params=params,
        findings=_findings(segments, scored, bins, form),
        metrics=_metrics(segments, scored),
        tables=tables,
        charts=charts,
        method=_method(params, form, context.as_of, earlier),
        warnings=tuple(warnings),
        absent=absent,
        limits=(
            "Segments describe the past; they do not predict.",
            "A score is a place among today's customers, so a customer's score can change because others changed.",
            "Spend and revenue are net of what came back on the day of a purchase, not of what came back later; they are not profit.",
        ),
        outputs={"customers": Output("Customer list with scores and segment", _listed(scored), ("customer_id",))},
    )


def _earlier(params: Params, first: dt.date, end: dt.date) -> dt.date | None:
    chosen = checks.day("rfm", "compare_to", params.compare_to)
    if chosen is not None:
        if chosen >= end:
            raise ParameterError.dates_out_of_order("compare_to", chosen, "as_of", end)
        if chosen < first:
            raise ParameterError.compare_to_outside(chosen, first, end)
        return chosen
    return end - dt.timedelta(days=91) if (end - first).days >= 182 else None


def _listed(scored: pd.DataFrame) -> pd.DataFrame:
    columns = ["customer_id", "segment", "r_score", "f_score", "m_score", "days_since_last", "occasions", "total_spend"]
    columns += ["first_occasion", "last_occasion", *(["segment_before"] if "segment_before" in scored else [])]
    return scored[columns]


def _row(segments: pd.DataFrame, name: str) -> dict[str, Any] | None:
    found = segments[segments["segment"] == name].to_dict("records")
    return found[0] if found else None


def _key(measure: str, segment: str) -> str:
    return f"{measure}_{segment.lower().replace(' ', '_')}"


def _findings(segments: pd.DataFrame, scored: pd.DataFrame, bins: int, form: Format) -> Findings:
    top = segments[segments["segment"] != OTHER]
    if top.empty:
        return Findings([Finding(form.count(len(scored)), "customers are too few to be told apart.", metric="customers")])
    best = top.iloc[0]
    action = next(segment.action for segment in SEGMENTS if segment.name == best["segment"])
    found = [
        Finding(
            form.share(best["revenue_share"]),
            f"of revenue comes from {form.share(best['share'])} of customers, the segment “{best['segment']}”: {action}.",
            _intervals(best, form, revenue_share="revenue", share="customers"),
            _key("revenue_share", best["segment"]),
        ),
        *_quiet_finding(segments, scored, bins, form),
    ]
    lost = _row(segments, "Lost")
    if lost:
        days, occasions = _cuts(scored, ("Lost",), bins)
        times = "once only" if occasions[1] == 1 else f"on {form.count(occasions[1])} days at most"
        found.append(
            Finding(
                form.share(lost["share"]),
                f"of customers bought {times}, and not in the last {form.count(days[0])} days. They brought "
                f"{form.share(lost['revenue_share'])} of revenue: do not spend on them first.",
                _intervals(lost, form, share="customers", revenue_share="revenue"),
                "share_lost",
            )
        )
    return Findings(found[:3])


def _quiet_finding(segments: pd.DataFrame, scored: pd.DataFrame, bins: int, form: Format) -> list[Finding]:
    """Customers who bought more often than many and have not bought for long; says how often and how long that is."""
    names = _quiet(segments, scored)
    if not names:
        return []
    quiet = scored[scored["segment"].isin(names)]
    spent = round(float(quiet["total_spend"].sum()), 4)
    low, high = wilson(len(quiet), len(scored), LEVEL)
    days, occasions = _cuts(scored, names, bins)
    most = "most" if 2 * int((scored["occasions"] < occasions[0]).sum()) > len(scored) else "many"
    often = f"{form.count(occasions[0])} days or more" if occasions[0] > 1 else "1 day or more"
    return [
        Finding(
            form.share(len(quiet) / len(scored)),
            f"of customers have gone quiet: they bought on {often}, more often than {most}, but not in the last "
            f"{form.count(days[0])} days. These {form.count(len(quiet))} spent {form.money(spent)} "
            "so far: win them back first.",
            f"{form.interval(low, high, 'share')}; {form.share(LEVEL)} interval",
            "quiet_share",
        )
    ]


def _quiet(segments: pd.DataFrame, scored: pd.DataFrame) -> tuple[str, ...]:
    """The quiet segments whose number may be told: those shown alone, or all of them where they alone make up "Other"."""
    there = tuple(name for name in QUIET if (scored["segment"] == name).any())
    shown = tuple(name for name in there if _row(segments, name))
    merged = set(scored["segment"]) - set(segments["segment"])
    return there if merged == set(there) else shown


def _cuts(scored: pd.DataFrame, names: tuple[str, ...], bins: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """From where to where days since last, and occasions, reach at the levels of some segments, among all customers."""
    levels = {value: level(value, bins) for value in range(1, bins + 1)}
    rules = [segment for segment in SEGMENTS if segment.name in names]

    def ends(score_column: str, column: str, low: int, high: int) -> tuple[int, int]:
        inside = scored.loc[scored[score_column].map(levels).between(low, high), column]
        return int(inside.min()), int(inside.max())

    days = ends("r_score", "days_since_last", min(s.recency[0] for s in rules), max(s.recency[1] for s in rules))
    occasions = ends("f_score", "occasions", min(s.frequency[0] for s in rules), max(s.frequency[1] for s in rules))
    return days, occasions


def _intervals(row: Any, form: Format, **measures: str) -> str:
    """Intervals of some measures of a segment, each with what it is of; those that there are."""
    ends = {name: form.interval(row[f"{name}_low"], row[f"{name}_high"], "share") for name in measures}
    parts = [f"{ends[name]} of {of}" for name, of in measures.items() if ends[name]]
    return f"{', '.join(parts)}; {form.share(LEVEL)} interval{'s' if len(parts) > 1 else ''}" if parts else ""


def _metrics(segments: pd.DataFrame, scored: pd.DataFrame) -> dict[str, Estimate]:
    metrics = {"customers": Estimate(float(len(scored)), unit="customers")}
    for row in segments.to_dict("records"):
        for measure in ("share", "revenue_share"):
            metrics[_key(measure, str(row["segment"]))] = Estimate(
                float(row[measure]), float(row[f"{measure}_low"]), float(row[f"{measure}_high"]), LEVEL, "share"
            )
    names = _quiet(segments, scored)
    if names:
        count = int(scored["segment"].isin(names).sum())
        metrics["quiet_share"] = Estimate(count / len(scored), *wilson(count, len(scored), LEVEL), LEVEL, "share")
    return metrics


def _method(params: Params, form: Format, as_of: dt.date, earlier: dt.date | None) -> Method:
    compared = f", compared with {form.day(earlier)}" if earlier else ""
    return Method(
        f"Scores from 1 to {params.bins} as of {form.day(as_of)}{compared}, after Hughes (1994), on the statistics of Fader, "
        "Hardie and Lee (2005).",
        (
            "Scores of occasions and spend count from the lowest, scores of recency from the latest; equal values are never split.",
            "Segments use recency and frequency; the money score is in the customer list.",
            f"Intervals are at {form.share(LEVEL)}: shares of customers by Wilson's method, shares of revenue by the linearised "
            "ratio over customers, medians by order statistics. They are not corrected for the number of segments, and take the cut points "
            "of the scores as given: with the cut points drawn anew, shares of segments in the middle vary more.",
            f"Groups with fewer than {params.min_group} customers are never shown alone: segments and moves are added up as "
            f"“{OTHER}”, cells and scores say only that they are small. The next smallest group may be among "
            "them, so that no such number follows from the total of its table; it may follow from several tables together.",
            "Levels are places among the customers of this history: what counts as often, or as long ago, is in the table of rules.",
        ),
        {
            "Purchase occasion": "a customer-day with a purchase whose spend, net of returns booked that day, is positive",
            "Days since last": "days from the last occasion to the last day of history",
            "Total spend": "what a customer's occasions add up to",
        },
    )
