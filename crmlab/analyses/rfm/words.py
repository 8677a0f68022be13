"""What the segments say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmlab.analyses.rfm.quantities import QUANTITIES
from crmlab.analyses.rfm.segments import SEGMENTS, level
from crmlab.history.words import ROUNDS
from crmlab.page.estimate import Estimate
from crmlab.page.groups import OTHER
from crmlab.page.result import Finding, Findings, Method
from crmlab.page.texts import joined

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.rfm.study import Study

__all__ = ["TITLE", "findings", "limits", "method", "metrics", "warnings"]

TITLE = "Who our customers are, and where the money is"


QUIET = ("Cannot lose", "Quiet regulars")  # bought more often than many, and have not bought for long


def _row(segments: pd.DataFrame, name: str) -> dict[str, Any] | None:
    found = segments[segments["segment"] == name].to_dict("records")
    return found[0] if found else None


def _key(measure: str, segment: str) -> str:
    return f"{measure}_{segment.lower().replace(' ', '_')}"


def findings(study: Study) -> Findings:
    """The sentences that open the page. They tell what was, so they have no intervals."""
    segments, scored, form, words = study.segments, study.scored, study.context.form, study.words
    top = segments[segments["segment"] != OTHER]
    if top.empty:
        few = f"{words.many} are too few to be told apart."
        if len(scored) == 1:
            few = f"{words.one} alone cannot be compared with others."
        return Findings([Finding(form.count(len(scored)), few, metric="customer_base")])
    best = top.iloc[0]
    meaning = next(segment.meaning for segment in SEGMENTS if segment.name == best["segment"])
    found = [
        Finding(
            form.share(best["revenue_share"]),
            words.fill("of {revenue} {comes} from ")
            + f"{form.share(best['share'])} of {words.many}, the segment “{best['segment']}” ({words.told(meaning)}). "
            f"{study.consent(best['segment']).said(form)}",
            metric=_key("revenue_share", best["segment"]),
        ),
        *_quiet_finding(study),
    ]
    last = _row(segments, "Hibernating")
    if last and best["segment"] != "Hibernating":
        days, occasions = _cuts(scored, ("Hibernating",), study.params.bins)
        times = "only once" if occasions[1] == 1 else f"on {form.count(occasions[1])} days at most"
        found.append(
            Finding(
                form.share(last["share"]),
                f"of {words.many} are in the segment “Hibernating”: they {words.did} {times}, and not in the last {form.count(days[0])} days. "
                f"They account for "
                f"{form.share(last['revenue_share'])} of {words.fill('{revenue}')}. {study.consent('Hibernating').said(form)}",
                metric="segment_share_hibernating",
            )
        )
    return Findings(found[:3])


def _quiet_finding(study: Study) -> list[Finding]:
    """Customers who bought more often than many and have not bought for long; says how often and how long that is."""
    segments, scored, form, words = study.segments, study.scored, study.context.form, study.words
    names = _quiet(segments, scored)
    if not names:
        return []
    quiet = scored[scored["segment"].isin(names)]
    spent = form.money(round(float(quiet["total_spend"].sum()), 4))
    days, occasions = _cuts(scored, names, study.params.bins)
    most = "most" if 2 * int((scored["occasions"] < occasions[0]).sum()) > len(scored) else "many"
    often = f"{form.count(occasions[0])} days or more" if occasions[0] > 1 else "1 day or more"
    return [
        Finding(
            form.share(len(quiet) / len(scored)),
            f"of {words.many}, in the segment{'' if len(names) == 1 else 's'} {joined(f'“{name}”' for name in names)}, have gone quiet: they "
            f"{words.did} on {often}, more often than {most}, but not in the last "
            f"{form.count(days[0])} days. These {form.count(len(quiet))} have {words.fill('{paid}')} {spent} so far. "
            f"{study.consent(*names).said(form)}",
            metric="quiet_share",
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


def metrics(study: Study) -> dict[str, Estimate]:
    """What two runs are compared on."""
    segments, scored = study.segments, study.scored
    out = {"customer_base": Estimate(float(len(scored)), unit="customers")}
    for row in segments.to_dict("records"):
        for name, measure in (("segment_share", "share"), ("revenue_share", "revenue_share")):
            out[_key(name, str(row["segment"]))] = Estimate(float(row[measure]), unit="share")
    names = _quiet(segments, scored)
    if names:
        out["quiet_share"] = Estimate(float(scored["segment"].isin(names).mean()), unit="share")
    return out


def warnings(study: Study) -> tuple[str, ...]:
    """What a reader must know before acting."""
    if study.scored["f_score"].nunique() == 1:
        words = study.words
        return (f"Every {words.one} has the same number of {words.deeds}, so frequency does not distinguish between them.",)
    return ()


def limits(study: Study) -> tuple[str, ...]:
    """What the page cannot say."""
    words = study.words
    return (
        f"Segments describe the past; they do not predict. {words.decided}",
        f"A score is a rank among today’s {words.many}, so a {words.one}’s score can change because others have changed. The states of the "
        f"lifecycle are based on how long {words.many} are usually silent: where the two disagree about a {words.one}, the lifecycle is "
        "the better guide.",
        words.fill("{Revenue_is} net of same-day {returns}, but not of later ones, and before all costs."),
    )


def method(study: Study) -> Method:
    """How it was done."""
    params, form, earlier, words = study.params, study.context.form, study.earlier, study.words
    compared = f", compared with {form.day(earlier)}" if earlier else ""
    return Method(
        f"Scores from 1 to {params.bins} as of {form.day(study.context.as_of)}{compared}, after Hughes (1994), using the statistics of "
        "Fader, Hardie and Lee (2005).",
        (
            f"The more {words.deeds}, the more money and the more recent the last {words.deed}, the higher the score. The fewest {words.deeds} "
            f"and the least money always score 1, the latest day always {params.bins}; equal values are never split.",
            f"Segments are based on recency and frequency; the money score is in the list of {words.many}.",
            f"Shares and medians are taken over all {words.many}, so they have no intervals.",
            f"Groups of fewer than {params.min_group} {words.many} are never shown alone: segments and moves are added up as "
            f"“{OTHER}”; for cells and scores it is only said that they are small. The next smallest group may be included, so that no "
            "small number can be worked out from the total of its table, though it might be from several tables together.",
            f"Levels are ranks among the {words.many} in this history: what counts as often, or as long ago, is shown in the table of "
            "rules.",
        ),
        {f"{words.deed.capitalize()}s, counted": f"days on which a {words.one} {words.did} more than was refunded"}
        if words.deed == ROUNDS.deed
        else {
            "Purchase occasion": "a day on which a customer’s purchases are worth more than the returns booked that day",
            **QUANTITIES.explained("days_since_last", "total_spend"),
        },
    )
