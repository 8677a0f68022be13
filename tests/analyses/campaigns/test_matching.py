"""Match back: by code, else the latest open contact, by household, with ties that do not depend on the order of rows."""

import datetime as dt

import ibis
import pandas as pd
import pytest

from crmlab.analyses.campaigns.matching import match_back, match_counts
from crmlab.analyses.campaigns.reductions import windows

AS_OF = dt.date(2024, 3, 31)


def frame(rows, columns, *moments):
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(**{name: pd.to_datetime(found[name]) for name in moments})


def contacts(*rows):
    return frame(rows, ["customer_id", "cell_id", "contacted_at", "household_id"], "contacted_at")


def responses(*rows):
    kinds = [(who, at, "order", code, order) for who, at, code, order in rows]
    return frame(kinds, ["customer_id", "responded_at", "kind", "response_code", "order_id"], "responded_at")


def cells(*rows):
    return frame(rows, ["cell_id", "response_code", "opens_on", "closes_on"])


CELLS = cells(
    ("a-0", None, "2024-01-01", "2024-01-31"),
    ("a-1", "AAA", "2024-01-01", "2024-01-31"),
    ("b-1", "BBB", "2024-01-20", "2024-02-20"),
)
CONTACTS = contacts(
    ("ann", "a-1", "2024-01-01 06:00", "h1"),
    ("ann", "b-1", "2024-01-20 06:00", "h1"),
    ("bob", "a-0", "2024-01-01 06:00", None),
    ("cy", "a-1", "2024-01-05 06:00", "h2"),
)
HOMES = pd.DataFrame({"customer_id": ["ann", "eve", "bob"], "household_id": ["h1", "h1", None]})


def found(rows, contacted=CONTACTS, celled=CELLS, homes=HOMES, as_of=AS_OF):
    tables = [ibis.memtable(one) for one in (rows, contacted, celled)]
    households = ibis.memtable(homes) if homes is not None else None
    matched = match_back(*tables, as_of, households).to_pandas()
    return {row["order_id"]: (row["cell_id"], row["how"]) for row in matched.to_dict("records")}


@pytest.mark.parametrize(
    ("row", "cell", "how"),
    [
        (("ann", "2024-01-25", "AAA", "1"), "a-1", "coded"),  # the code, though b-1 came later
        (("ann", "2024-01-25", None, "1"), "b-1", "matched"),  # the most recent of two open windows
        (("ann", "2024-01-10", None, "1"), "a-1", "matched"),
        (("ann", "2024-02-10", "XXX", "1"), "b-1", "matched"),  # a code that is no cell's
        (("dan", "2024-01-10", "BBB", "1"), "b-1", "coded"),  # passed on by a friend
        (("bob", "2024-01-10", None, "1"), "a-0", "matched"),  # a control is matched too: it says nothing of effects
        (("cy", "2024-01-03", "AAA", "1"), None, "unmatched"),  # before its contact
        (("cy", "2024-02-01", None, "1"), None, "unmatched"),  # the window is closed
        (("eve", "2024-01-10", None, "1"), "a-1", "matched by household"),
        (("dan", "2024-01-10", None, "1"), None, "unmatched"),
    ],
)
def test_match_back_row_by_row(row, cell, how):
    got, said = found(responses(row))["1"]
    assert (got if isinstance(got, str) else None, said) == (cell, how)


def test_match_back_last_day_of_a_window_counts_and_later_responses_are_not_looked_at():
    rows = responses(("ann", "2024-02-20 23:59", None, "1"), ("ann", "2024-02-21 00:00", None, "2"))
    assert found(rows)["1"] == ("b-1", "matched")
    assert found(rows)["2"][1] == "unmatched"
    assert set(found(rows, as_of=dt.date(2024, 2, 20))) == {"1"}


def test_match_back_ties_do_not_depend_on_the_order_of_rows():
    contacted = contacts(("ann", "b-1", "2024-01-21 06:00", None), ("ann", "a-1", "2024-01-21 06:00", None))
    row = responses(("ann", "2024-01-25", None, "1"))
    assert found(row, contacted)["1"] == found(row, contacted[::-1])["1"] == ("a-1", "matched")


def test_match_back_keeps_every_response_once():
    rows = responses(*[("ann", "2024-01-25", None, str(k)) for k in range(50)], ("ann", "2024-01-25", "AAA", "x"))
    assert len(found(rows)) == 51


def test_match_back_works_without_codes_windows_and_households():
    rows = responses(("ann", "2024-01-25", "AAA", "1"))
    plain = found(rows, CONTACTS.drop(columns="household_id"), CELLS[["cell_id"]], None)
    assert plain["1"] == ("b-1", "matched")


def test_match_counts_puts_coded_matched_and_unmatched_side_by_side():
    rows = responses(
        ("ann", "2024-01-05", "AAA", "1"),
        ("cy", "2024-01-06", None, "2"),
        ("dan", "2024-01-07", None, "3"),
        ("bob", "2024-01-07", None, "4"),
    )
    named = CELLS[CELLS["cell_id"].str.startswith("a")]
    days = windows(named, dt.date(2024, 1, 1), AS_OF)
    counts = match_counts(*(ibis.memtable(one) for one in (rows, CONTACTS, CELLS)), days, AS_OF)
    assert counts.iloc[:, 1:].to_numpy().tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_match_back_on_both_engines(both):
    rows = responses(
        ("ann", "2024-01-25", "AAA", "1"),
        ("ann", "2024-01-25", None, "2"),
        ("eve", "2024-01-10", None, "3"),
        ("cy", "2024-01-03", "AAA", "4"),
        ("dan", "2024-01-10", "BBB", "5"),
    )

    def reduce(responses, contacts, cells, homes):
        responses = responses.mutate(responded_at=responses["responded_at"].cast("timestamp"))
        contacts = contacts.mutate(contacted_at=contacts["contacted_at"].cast("timestamp"))
        cells = cells.mutate(opens_on=cells["opens_on"].cast("date"), closes_on=cells["closes_on"].cast("date"))
        matched = match_back(responses, contacts, cells, AS_OF, homes)
        return matched.select("order_id", "how", cell_id=ibis.coalesce(matched["cell_id"], "none"))

    texts = {"responses": rows.assign(responded_at=rows["responded_at"].astype(str))}
    texts |= {"contacts": CONTACTS.assign(contacted_at=CONTACTS["contacted_at"].astype(str)), "cells": CELLS, "homes": HOMES}
    duck, spark = both(reduce, **texts)
    pd.testing.assert_frame_equal(duck, spark)
    assert dict(zip(duck["order_id"], duck["cell_id"], strict=True)) == {
        "1": "a-1",
        "2": "b-1",
        "3": "a-1",
        "4": "none",
        "5": "b-1",
    }
