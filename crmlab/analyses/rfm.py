"""Recency, frequency, money: ten segments, what each is worth, and who moved.

Customers are scored on days since the last purchase occasion, on the number of occasions (not receipts), and on total
spend. Equal customers get equal scores, whatever the order of the rows.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmlab import checks
from crmlab.analyses.common import LEVEL, context_of
from crmlab.errors import DataError, ParameterError
from crmlab.features.customers import customer_summary
from crmlab.models.intervals import median_interval, share_of_total, wilson
from crmlab.result import Chart, Column, Estimate, Finding, Findings, Method, Output, Result, Table
from crmlab.style import Format, color

if TYPE_CHECKING:
    import ibis
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from crmlab.data.dataset import Dataset

NEEDS = ("orders",)
OTHER = "Other"


@dataclass(frozen=True, kw_only=True)
class Params:
    """What an analyst may choose. The defaults run on the embedded data."""

    as_of: str | None = None  # last day of history, ISO date; default: the last order's day
    compare_to: str | None = None  # an earlier day, ISO date, to say who moved since; default: 91 days before as_of
    bins: int = 5  # score bins per dimension, 2 to 10
    min_group: int = 5  # segments with fewer customers are shown together as "Other"

    def __post_init__(self) -> None:
        end = checks.day("rfm", "as_of", self.as_of)
        earlier = checks.day("rfm", "compare_to", self.compare_to)
        checks.whole("rfm", "bins", self.bins, 2, 10)
        checks.whole("rfm", "min_group", self.min_group, 1)
        if end is not None and earlier is not None and earlier >= end:
            raise ParameterError.dates_out_of_order("compare_to", earlier, "as_of", end)


@dataclass(frozen=True)
class Segment:
    """One segment: a range of levels (1 to 5, high is good) of recency and of frequency, and what to do."""

    name: str
    recency: tuple[int, int]
    frequency: tuple[int, int]
    meaning: str
    action: str


# The one table of rules. Every pair of levels is in exactly one segment.
SEGMENTS = (
    Segment("Champions", (5, 5), (4, 5), "bought very lately, and very often", "reward them; ask them to recommend"),
    Segment("Loyal", (3, 4), (4, 5), "buy often", "thank them; offer what goes with what they own"),
    Segment("Promising repeaters", (4, 5), (2, 3), "bought lately, a few times", "make the next purchase easy"),
    Segment("New", (5, 5), (1, 1), "bought first, very lately", "welcome them; bring about a second purchase"),
    Segment("Fresh", (4, 4), (1, 1), "bought seldom, lately", "remind them while they remember you"),
    Segment("Needs attention", (3, 3), (3, 3), "middling, and cooling", "make an offer with an end date"),
    Segment("About to sleep", (3, 3), (1, 2), "bought seldom, some time ago", "remind them once, at low cost"),
    Segment("At risk", (1, 2), (3, 4), "used to buy often, long ago", "win them back, in person where it pays"),
    Segment("Cannot lose", (1, 2), (5, 5), "were among the best, long ago", "call them; find out what went wrong"),
    Segment("Lost", (1, 2), (1, 2), "bought seldom, long ago", "do not spend on them first"),
)


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
    tables = {
        "segments": _segments_shown(segments, context.form, context.as_of),
        "rules": _rules_shown(scored),
        "cuts": _cuts_shown(scored, params.bins, context.form),
    }
    charts = {"segments": _segments_chart(segments, context.form), "grid": _grid_chart(scored, params.bins, context.form)}
    warnings: list[str] = []
    if earlier is None:
        warnings.append("The history is too short to say who moved: it needs at least 182 days, or compare_to.")
    else:
        before = segmented(customer_summary(data.orders, earlier), params.bins)
        scored = scored.merge(
            before[["customer_id", "segment"]].rename(columns={"segment": "segment_before"}), "left", "customer_id"
        )
        moves = movement(scored)
        tables["moves"] = _moves_shown(moves, context.form, earlier)
        charts["moves"] = _moves_chart(moves, context.form, earlier)
    if scored["f_score"].nunique() == 1:
        warnings.append("Every customer has the same number of occasions, so frequency tells nobody apart.")
    return Result(
        title="Who our customers are, and where the money is",
        context=context,
        params=params,
        findings=_findings(segments, scored, context.form),
        metrics=_metrics(segments),
        tables=tables,
        charts=charts,
        method=_method(params, context.form, context.as_of, earlier),
        warnings=tuple(warnings),
        limits=(
            "Segments describe the past; they do not predict.",
            "A score is a place among today's customers, so a customer's score can change because others changed.",
            "Spend is revenue net of returns, not profit.",
        ),
        outputs={"customers": Output("Customer list with scores and segment", _listed(scored), ("customer_id",))},
    )


def score(summary: ibis.Table | pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """Score customers from 1 to ``bins`` on recency, frequency and money.

    For occasions and spend a score is one more than the number of whole ``bins``-ths of the base that do strictly worse; for
    recency it is ``bins`` less the number that bought strictly later. So who bought least gets 1, and who bought last gets
    ``bins``, however many they are. Ties are never split: equal values get equal scores, so bins are unequal where values bunch.

    Parameters
    ----------
    summary : ibis.Table or DataFrame
        As of :func:`crmlab.features.customers.customer_summary`: customer_id, days_since_last, occasions, total_spend.
    bins : int
        Number of scores, 2 to 10.

    Returns
    -------
    DataFrame
        The summary ordered by customer_id, with r_score (few days since the last occasion are good), f_score and
        m_score; whole numbers from 1 to ``bins``.

    Raises
    ------
    ParameterError
        ``bins`` is out of range.
    DataError
        A column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> summary = pd.DataFrame({"customer_id": list("abcd"), "days_since_last": [1, 9, 9, 30],
    ...                         "occasions": [4, 1, 1, 2], "total_spend": [90.0, 10.0, 12.0, 30.0]})
    >>> score(summary, bins=2)[["r_score", "f_score", "m_score"]].to_dict("list")
    {'r_score': [2, 2, 2, 1], 'f_score': [2, 1, 1, 2], 'm_score': [2, 1, 1, 2]}
    """
    checks.whole("rfm", "bins", bins, 2, 10)
    frame = _frame(summary)
    for column in ("customer_id", "days_since_last", "occasions", "total_spend"):
        if column not in frame.columns:
            raise DataError.missing_column("summary", column, list(frame.columns), "your frame")
    frame = frame.sort_values("customer_id", ignore_index=True)
    # Cents, not floats: two customers who spent the same must tie whatever the sum of their floats.
    cents = (frame["total_spend"].astype(float) * 100).round().astype("int64")
    return frame.assign(
        r_score=_from_the_top(frame["days_since_last"].to_numpy(), bins),
        f_score=_ranked(frame["occasions"].to_numpy(), bins),
        m_score=_ranked(cents.to_numpy(), bins),
    )


def _frame(summary: ibis.Table | pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return summary if isinstance(summary, pd.DataFrame) else summary.to_pandas()


def _from_the_top(days: Any, bins: int) -> np.ndarray:
    """The best score less the number of whole bins-ths of the base that bought strictly later: the latest are always best."""
    import numpy as np

    later = np.searchsorted(np.sort(days), days, side="left")
    return bins - (bins * later) // max(len(days), 1)


def _ranked(values: Any, bins: int) -> np.ndarray:
    """1 + the number of whole bins-ths of the base that lie strictly below, in whole numbers only."""
    import numpy as np

    below = np.searchsorted(np.sort(values), values, side="left")
    return 1 + (bins * below) // max(len(values), 1)


def level(score_value: int, bins: int) -> int:
    """Bring a score from 1 to ``bins`` to one of five levels, the ends to the ends.

    Examples
    --------
    >>> [level(s, 3) for s in (1, 2, 3)]
    [1, 3, 5]
    >>> [level(s, 10) for s in range(1, 11)]
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    """
    return 1 + (8 * (score_value - 1) + bins - 1) // (2 * (bins - 1))


def segment_of(r_score: int, f_score: int, bins: int = 5) -> Segment:
    """Return the segment of a pair of scores.

    Examples
    --------
    >>> segment_of(5, 5).name
    'Champions'
    """
    r, f = level(r_score, bins), level(f_score, bins)
    return next(s for s in SEGMENTS if s.recency[0] <= r <= s.recency[1] and s.frequency[0] <= f <= s.frequency[1])


def segmented(summary: ibis.Table | pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """Score customers and name their segments.

    Parameters
    ----------
    summary : ibis.Table or DataFrame
        As :func:`score` takes it.
    bins : int
        Number of scores, 2 to 10.

    Returns
    -------
    DataFrame
        As of :func:`score`, with the column segment.
    """
    scored = score(summary, bins)
    names = {(r, f): segment_of(r, f, bins).name for r in range(1, bins + 1) for f in range(1, bins + 1)}
    pairs = zip(scored["r_score"], scored["f_score"], strict=True)
    return scored.assign(segment=[names[pair] for pair in pairs])


def segment_table(scored: pd.DataFrame, min_group: int = 5, level: float = LEVEL) -> pd.DataFrame:
    """Count and value the segments.

    Parameters
    ----------
    scored : DataFrame
        As of :func:`segmented`.
    min_group : int
        Segments with fewer customers are added up as "Other", so that totals hold.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        One row per segment with customers, by revenue: segment, customers, share (and interval), revenue,
        revenue_share (and interval), median_spend (and interval), median_days.
    """
    import pandas as pd

    sizes = scored["segment"].value_counts()
    small = sizes[sizes < min_group].index
    # One small segment alone would be "Other" and still be too small to show: the next smallest goes with it.
    if 0 < sizes[small].sum() < min_group:
        small = sizes.sort_values(kind="stable").index[: len(small) + 1]
    group = scored["segment"].where(~scored["segment"].isin(small), OTHER)
    rows = []
    for name in sorted(group.unique()):
        member = (group == name).to_numpy()
        spend = scored["total_spend"].to_numpy(float)
        revenue_share = share_of_total(spend, member, level)
        rows.append(
            {
                "segment": name,
                "customers": int(member.sum()),
                "share": member.mean(),
                **dict(zip(("share_low", "share_high"), wilson(int(member.sum()), len(scored), level), strict=True)),
                "revenue": round(float(spend[member].sum()), 4),
                **dict(zip(("revenue_share", "revenue_share_low", "revenue_share_high"), revenue_share, strict=True)),
                "median_spend": float(scored.loc[member, "total_spend"].median()),
                **dict(
                    zip(
                        ("median_spend_low", "median_spend_high"),
                        median_interval(spend[member], level),
                        strict=True,
                    )
                ),
                "median_days": float(scored.loc[member, "days_since_last"].median()),
            }
        )
    frame = pd.DataFrame(rows)
    frame["_last"] = frame["segment"] == OTHER
    ordered = frame.sort_values(["_last", "revenue", "segment"], ascending=[True, False, True], ignore_index=True)
    return ordered.drop(columns="_last")


def movement(scored: pd.DataFrame) -> pd.DataFrame:
    """Count who moved between segments.

    Parameters
    ----------
    scored : DataFrame
        With segment and segment_before (missing for who was no customer then).

    Returns
    -------
    DataFrame
        segment_before ("Not yet a customer" where missing), segment (now), customers.
    """
    before = scored["segment_before"].fillna("Not yet a customer")
    pairs = scored.assign(segment_before=before).groupby(["segment_before", "segment"], sort=True)
    return pairs.size().rename("customers").reset_index()


def _earlier(params: Params, first: dt.date, end: dt.date) -> dt.date | None:
    chosen = checks.day("rfm", "compare_to", params.compare_to)
    if chosen is not None:
        if chosen >= end:
            raise ParameterError.dates_out_of_order("compare_to", chosen, "as_of", end)
        return chosen
    return end - dt.timedelta(days=91) if (end - first).days >= 182 else None


def _listed(scored: pd.DataFrame) -> pd.DataFrame:
    columns = ["customer_id", "segment", "r_score", "f_score", "m_score", "days_since_last", "occasions", "total_spend"]
    columns += ["first_occasion", "last_occasion", *(["segment_before"] if "segment_before" in scored else [])]
    return scored[columns]


def _row(segments: pd.DataFrame, name: str) -> dict[str, Any] | None:
    found = segments[segments["segment"] == name].to_dict("records")
    return found[0] if found else None


def _findings(segments: pd.DataFrame, scored: pd.DataFrame, form: Format) -> Findings:
    action = {segment.name: segment.action for segment in SEGMENTS}
    top = segments[segments["segment"] != OTHER]
    if top.empty:
        return Findings([Finding(form.count(len(scored)), "customers are too few to be told apart.")])
    best = top.iloc[0]
    ends = form.interval(best["revenue_share_low"], best["revenue_share_high"], "share")
    found = [
        Finding(
            form.share(best["revenue_share"]),
            f"of revenue comes from {form.share(best['share'])} of customers, the segment “{best['segment']}”: "
            f"{action[best['segment']]}.",
            f"{ends}, at {form.share(LEVEL)}",
        )
    ]
    quiet = [row for row in (_row(segments, name) for name in ("Cannot lose", "At risk")) if row]
    if quiet:
        count = sum(int(row["customers"]) for row in quiet)
        worth = sum(row["revenue"] for row in quiet)
        low, high = wilson(count, len(scored), LEVEL)
        found.append(
            Finding(
                form.count(count),
                f"frequent buyers have gone quiet, {form.share(count / len(scored))} of all. They spent {form.money(worth)} so far. "
                "Win them back first.",
                f"{form.interval(low, high, 'share')} of customers",
            )
        )
    lost = _row(segments, "Lost")
    if lost:
        ends = form.interval(lost["revenue_share_low"], lost["revenue_share_high"], "share")
        found.append(
            Finding(
                form.share(lost["share"]),
                f"of customers bought seldom, long ago, for {form.share(lost['revenue_share'])} of revenue. "
                "Do not spend on them first.",
                f"{ends} of revenue",
            )
        )
    return Findings(found[:3])


def _metrics(segments: pd.DataFrame) -> dict[str, Estimate]:
    metrics = {"customers": Estimate(float(segments["customers"].sum()), unit="customers")}
    for row in segments.to_dict("records"):
        name = str(row["segment"]).lower().replace(" ", "_")
        for measure in ("share", "revenue_share"):
            metrics[f"{measure}_{name}"] = Estimate(
                float(row[measure]), float(row[f"{measure}_low"]), float(row[f"{measure}_high"]), LEVEL, "share"
            )
    return metrics


def _segments_shown(segments: pd.DataFrame, form: Format, as_of: dt.date) -> Table:
    columns = {
        "segment": Column("Segment"),
        "customers": Column("Customers", "count"),
        "share": Column("Share", "share", "share_low", "share_high"),
        "revenue": Column("Revenue", "money"),
        "revenue_share": Column("Revenue share", "share", "revenue_share_low", "revenue_share_high"),
        "median_spend": Column("Median spend", "amount", "median_spend_low", "median_spend_high"),
        "median_days": Column("Days since last", "days"),
    }
    caption = (
        f"Segments on {form.day(as_of)}, by revenue over the whole history. Small figures are {form.share(LEVEL)} intervals; "
        "days since the last purchase are medians."
    )
    return Table(caption, segments, columns, form)


def _rules_shown(scored: pd.DataFrame) -> Table:
    import pandas as pd

    def words(ends: tuple[int, int]) -> str:
        return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"

    sizes = scored["segment"].value_counts()
    frame = pd.DataFrame(
        [
            {
                "segment": s.name,
                "recency": words(s.recency),
                "frequency": words(s.frequency),
                "meaning": s.meaning,
                "action": s.action,
                "customers": int(sizes.get(s.name, 0)),
            }
            for s in SEGMENTS
        ]
    )
    columns = {
        "segment": Column("Segment"),
        "recency": Column("Recency level"),
        "frequency": Column("Frequency level"),
        "meaning": Column("Who they are"),
        "action": Column("What to do"),
        "customers": Column("Customers", "count"),
    }
    caption = (
        "The rules. Levels run from 1 (worst) to 5 (best); scores with another number of bins are brought to five levels. "
        "Every pair of levels is in exactly one segment."
    )
    return Table(caption, frame, columns)


def cut_points(scored: pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """Say from where to where each score reaches.

    Parameters
    ----------
    scored : DataFrame
        As of :func:`score`.
    bins : int
        Number of scores.

    Returns
    -------
    DataFrame
        One row per score, best first: score and, for days, occasions and spend, from, to and customers; a score that
        nobody has is missing there.
    """
    import pandas as pd

    rows = []
    measures = {
        "days": ("r_score", "days_since_last"),
        "occasions": ("f_score", "occasions"),
        "spend": ("m_score", "total_spend"),
    }
    for value in range(bins, 0, -1):
        row: dict[str, Any] = {"score": value}
        for name, (score_column, column) in measures.items():
            found = scored.loc[scored[score_column] == value, column]
            row |= {
                f"{name}_from": found.min() if len(found) else None,
                f"{name}_to": found.max() if len(found) else None,
                f"{name}_customers": len(found),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _cuts_shown(scored: pd.DataFrame, bins: int, form: Format) -> Table:
    cuts = cut_points(scored, bins)

    def reach(row: dict[Any, Any], name: str, kind: str) -> str:
        low, high = row[f"{name}_from"], row[f"{name}_to"]
        if not row[f"{name}_customers"]:
            return "nobody"
        return form.write(low, kind) if low == high else f"{form.write(low, kind)} to {form.write(high, kind)}"

    frame = cuts.assign(
        days=[reach(row, "days", "count") for row in cuts.to_dict("records")],
        occasions=[reach(row, "occasions", "count") for row in cuts.to_dict("records")],
        spend=[reach(row, "spend", "exact") for row in cuts.to_dict("records")],
    )
    columns = {
        "score": Column("Score", "count"),
        "days": Column("Days since last"),
        "days_customers": Column("Customers", "count"),
        "occasions": Column("Occasions"),
        "occasions_customers": Column("Customers", "count"),
        "spend": Column("Total spend"),
        "spend_customers": Column("Customers", "count"),
    }
    caption = "Where the scores are cut. Equal values are never split, so scores are unequal in size where values bunch."
    return Table(caption, frame, columns, form)


def _moves_shown(moves: pd.DataFrame, form: Format, earlier: dt.date) -> Table:
    changed = moves[moves["segment"] != moves["segment_before"]]
    frame = changed.sort_values(["customers", "segment_before", "segment"], ascending=[False, True, True], ignore_index=True)
    total = moves.groupby("segment_before")["customers"].sum()
    origin = frame["segment_before"].map(total)
    ends = [wilson(int(k), int(n), LEVEL) for k, n in zip(frame["customers"], origin, strict=True)]
    frame = frame.assign(
        share=frame["customers"] / origin, share_low=[low for low, _ in ends], share_high=[high for _, high in ends]
    )
    columns = {
        "segment_before": Column("From"),
        "segment": Column("To"),
        "customers": Column("Customers", "count"),
        "share": Column("Share of those from there", "share", "share_low", "share_high"),
    }
    return Table(f"Moves between segments since {form.day(earlier)}, most frequent first.", frame, columns, form)


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
            f"Segments with fewer than {params.min_group} customers are shown together as “{OTHER}”.",
        ),
        {
            "Purchase occasion": "a customer-day with a purchase whose spend, net of returns booked that day, is positive",
            "Days since last": "days from the last occasion to the last day of history",
            "Total spend": "what a customer's occasions add up to",
        },
    )


def _segments_chart(segments: pd.DataFrame, form: Format) -> Chart:
    import numpy as np

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        count = len(segments)
        for i, row in enumerate(segments.to_dict("records")):
            place = count - 1 - i
            value, low, high = (100 * row[k] for k in ("revenue_share", "revenue_share_low", "revenue_share_high"))
            ax.barh(place + 0.17, value, 0.34, color=color("accent"))
            ax.barh(place - 0.19, 100 * row["share"], 0.28, color=color("fill"))
            ax.plot([low, high], [place + 0.17] * 2, color=color("ink"), linewidth=1.2)
            tip = np.nanmax([high, value, 100 * row["share"], 0])
            text = f"{form.share(row['revenue_share'])} of revenue from {form.share(row['share'])} of customers"
            ax.annotate(
                text, (tip, place), (6, 0), textcoords="offset points", va="center",
                color=color("muted"), fontsize=9,
            )  # fmt: skip
        ax.set_yticks(range(count), list(segments["segment"])[::-1], color=color("ink"))
        # One customer, or one segment, has no interval.
        longest = np.nanmax([*segments["revenue_share_high"], *segments["revenue_share"], *segments["share"], 0.01])
        ax.set_xlim(0, 100 * longest * 1.55)
        ax.xaxis.set_major_formatter(lambda value, _: form.share(value / 100, 0))
        ax.xaxis.grid(visible=True)
        ax.spines[["left", "bottom"]].set_visible(False)

    top = segments.iloc[0]
    return Chart(
        f"Share of revenue (dark, with {form.share(LEVEL)} interval) beside share of customers (pale), by segment.",
        f"Paired bars for {len(segments)} segments; {top['segment']} lead with {form.share(top['revenue_share'])} of revenue.",
        draw,
        segments,
        (8, 0.42 * len(segments) + 0.5),
    )


def _grid_chart(scored: pd.DataFrame, bins: int, form: Format) -> Chart:
    grid = scored.groupby(["r_score", "f_score"]).agg(customers=("customer_id", "size"), revenue=("total_spend", "sum"))
    frame = grid.reset_index()
    total = frame["revenue"].sum() or 1.0
    frame["revenue_share"] = frame["revenue"] / total

    def draw(figure: Figure) -> None:
        from matplotlib.patches import Rectangle

        ax = figure.add_subplot()
        most = max(frame["revenue_share"].max(), 1e-12)
        for row in frame.to_dict("records"):
            r, f = row["r_score"], row["f_score"]
            strength = max(row["revenue_share"], 0) / most
            strong = strength > 0.55
            corner = (r - 0.48, f - 0.46)
            ax.add_patch(Rectangle(corner, 0.96, 0.92, color=color("wash")))
            # Full colour or a pale one: half-tones of one colour would change their meaning in dark mode.
            ax.add_patch(
                Rectangle(
                    corner,
                    0.96,
                    0.92,
                    color=color("accent" if strong else "fill"),
                    alpha=1 if strong else 0.1 + 0.9 * min(1, strength / 0.3),
                )
            )
            ink = color("onaccent" if strong else "ink")
            ax.text(r, f + 0.1, form.count(row["customers"]), ha="center", va="center", fontsize=11, color=ink)
            ax.text(r, f - 0.24, form.share(row["revenue_share"]), ha="center", va="center", fontsize=9, color=ink)
        ax.set_xlim(0.5, bins + 0.5)
        ax.set_ylim(0.5, bins + 0.5)
        ends = {1: "1\nlongest ago", bins: f"{bins}\nmost recent"}
        ax.set_xticks(range(1, bins + 1), [ends.get(i, str(i)) for i in range(1, bins + 1)])
        ends = {1: "fewest occasions  1", bins: f"most occasions  {bins}"}
        ax.set_yticks(range(1, bins + 1), [ends.get(i, str(i)) for i in range(1, bins + 1)])
        for side in ax.spines.values():
            side.set_visible(False)

    best = frame.sort_values("revenue", ascending=False, kind="stable").iloc[0]
    share = best["revenue_share"]
    return Chart(
        "Recency score across, frequency score up. Each cell: number of customers, and below it their share of revenue; the "
        "stronger the colour, the more revenue.",
        f"A grid of {bins} by {bins} cells; the cell with recency {int(best['r_score'])} and frequency {int(best['f_score'])} "
        f"holds the most revenue, {form.share(share)} of all.",
        draw,
        frame,
        (8, 0.62 * bins + 0.6),
    )


def _moves_chart(moves: pd.DataFrame, form: Format, earlier: dt.date) -> Chart:
    order = ["Not yet a customer", *[s.name for s in SEGMENTS]]
    known = moves[moves["segment_before"] != "Not yet a customer"]
    before = known.groupby("segment_before")["customers"].sum()
    after = moves.groupby("segment")["customers"].sum()
    names = [name for name in order[1:] if before.get(name, 0) or after.get(name, 0)]
    stay = known[known["segment"] == known["segment_before"]].set_index("segment")["customers"]

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        for i, name in enumerate(reversed(names)):
            old, new = int(before.get(name, 0)), int(after.get(name, 0))
            ax.plot([old, new], [i, i], color=color("fill"), linewidth=3, zorder=1)
            ax.plot(old, i, "o", color=color("muted"), markersize=6, markerfacecolor=color("paper"), zorder=2)
            ax.plot(new, i, "o", color=color("accent"), markersize=7, zorder=3)
            words = f"{form.count(old)} → {form.count(new)}"
            ax.annotate(
                words, (max(old, new), i), (9, 0), textcoords="offset points", va="center", fontsize=9, color=color("muted")
            )
        ax.set_yticks(range(len(names)), list(reversed(names)), color=color("ink"))
        ax.set_xlim(0, 1.25 * max(before.max() if len(before) else 1, after.max()))
        ax.xaxis.set_major_formatter(lambda value, _: form.count(value))
        ax.xaxis.grid(visible=True)
        ax.spines[["left", "bottom"]].set_visible(False)

    kept = int(stay.sum())
    total = int(known["customers"].sum())
    low, high = wilson(kept, total, LEVEL)
    return Chart(
        f"Customers per segment on {form.day(earlier)} (hollow) and now (filled). Of those who were customers then, "
        f"{form.share(kept / total if total else 0)} are in the same segment now ({form.interval(low, high, 'share')}).",
        f"Dots for {len(names)} segments, then and now, joined by lines that show growth or decline.",
        draw,
        moves,
        (8, 0.36 * len(names) + 0.5),
    )
