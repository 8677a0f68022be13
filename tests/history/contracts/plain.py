"""The same answers by another route: one contract after the other, in Python's own dates and exact numbers."""

from __future__ import annotations

import calendar
import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

ONE = dt.timedelta(days=1)
FOREVER = dt.date.max
PER_MONTH = {
    "month": Fraction(1), "quarter": Fraction(1, 3), "half-year": Fraction(1, 6), "year": Fraction(1, 12),
    "day": Fraction(365, 12), "week": Fraction(365, 84), "4 weeks": Fraction(365, 336),
}  # fmt: skip
MONTHS = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
DAYS = {"day": 1, "week": 7, "4 weeks": 28}


def later(day, count, period):
    """The day some periods later."""
    if period in DAYS:
        return day + dt.timedelta(days=count * DAYS[period])
    year, month = divmod(day.year * 12 + day.month - 1 + count * MONTHS[period], 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def renewals(began, until, period):
    """How many renewals come no later than a day."""
    count = 0
    while later(began, count + 1, period) <= until:
        count += 1
    return count


def monthly(price, period):
    """A price for a month, to the cent."""
    exact = Fraction(price) * PER_MONTH[period]
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def rows_of(frame, as_of):
    """The paid rows of each customer in order of time, as they were known on a day."""
    seen, people = set(), {}
    for row in frame.itertuples(index=False):
        if tuple(row) in seen or row.started_at > as_of:
            continue
        seen.add(tuple(row))
        mine = people.setdefault(row.customer_id, [])
        noticed = row.cancelled_at is not None and row.cancelled_at <= as_of
        end = row.ended_at if row.ended_at is not None and (row.ended_at <= as_of or noticed) else None
        tried = row.trial_until is not None and row.trial_until >= row.started_at
        begin = row.trial_until + ONE if tried else row.started_at
        if row.price > 0 and (end is None or end >= begin):
            mine.append(
                {"begin": begin, "end": end or FOREVER, "id": row.contract_id, "plan": row.plan or "none", "price": row.price,
                 "period": row.period, "monthly": monthly(row.price, row.period), "noticed": end is not None}
            )  # fmt: skip
    for mine in people.values():
        mine.sort(key=lambda one: (one["begin"], one["end"], one["id"], one["plan"], one["price"], one["period"]))
        for place, one in enumerate(mine):
            one["gives_way"] = any(other["begin"] == one["end"] for other in mine[place + 1 :])
        for one in mine:
            one["end"] -= ONE * one["gives_way"]
        mine[:] = [one for one in mine if one["end"] >= one["begin"]]
    return people


def spans_of(mine, gap):
    """Times without a break, and the rows made longer over the gaps that are none."""
    spans = []
    for one in mine:
        if spans and (spans[-1]["end"] == FOREVER or (one["begin"] - spans[-1]["end"]).days - 1 <= gap):
            span = spans[-1]
            if span["end"] != FOREVER and one["begin"] > span["end"] + ONE:
                for former in span["rows"]:
                    if former["end"] == span["end"]:
                        former["end"] = one["begin"] - ONE
            span["rows"].append(one)
            span["end"] = max(span["end"], one["end"])
        else:
            spans.append({"begin": one["begin"], "end": one["end"], "rows": [one]})
    return spans


def levels_of(frame, days, gap=0):
    """What each customer pays on some days, the dearest plan, and the first paid day: as known on the last of the days."""
    found = []
    for who, mine in rows_of(frame, days[-1]).items():
        spans_of(mine, gap)
        for place, day in enumerate(days):
            held = [one for one in mine if one["begin"] <= day <= one["end"]]
            if held:
                dearest = min(held, key=lambda one: (-one["monthly"], one["plan"]))
                total = sum(one["monthly"] for one in held)
                found.append((who, place, total, dearest["plan"], min(one["begin"] for one in mine)))
    return found


def bridge_of(frame, days, gap=0):
    """The parts of the change from each day to the next."""
    paid, first = {}, {}
    for who, place, total, _, since in levels_of(frame, days, gap):
        paid[who, place] = total
        first[who] = since
    lines = []
    for place in range(1, len(days)):
        line = dict.fromkeys(("start", "new", "reactivated", "expansion", "contraction", "churned", "end"), Decimal(0))
        for who in first:
            before, now = paid.get((who, place - 1), Decimal(0)), paid.get((who, place), Decimal(0))
            line["start"] += before
            line["end"] += now
            if not before and now:
                line["new" if first[who] > days[place - 1] else "reactivated"] += now
            elif before and not now:
                line["churned"] += before
            elif now > before:
                line["expansion"] += now - before
            else:
                line["contraction"] += before - now
        lines.append(line)
    return lines
