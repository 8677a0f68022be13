"""What the segments say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.analyses.rfm.quantities import QUANTITIES
from crmlab.analyses.rfm.segments import SEGMENTS, level
from crmlab.models.intervals import LEVEL, wilson
from crmlab.page.format import Format, Measured
from crmlab.page.groups import OTHER
from crmlab.page.result import Estimate, Finding, Findings, Method

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.rfm.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Who our customers are, and where the money is"


QUIET = ("Cannot lose", "At risk")  # bought more often than many, and have not bought for long


def _row(segments: pd.DataFrame, name: str) -> dict[str, Any] | None:
    found = segments[segments["segment"] == name].to_dict("records")
    return found[0] if found else None


def _key(measure: str, segment: str) -> str:
    return f"{measure}_{segment.lower().replace(' ', '_')}"


def findings(study: Study) -> Findings:
    """The sentences that open the page."""
    segments, scored, bins, form = study.segments, study.scored, study.params.bins, study.context.form
    top = segments[segments["segment"] != OTHER]
    if top.empty:
        return Findings([Finding(form.count(len(scored)), "customers are too few to be told apart.", metric="customer_base")])
    best = top.iloc[0]
    revenue, people = (_share(best, name, form) for name in ("revenue_share", "share"))
    action = next(segment.action for segment in SEGMENTS if segment.name == best["segment"])
    found = [
        Finding(
            revenue.value,
            f"of revenue comes from {people.value} of customers, the segment “{best['segment']}”: {action}.",
            _intervals(form, revenue=revenue, customers=people),
            _key("revenue_share", best["segment"]),
        ),
        *_quiet_finding(segments, scored, bins, form),
    ]
    lost = _row(segments, "Lost")
    if lost:
        days, occasions = _cuts(scored, ("Lost",), bins)
        revenue, people = (_share(lost, name, form) for name in ("revenue_share", "share"))
        times = "once only" if occasions[1] == 1 else f"on {form.count(occasions[1])} days at most"
        found.append(
            Finding(
                people.value,
                f"of customers bought {times}, and not in the last {form.count(days[0])} days. They brought "
                f"{revenue.value} of revenue: do not spend on them first.",
                _intervals(form, customers=people, revenue=revenue),
                "segment_share_lost",
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
    share, ends = form.measured(len(quiet) / len(scored), low, high, "share")
    return [
        Finding(
            share,
            f"of customers have gone quiet: they bought on {often}, more often than {most}, but not in the last "
            f"{form.count(days[0])} days. These {form.count(len(quiet))} spent {form.money(spent)} "
            "so far: win them back first.",
            f"{ends}; {form.share(LEVEL)} interval",
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


def _share(row: Any, name: str, form: Format) -> Measured:
    return form.measured(row[name], row[f"{name}_low"], row[f"{name}_high"], "share")


def _intervals(form: Format, **shares: Measured) -> str:
    """Intervals of some shares, each with what it is of; those that there are."""
    parts = [f"{share.interval} of {of}" for of, share in shares.items() if share.interval]
    return f"{', '.join(parts)}; {form.share(LEVEL)} interval{'s' if len(parts) > 1 else ''}" if parts else ""


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    segments, scored = study.segments, study.scored
    out = {"customer_base": Estimate(float(len(scored)), unit="customers")}
    for row in segments.to_dict("records"):
        for name, measure in (("segment_share", "share"), ("revenue_share", "revenue_share")):
            out[_key(name, str(row["segment"]))] = Estimate.of(row, LEVEL, "share", measure)
    names = _quiet(segments, scored)
    if names:
        count = int(scored["segment"].isin(names).sum())
        out["quiet_share"] = Estimate(count / len(scored), *wilson(count, len(scored), LEVEL), LEVEL, "share")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    if study.scored["f_score"].nunique() == 1:
        return ("Every customer has the same number of occasions, so frequency tells nobody apart.",)
    return ()


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    return (
        "Segments describe the past; they do not predict.",
        "A score is a place among today's customers, so a customer's score can change because others changed.",
        "Spend and revenue are net of what came back on the day of a purchase, not of what came back later; they are not profit.",
    )


def method(study: Study) -> Method:
    """How it was done."""
    params, form, earlier = study.params, study.context.form, study.earlier
    compared = f", compared with {form.day(earlier)}" if earlier else ""
    return Method(
        f"Scores from 1 to {params.bins} as of {form.day(study.context.as_of)}{compared}, after Hughes (1994), on the statistics of Fader, "
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
            **QUANTITIES.explained("days_since_last", "total_spend"),
        },
    )
