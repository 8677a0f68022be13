"""An amount is read as the number that was written, whatever signs, digits and groups its country or program uses, or not at all.

Otherwise sums are wrong without a word: 12.- becomes -12, cents become a hundred times the money, and a file from India or with
the apostrophes of a spreadsheet cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlab.data.dataset import open_dataset
from crmlab.data.guess import look, to_toml, write
from crmlab.data.guess.number_columns import in_cents, number, numbers
from crmlab.data.written import amount, digits, tidy
from crmlab.errors import CrmlabError

Read = Callable[..., list[Any]]
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'-15.02", "-15.02"), ("'12", "12"), ("' 12.50", "12.5"), ("1,23,477.00", "123477"), ("12,34,56,789.5", "123456789.5"),
        ("₹ 1,00,000", "100000"), ("-1,23,477", "-123477"), ("(1,23,477)", "-123477"), ("−5.20", "-5.2"), ("–5.20", "-5.2"),
        ("‑5.20", "-5.2"), ("－5.20", "-5.2"), ("١٢٬٣٤٥٫٦٧", "12345.67"), ("\u061c-١٥", "-15"), ("۱۲٫۵", "12.5"), ("१,२३,४५६", "123456"),
        ("๑๒.๕๐", "12.5"), ("１２．５０", "12.5"), ("12.50-", "-12.5"),
        ("12.-", None), ("12.–", None), ("1,2,345", None), ("1,23,45", None), ("12,345,67", None), ("0,12,345", None), ("'", None),
        ("'12'", None), ("10–20", None), ("١.٢.٣", None), ("-−5", None),
    ],
)  # fmt: skip
def test_amounts_with_a_decimal_point(read: Read, text: str, value: str | None) -> None:
    assert read("money", [text]) == [None if value is None else Decimal(value)]
    assert amount(text) == (None if value is None else Decimal(value))  # `crmlab new` reads what the reader does


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.234", "1234"),
        ("'-15,02", "-15.02"),
        ("١٬٢٣٤٫٥", "1234.5"),
        ("1 234,50", "1234.5"),
        ("1,23,477", None),
        ("12,-", None),
    ],
)
def test_amounts_with_a_decimal_comma(read: Read, text: str, value: str | None) -> None:
    assert read("money", [text], decimal=",") == [None if value is None else Decimal(value)]
    assert amount(text, ",") == (None if value is None else Decimal(value))


def written(value: Decimal, decimal: str, style: tuple[str, str, str, bool]) -> str:
    """An amount in one of the ways in which people write it."""
    groups, minus, script, quoted = style
    whole, _, part = f"{abs(value):.2f}".partition(".")
    if groups == "lakh" and decimal == ".":
        head, tail = whole[:-3], whole[-3:]
        pairs = [head[max(i - 2, 0) : i] for i in range(len(head), 0, -2)][::-1]
        whole = ",".join([*pairs, tail])
    elif groups in ("sign", "blank", "apostrophe"):
        sign = {"sign": "," if decimal == "." else ".", "blank": "\u202f", "apostrophe": "’"}[groups]
        whole = f"{int(whole):,}".replace(",", sign)
    text = f"{whole}{decimal}{part}"
    if value < 0:
        text = f"({text})" if minus == "()" else f"{text}-" if minus == "behind" else f"{minus}{text}"
    zero = digits().find(script)
    text = text.translate(str.maketrans("0123456789", digits()[zero : zero + 10])) if script else text
    return f"'{text}" if quoted else text


styles = st.tuples(
    st.sampled_from(["none", "sign", "lakh", "blank", "apostrophe"]),
    st.sampled_from(["-", "−", "–", "()", "behind"]),
    st.sampled_from(["", "٠", "۰", "०", "๐", "０"]),
    st.booleans(),
)
amounts = st.decimals(Decimal("-99999999"), Decimal("99999999"), places=2)


@pytest.mark.proof
@few
@given(st.lists(st.tuples(amounts, styles), min_size=1, max_size=60), st.sampled_from([".", ","]))
def test_an_amount_in_any_writing_is_that_amount(read: Read, drawn: list[tuple[Decimal, Any]], decimal: str) -> None:
    texts = [written(value, decimal, style) for value, style in drawn]
    expected = [value for value, _ in drawn]
    assert read("money", texts, decimal=decimal) == expected
    assert [amount(text, decimal) for text in texts] == expected
    # With the other sign it is that amount, or none: never the cents as whole money.
    other = "," if decimal == "." else "."
    assert all(found in (None, value) for found, value in zip(read("money", texts, decimal=other), expected, strict=True))


@few
@given(st.lists(st.text("0123456789.,'-−–() €٣٫٬", max_size=9), min_size=1, max_size=80), st.sampled_from([".", ","]))
def test_the_guess_reads_what_the_reader_reads(read: Read, texts: list[str], decimal: str) -> None:
    found = read("money", texts, decimal=decimal)
    assert [None if value is None else float(value) for value in found] == [
        None if (value := number(text, decimal)) is None else pytest.approx(value, abs=1e-4) for text in texts
    ]


def test_ids_keep_their_digits_and_apostrophes(read: Read) -> None:
    assert read("text", ["٣", "'007", "A–1"]) == ["٣", "'007", "A–1"]
    assert tidy("'٣") == "3"


# Cents


def test_cents_are_hundredths_exactly(read: Read) -> None:
    texts = ["2946", "29.5", "-1", "'-7", "99999999999999", "1,23,477"]
    exact = [Decimal(value) for value in ("29.46", "0.295", "-0.01", "-0.07", "999999999999.99", "1234.77")]
    assert read("money", texts, amounts_in="cents") == exact
    assert read("money", pa.array([2946, -5, 10**15]), amounts_in="cents") == [Decimal("29.46"), Decimal("-0.05"), None]
    assert read("money", ["0.125"], name="unit_price", amounts_in="cents") == [Decimal("0.00125")]
    assert read("number", ["3"], name="quantity", amounts_in="cents") == [Decimal(3)]


@few
@given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=200))
def test_any_cents_are_hundredths_exactly(read: Read, cents: list[int]) -> None:
    assert read("money", list(map(str, cents)), amounts_in="cents") == [Decimal(value) / 100 for value in cents]


@pytest.mark.parametrize(
    ("name", "asks"),
    [("amount_cents", True), ("amountInCents", True), ("Betrag_Pfennig", True), ("total_minor", True), ("percent", False)],
)
def test_names_that_say_cents(name: str, asks: bool) -> None:
    assert in_cents(name, numbers(["2946", "1404"])) is asks
    assert not in_cents(name, numbers(["29.46", "14.04"]))


@pytest.mark.parametrize(("name", "time"), [("amount_cents", "2024-03-09"), ("amount", "1709993328")])
def test_cents_are_asked_about_and_never_assumed(empty_project: Path, name: str, time: str) -> None:
    lines = [f"{i},C{i % 5},{time},{100 + 137 * i}" for i in range(40)]
    file = empty_project / "api.csv"
    file.write_text("\n".join([f"id,user_id,created,{name}", *lines]))
    guess = look(file)
    assert "amounts_in" in dict(guess.unsure)
    text = to_toml(guess)
    assert '\n# amounts_in = "cents"  # ' in text
    write(file)
    total = Decimal(sum(100 + 137 * i for i in range(40)))
    assert _sum("api") == total
    toml = empty_project / "data" / "api.toml"
    toml.write_text(toml.read_text().replace('# amounts_in = "cents"', 'amounts_in = "cents"'))
    assert _sum("api") == total / 100


def _sum(name: str) -> Decimal:
    return sum(open_dataset(name).orders.to_pyarrow()["amount"].to_pylist(), Decimal(0))


@pytest.mark.proof
@pytest.mark.parametrize(
    ("texts", "total"),
    [
        (["'-15.02", "20.00", "7.50"], "12.48"),
        (["1,23,477.00", "1,00,000.50", "999.00"], "224476.5"),
        (["١٬٢٣٤٫٥٠", "٧٫٠٠", "-٢٫٢٥"], "1239.25"),
        (["1.234,50", "7,00", "-2,25"], "1239.25"),
    ],
)
def test_from_a_file_to_its_sum(empty_project: Path, texts: list[str], total: str) -> None:
    lines = [f'{i},C{i % 4},2024-01-{i % 28 + 1:02},"{texts[i % 3]}"' for i in range(30)]
    (empty_project / "f.csv").write_text("\n".join(["order_id,customer_id,order_date,amount", *lines]), encoding="utf-8")
    write(empty_project / "f.csv")
    assert _sum("f") == 10 * Decimal(total)


@pytest.mark.parametrize(
    ("value", "decimal", "said"),
    [
        ('"1.234,50"', ".", 'If amounts look like 1.234,50 add decimal = "," to'),
        ('"1,23,477.00"', ",", 'If amounts look like 1,234.50 take decimal = "," out of'),
        ('"1,2,345.00"', ".", "Correct the file, or set"),
        ("12.-", ".", "Correct the file, or set"),
    ],
)
def test_messages_name_the_line_that_mends(empty_project: Path, value: str, decimal: str, said: str) -> None:
    (empty_project / "data" / "m.csv").write_text(f"customer_id,ordered_at,amount\n7,2024-01-31,{value}\n")
    (empty_project / "data" / "m.toml").write_text(f'[orders]\nfile = "m.csv"\ndecimal = "{decimal}"\n')
    with pytest.raises(CrmlabError) as error:
        open_dataset("m")
    found = value.strip('"')
    assert f"Found: '{found}'. {said}" in str(error.value)


def charges(folder: Path, codes: tuple[str, ...]) -> Path:
    """A file of 40 charges over 5000, as the API of a payment service gives them: in the smallest unit of their currency."""
    lines = ["id,amount,amount_refunded,created,currency,customer,status"]
    lines += [f"ch_{i},5000,0,{1704067200 + i * 86400},{codes[i % len(codes)]},cus_{i % 9},succeeded" for i in range(40)]
    (file := folder / "charges.csv").write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    ("codes", "total"),
    [(("jpy",), 200_000), (("KRW",), 200_000), (("vnd",), 200_000), (("clp",), 200_000), (("usd",), 2_000), (("isk",), 2_000)],
)
def test_currencies_without_cents_are_not_divided(tmp_path: Path, codes: tuple[str, ...], total: int) -> None:
    seen = look(charges(tmp_path, codes))
    assert seen.questions == ()
    assert open_dataset(write([seen], folder=tmp_path)).orders["amount"].sum().execute() == total


@pytest.mark.parametrize(
    ("codes", "cents", "said"),
    [
        (("usd", "usd", "jpy"), True, "a rate under [rates] is to be that of 100 JPY"),
        (("jpy", "jpy", "usd"), False, "a rate under [rates] is to be that of 0.01 USD"),
        (("usd", "usd", "kwd"), True, "that of 0.1 KWD"),
        (("kwd",), True, "KWD in thousandths. No key says so"),
    ],
)
def test_currencies_of_several_units_are_asked_about(tmp_path: Path, codes: tuple[str, ...], cents: bool, said: str) -> None:
    seen = look(charges(tmp_path, codes))
    (doubt,) = (sentence for key, sentence in seen.unsure if key == "amounts_in")
    assert said in doubt
    assert ("amounts_in" in seen.options) is cents
    assert f"# unsure: {doubt}" in to_toml(seen)
