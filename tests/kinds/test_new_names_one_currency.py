"""Amounts in several currencies are told apart: the most frequent is proposed, and of the others it is asked what they are worth.

Else dollars are added to euros, and the sum is neither.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from crmlab.data import guess
from crmlab.data.catalog import load
from crmlab.data.dataset import check_source, open_dataset


def look(folder: Path, header: str, codes: tuple[str, ...], form: str) -> guess.Guess:
    lines = [header]
    lines += [f"{i};C{i % 9};2024-03-{1 + i % 27:02d};{form.format(codes[i % len(codes)])}" for i in range(60)]
    (file := folder / "orders.csv").write_text("\n".join(lines) + "\n")
    return guess.look(file)


@pytest.mark.parametrize("name", ["Currency", "Währung", "devise", "order_currency", "WAERK"])
def test_one_value_names_the_currency(tmp_path: Path, name: str) -> None:
    seen = look(tmp_path, f"order;customer;date;total;{name}", ("chf",), "10.00;{}")
    assert seen.settings["currency"] == "CHF"
    assert seen.columns["currency"] == name
    assert seen.questions == ()


@pytest.mark.proof
@pytest.mark.parametrize(
    ("form", "name", "code"),
    [
        ("A${}.50", "total", "AUD"),
        ("R$ {},50", "total", "BRL"),
        ("{},50 zł", "total", "PLN"),
        ("NZ${}.50", "total", "NZD"),
        ("{},50 Kč", "total", "CZK"),
        ("{},50 kr", "beløb NOK", "NOK"),
        ("${}.50", "total (CAD)", "CAD"),
        ("HUF {}", "total", "HUF"),
        ("₹{}.50", "total", "INR"),
        ("€{}.50", "total", "EUR"),
    ],
)
def test_a_sign_means_to_new_what_it_means_to_the_reader(tmp_path: Path, form: str, name: str, code: str) -> None:
    seen = look(tmp_path, f"order;customer;date;{name}", tuple(str(10 + i) for i in range(9)), form.replace("{}", "{0}"))
    assert seen.settings["currency"] == code
    _, _, problems = check_source(load(toml := guess.write([seen], folder=tmp_path)))
    assert problems == []
    per_round = sum(10 + i for i in range(9)) + (0 if code == "HUF" else Decimal("4.5"))
    rest = sum(10 + i for i in range(6)) + (0 if code == "HUF" else 3)
    assert open_dataset(toml).orders["amount"].sum().execute() == 6 * per_round + rest


@pytest.mark.parametrize(
    ("header", "form"), [("order;customer;date;total;currency", "10.00;{}"), ("order;customer;date;total", "{} 10.00")]
)
def test_of_several_the_most_frequent_is_proposed(tmp_path: Path, header: str, form: str) -> None:
    seen = look(tmp_path, header, ("USD", "EUR", "EUR"), form)
    text = guess.to_toml(seen)
    assert seen.settings["currency"] == "EUR"
    assert "(20 rows, 200.00 USD)" in text
    assert "# rates = {USD = 1.0}" in text
    assert "rates" not in tomllib.loads(text)
    (question,) = (question for question in seen.questions if question.key == "rates")
    out = seen.answered(question, question.written([0]))
    assert tomllib.loads(guess.to_toml(out))["rates"] == {"USD": "drop"}
    assert question.written([1]).rates == ("USD",)  # the terminal asks what one is worth
