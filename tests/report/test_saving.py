import csv
import io

import pandas as pd
import pytest

from crmlab.page.quantities import Quantities, Quantity
from crmlab.page.result import Output
from crmlab.page.sheets import neutral, write_csv
from crmlab.report.saving import ordered, rounded


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1", "\0=1"])
def test_neutral_defuses_formulas(text):
    assert neutral(text).startswith("'")


@pytest.mark.parametrize("value", ["plain", "a=b", "", 5, -5, -5.5, None])
def test_neutral_leaves_the_rest(value):
    assert neutral(value) == value


def test_write_csv_defuses_texts_and_headings_but_not_numbers(tmp_path):
    frame = pd.DataFrame({"=name": ["=cmd()", "x,y", 'q"', None], "n": [-1.5, 2, 3, 4]})
    write_csv(frame, tmp_path / "x.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8"))))
    assert rows == [["'=name", "n"], ["'=cmd()", "-1.5"], ["x,y", "2.0"], ['q"', "3.0"], ["", "4.0"]]


def test_write_csv_does_not_change_the_frame(tmp_path):
    frame = pd.DataFrame({"a": ["=1"]})
    write_csv(frame, tmp_path / "x.csv")
    assert frame["a"][0] == "=1"


def test_ordered_sorts_by_key():
    output = Output("x", pd.DataFrame({"id": ["b", "a"], "v": [1, 2]}), ("id",))
    assert list(ordered(output)["id"]) == ["a", "b"]


def test_lists_have_the_digits_of_the_dictionary_and_keep_whole_numbers_and_days():
    known = Quantities(
        Quantity("value", "what comes", "currency"), Quantity("p", "p-value", "p"), Quantity("n", "customers", "customers")
    )
    day = pd.Timestamp("2026-01-02")
    frame = pd.DataFrame({"value": [1 / 3, None], "p": [1.23456e-59, 0.5], "n": [3, 4], "day": [day, day]})
    found = rounded(frame, known)
    assert found["value"].iloc[0] == 0.33 and found["value"].isna().iloc[1]
    assert found["p"].tolist() == [1.23e-59, 0.5]
    assert found["n"].tolist() == [3, 4] and found["day"].equals(frame["day"])
    # What nobody has described stays whole.
    assert rounded(frame.assign(unknown=1 / 3), known)["unknown"].tolist() == [1 / 3, 1 / 3]
