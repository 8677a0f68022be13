"""Each known export: a file in its form is recognised, asks at most two questions, and gives the right sums."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from crmlab.data import catalog, guess
from crmlab.data.dataset import check_source
from crmlab.data.exports import recognised
from crmlab.data.exports.known import KNOWN

pytestmark = pytest.mark.filterwarnings("ignore::crmlab.errors.NewKeyWarning")  # each test has a project of its own
Row = Sequence[Any]


@dataclass(frozen=True)
class Case:
    """A file in the form of an export, and what is right: for each table the rows that are sales and their sum."""

    name: str
    header: str
    rows: Sequence[Row]
    right: Mapping[str, tuple[int, str]]
    sep: str = ","

    def __str__(self) -> str:
        return self.name


def order(count: int) -> list[str]:
    """Customers of so many orders, each with several."""
    return [f"c{1 + i % 7}" for i in range(count)]


def day(i: int) -> str:
    return f"2024-{1 + i % 9:02d}-{1 + i % 27:02d}"


SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,"
    "Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem fulfillment status,Billing Name,Cancelled at,"
    "Refunded Amount,Id,Source,Lineitem discount"
)


def shopify() -> list[Row]:
    rows: list[Row] = []
    for i, who in enumerate(order(20)):
        state = {3: "refunded", 5: "pending", 6: "voided", 8: "partially_refunded"}.get(i, "paid")
        cancelled, back = "2024-10-01 10:00:00 +0000" if i == 9 else "", {3: "25.00", 8: "10.00"}.get(i, "0.00")
        fields = [state, day(i), "fulfilled", "EUR", "22.00", "5.00", "3.00", "25.00", "", "2.00"]
        mail, at = f"{who}@example.org", f"{day(i)} 10:00:00 +0000"
        rows.append(
            [
                f"#{1001 + i}",
                mail,
                *fields,
                at,
                1,
                "mug",
                "14.00",
                "M1",
                "fulfilled",
                "A B",
                cancelled,
                back,
                500 + i,
                "web",
                "0.00",
            ]
        )
        rows.append([f"#{1001 + i}", mail, *[""] * 10, at, 2, "cup", "5.00", "C1", "fulfilled", "", "", "", "", "", "0.00"])
    return rows


def woocommerce(guest: str) -> list[Row]:
    states = {2: "wc-failed", 3: "wc-refunded", 4: "wc-cancelled", 5: "wc-on-hold"}
    return [
        (
            *(20 + i, 20 + i, f"{day(i)} 13:00:00", states.get(i, "wc-completed"), "4.90", "1.00", "0.00", "25.90"),
            *("5.90" if i == 6 else "0.00", "EUR", "paypal", guest if i in (7, 8) else i % 7 + 1, f"p{i}@example.org"),
            "name:Soap|product_id:57|quantity:1|total:20.00",
        )
        for i in range(60)
    ]


STRIPE = (
    "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Converted Amount,Converted Amount Refunded,Converted Currency,"
    "Description,Fee,Mode,Status,Customer ID,Customer Email,Card ID"
)


def stripe() -> list[Row]:
    rows: list[Row] = []
    for i, who in enumerate(order(30)):
        state = {1: "Failed", 2: "Refunded", 3: "Requires Payment Method"}.get(i, "Paid")
        dollar, back = i % 5 == 0, {2: "20.00", 6: "5.00"}.get(i, "0.00")
        amount = ("22.00", "0.00", "usd") if dollar else ("20.00", back, "eur")
        rows.append(
            [
                f"ch_{i}",
                f"{day(i)} 10:00:00",
                *amount,
                "true",
                "20.00",
                back,
                "eur",
                "x",
                "0.5",
                "Live",
                state,
                f"cus_{who}",
                "",
                f"k{i}",
            ]
        )
    return rows


CASES = [
    Case("a Shopify order export", SHOPIFY, shopify(), {"orders": (17, "390.00"), "order_lines": (16 * 2, "384.00")}),
    Case(
        "a WooCommerce order export",
        "order_id,order_number,date,status,shipping_total,tax_total,discount_total,order_total,refunded_total,order_currency,payment_method,"
        "customer_id,customer_email,line_item_1",
        woocommerce("0"),
        {"orders": (54, "1392.70")},
    ),
    Case("a Stripe payments export", STRIPE, stripe(), {"orders": (28, "535.00")}),
    Case(
        "charges as the Stripe API gives them",
        "id,object,amount,amount_captured,amount_refunded,created,currency,customer,status,paid,livemode",
        [
            (
                f"ch_{i}",
                "charge",
                1999,
                0 if i == 1 else 1999,
                999 if i == 2 else 0,
                1709993328 + 86400 * i,
                "eur",
                f"cus_{who}",
                state,
                "",
                "true",
            )
            for i, who in enumerate(order(20))
            for state in ["failed" if i == 1 else "succeeded"]
        ],
        {"orders": (19, "369.82")},
    ),
    Case(
        "a Square items export",
        "Date,Time,Time Zone,Category,Item,Qty,Price Point Name,SKU,Modifiers Applied,Gross Sales,Discounts,Net Sales,Tax,Transaction ID,"
        "Payment ID,Device Name,Event Type,Location,Customer ID,Customer Name",
        [
            (
                *(
                    day(i // 2),
                    "10:00:00",
                    "Eastern Time (US & Canada)",
                    "Tea",
                    f"tea {i % 3}",
                    "-1.0" if i == 8 else "1.0",
                    "Regular",
                ),
                *(
                    f"T{i % 3}",
                    "",
                    "-$5.00" if i == 8 else "$5.00",
                    "$0.00" if i == 8 else "-$0.50",
                    "-$5.00" if i == 8 else "$4.50",
                ),
                *("$0.40", f"t{i // 2}", f"p{i // 2}", "till", "Refund" if i == 8 else "Payment", "Main", who, "Ann B"),
            )
            for i, who in enumerate(order(24))
        ],
        {"order_lines": (24, "98.50")},
    ),
    Case(
        "a Square transactions export",
        "Date,Time,Time Zone,Gross Sales,Discounts,Service Charges,Net Sales,Gift Card Sales,Tax,Tip,Partial Refunds,Total Collected,Source,"
        "Transaction ID,Payment ID,Event Type,Location,Customer ID,Customer Name",
        [
            (
                *(
                    day(i),
                    "10:00:00",
                    "UTC",
                    "$5.00",
                    "$0.00",
                    "$0.00",
                    "($5.00)" if i == 4 else "$5.00",
                    "$0.00",
                    "$0.40",
                    "$1.00",
                    "$0.00",
                ),
                *("$6.40", "POS", f"t{i}", f"p{i}", "Refund" if i == 4 else "Payment", "Main", who, "Ann B"),
            )
            for i, who in enumerate(order(24))
        ],
        {"orders": (24, "110.00")},
    ),
    Case(
        "a Magento order grid",
        "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),Grand Total (Purchased),Status,Customer Email,Total Refunded",
        [
            (
                *(f"0000{i:05d}", "Main", f"{day(i)} 10:00:00", "A B", "A B", "30.00", "33.00"),
                *(
                    {1: "canceled", 2: "pending", 3: "fraud", 4: "closed"}.get(i, "complete"),
                    f"{who}@example.org",
                    "30.00" if i == 4 else "0.00",
                ),
            )
            for i, who in enumerate(order(20))
        ],
        {"orders": (17, "480.00")},
    ),
    Case(
        "the table sales_order of Magento",
        "entity_id,state,status,customer_id,customer_is_guest,base_grand_total,base_total_refunded,grand_total,total_refunded,increment_id,"
        "base_currency_code,order_currency_code,customer_email,created_at",
        [
            (
                *(
                    i,
                    "x",
                    {1: "canceled", 2: "holded", 3: "pending_payment"}.get(i, "complete"),
                    i % 7 + 1,
                    0,
                    "30.00",
                    "5.00" if i == 4 else "",
                ),
                *("33.00", "", f"1000{i}", "EUR", "USD" if i % 2 else "EUR", f"{who}@example.org", f"{day(i)} 10:00:00"),
            )
            for i, who in enumerate(order(20))
        ],
        {"orders": (17, "505.00")},
    ),
    Case(
        "an Amazon report of all orders",
        "order-id\torder-item-id\tpurchase-date\tpayments-date\tbuyer-email\tbuyer-name\tsku\tproduct-name\tquantity-purchased\tcurrency\t"
        "item-price\titem-tax\torder-status\titem-promotion-discount",
        [
            (
                *(
                    f"111-{i // 2}",
                    i,
                    f"{day(i // 2)}T10:00:00+00:00",
                    day(i // 2),
                    f"{who}@example.org",
                    "A B",
                    f"S{i % 4}",
                    "mug",
                    2,
                    "EUR",
                ),
                *("12.00", "1.00", "Cancelled" if i == 3 else "Pending" if i == 5 else "Shipped", "2.00" if i == 6 else "0.00"),
            )
            for i, who in enumerate(order(20))
        ],
        {"order_lines": (18, "214.00")},
        sep="\t",
    ),
    Case(
        "an eBay orders report",
        "Sales Record Number,Order Number,Buyer Username,Buyer Name,Buyer Email,Item Number,Item Title,Custom Label,Quantity,Sold For,"
        "Shipping And Handling,Total Price,Sale Date,Paid On Date",
        [
            (
                *(
                    i,
                    f"26-{i}",
                    f"buyer_{who}",
                    "A B",
                    f"{who}@example.org",
                    "" if i == 5 else f"33{i % 4}",
                    "mug",
                    f"L{i % 4}",
                ),
                *(2, "$6.00", "$1.00", "$13.00", f"Jan-{1 + i % 28:02d}-24", ""),
            )
            for i, who in enumerate(order(20))
        ],
        {"order_lines": (19, "228.00")},
    ),
    Case(
        "a HubSpot export of deals",
        "Record ID,Deal Name,Deal Stage,Close Date,Amount,Pipeline,Currency,Associated Company IDs,Associated Company",
        [
            (
                *(
                    900 + i,
                    f"Deal {i}",
                    {1: "Closed Lost", 2: "Contract Sent"}.get(i, "Closed Won"),
                    f"{day(i)} 10:00",
                    "1000",
                    "Sales",
                    "USD",
                ),
                *(i % 7 + 1, "Acme"),
            )
            for i in range(20)
        ],
        {"orders": (18, "18000.00")},
    ),
    Case(
        "a Salesforce export of opportunities",
        "Id,AccountId,Name,StageName,Amount,CloseDate,CurrencyIsoCode,IsWon",
        [
            (
                f"006{i}",
                f"001{who}",
                f"Deal {i}",
                {1: "Closed Lost", 2: "Prospecting"}.get(i, "Closed Won"),
                "1000",
                day(i),
                "EUR",
                "true",
            )
            for i, who in enumerate(order(20))
        ],
        {"orders": (18, "18000.00")},
    ),
    Case(
        "an Odoo export of sale orders",
        "name,partner_id/id,partner_id,date_order,amount_total,state,currency_id,order_line/product_id,order_line/product_uom_qty,"
        "order_line/price_unit,order_line/price_subtotal",
        [
            row
            for i, who in enumerate(order(20))
            for row in (
                (
                    *(
                        f"S{i:05d}",
                        f"res.{who}",
                        "Acme",
                        f"{day(i)} 10:00:00",
                        "30.00",
                        {1: "draft", 2: "cancel", 3: "sent"}.get(i, "sale"),
                        "EUR",
                    ),
                    *("desk", "1", "10.00", "10.00"),
                ),
                ("", "", "", "", "", "", "", "lamp", "4", "5.00", "20.00"),
            )
        ],
        {"orders": (17, "510.00"), "order_lines": (34, "510.00")},
    ),
    Case(
        "a QuickBooks sales detail",
        "Date,Transaction Type,Num,Customer,Product/Service,Memo/Description,Qty,Sales Price,Amount,Balance",
        [
            (
                day(i),
                {1: "Estimate", 2: "Credit Memo"}.get(i, "Invoice"),
                1000 + i,
                f"Acme {who}",
                "desk",
                "",
                q,
                "10.00",
                f"{q * 10}.00",
                "",
            )
            for i, who in enumerate(order(20))
            for q in [-1 if i == 2 else 2]
        ],
        {"order_lines": (19, "350.00")},
    ),
    Case(
        "an SAP sales order table (VBAK, VBAP)",
        "VBELN;POSNR;VBTYP;ERDAT;KUNNR;MATNR;KWMENG;NETWR;WAERK;ABGRU",
        [
            (
                *(
                    f"00000{10 + i // 2}",
                    10 * (1 + i % 2),
                    "B" if i < 2 else "C",
                    f"{1 + i % 27:02d}.03.2024",
                    f"00000{1 + i // 2 % 7}",
                    f"M{i % 4}",
                ),
                *("2,000", "1.250,00", "EUR", "Z1" if i == 5 else ""),
            )
            for i in range(20)
        ],
        {"order_lines": (16, "20000.00")},
        sep=";",
    ),
    Case(
        "GA4 events from BigQuery",
        "event_date,event_timestamp,event_name,user_pseudo_id,platform,ecommerce.transaction_id,ecommerce.purchase_revenue",
        [
            (
                f"202403{1 + i % 27:02d}",
                1709993328000000 + i,
                name,
                f"9{i % 7}.1",
                "WEB",
                f"T{i}" if name == "purchase" else "",
                "30.00" if name == "purchase" else "",
            )
            for i in range(40)
            for name in [("page_view", "purchase", "begin_checkout", "purchase")[i % 4]]
        ],
        {"orders": (20, "600.00")},
    ),
    Case(
        "a PayPal activity download",
        "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,From Email Address,To Email Address,Transaction ID",
        [
            (
                *(
                    day(i),
                    "10:00:00",
                    "UTC",
                    "A B",
                    "General Withdrawal" if i == 3 else "Express Checkout Payment",
                    "Completed",
                    "EUR",
                ),
                *("-90.00" if i == 3 else "30.00", "-1.00", "29.00", f"{who}@example.org", "shop@example.org", f"X{i}"),
            )
            for i, who in enumerate(order(20))
        ],
        {"orders": (19, "570.00")},
    ),
    Case(
        "a Lightspeed list of sales lines",
        "Sale ID,Date,Customer ID,Customer,Item,System ID,Category,Quantity,Retail,Subtotal,Total",
        [
            (i // 2, day(i // 2), i // 2 % 7 + 1, "A B", "mug", f"21{i % 4}", "Kitchen", 2, "6.00", "12.00", "13.00")
            for i in range(20)
        ],
        {"order_lines": (20, "240.00")},
    ),
]


def written(case: Case, folder: Path) -> Path:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=case.sep, lineterminator="\n")
    writer.writerow(case.header.split("\t" if case.sep == "\t" else case.sep))
    writer.writerows(case.rows)
    file = folder / ("export.txt" if case.sep == "\t" else "export.csv")
    file.write_text(out.getvalue(), encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRMLAB_HOME", str(tmp_path))
    for name in ("data", "notebooks"):
        (tmp_path / name).mkdir()
    return tmp_path


def sums(made: Path) -> dict[str, tuple[int, Decimal]]:
    """For each table the rows that are kept, and what they add up to."""
    rows, _, problems = check_source(catalog.load(made))
    assert problems == []
    return {row.table: (row.rows, Decimal(row.amount or 0)) for row in rows if row.reason is None}


@pytest.mark.proof
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_known_export_gives_the_right_sums(case: Case, tmp_path: Path) -> None:
    found = guess.survey([written(case, tmp_path)])
    assert {one.export for one in found} == {case.name}
    assert sum(len(one.doubts) for one in found) <= 2, [one.doubts for one in found]
    got = sums(guess.write(found))
    assert got == {table: (rows, Decimal(amount)) for table, (rows, amount) in case.right.items()}


def test_a_settlement_of_amazon_counts_the_price_of_goods_and_no_fees(tmp_path: Path) -> None:
    lines = "settlement-id\ttransaction-type\torder-id\tamount-type\tamount-description\tamount\tposted-date\tsku\tquantity-purchased\n"
    for i in range(10):
        for kind, what, amount in (
            ("ItemPrice", "Principal", "20.00"),
            ("ItemPrice", "Tax", "3.00"),
            ("ItemFees", "Commission", "-3.00"),
        ):
            lines += f"77\tOrder\t111-{i}\t{kind}\t{what}\t{amount}\t{day(i)}\tS{i % 3}\t1\n"
    file = tmp_path / "settlement.txt"
    file.write_text(lines)
    (found,) = guess.survey([file])
    assert found.export == "an Amazon settlement report"
    assert (found.options["keep"], sorted(found.options["drop"])) == (["Principal"], ["Commission", "Tax"])
    assert found.options["without"] == ["customer_id"]
    assert found.doubts == ()
    assert sums(guess.write([found])) == {"order_lines": (10, Decimal(200))}


def test_every_export_has_a_case_and_is_recognised_by_its_own_columns() -> None:
    assert {case.name for case in CASES} | {"an Amazon settlement report", "an order table of WooCommerce Analytics"} == {
        e.name for e in KNOWN
    }
    for export in KNOWN:
        for form in export.forms:
            found = recognised(form)
            assert found is export, (form, found)
            assert len(form) >= 3
    assert recognised(["customer", "date", "amount", "status"]) is None


def test_a_file_that_only_looks_like_an_export_is_guessed_as_any_other(tmp_path: Path) -> None:
    file = tmp_path / "deals.csv"
    file.write_text("Deal Name,Deal Stage,Close Date,Amount\n" + "a,b,soon,much\n" * 9)
    assert guess.look(file).export == ""


def test_charges_of_stripe_that_were_divided_already_are_not_divided_again(tmp_path: Path) -> None:
    text = "id,amount,amount_refunded,created,currency,customer,status\n"
    text += "".join(f"ch_{i},19.99,0,2024-03-{i + 1:02d},eur,cus_{i % 3},succeeded\n" for i in range(20))
    (file := tmp_path / "charges.csv").write_text(text)
    assert sums(guess.write(file)) == {"orders": (20, Decimal("399.80"))}


def test_events_as_json_lines_are_recognised(tmp_path: Path) -> None:
    event = {"event_date": "20240301", "event_name": "purchase", "ecommerce": {"transaction_id": "T", "purchase_revenue": 30}}
    lines = [json.dumps({**event, "user_pseudo_id": f"u{i % 3}", "event_date": f"202403{i + 1:02d}"}) for i in range(12)]
    (file := tmp_path / "events.jsonl").write_text("\n".join(lines))
    assert guess.look(file).export == "GA4 events from BigQuery"


def test_a_report_of_quickbooks_that_is_grouped_by_customer(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "sales.xlsx") as book:
        sheet = book.add_worksheet()
        lines: list[Row] = [["A company"], ["Sales by Customer Detail"], ["January - December 2024"], []]
        lines.append(
            [
                "",
                "Date",
                "Transaction Type",
                "Num",
                "Product/Service",
                "Memo/Description",
                "Qty",
                "Sales Price",
                "Amount",
                "Balance",
            ]
        )
        for c in range(8):
            lines.append([f"Acme {c}"])
            lines += [
                ["", f"{13 + k}/{1 + c:02d}/2024", "Invoice", 1000 + 4 * c + k, "desk", "", 2, 10, 20, 20 * (k + 1)]
                for k in range(4)
            ]
            lines.append([f"Total for Acme {c}", *[""] * 7, 80, ""])
        lines += [["TOTAL", *[""] * 7, 640, ""], [], ["Friday, November 1, 2024 10:00 AM"]]
        for number, line in enumerate(lines):
            sheet.write_row(number, 0, line)
    (found,) = guess.survey([tmp_path / "sales.xlsx"])
    assert found.export == "a QuickBooks sales detail"
    assert (found.options["customer_hash"], found.options["only_where"]) == ("column_1", "Date")
    assert found.doubts == ()
    assert "Acme" not in guess.to_toml(found)
    assert sums(guess.write([found])) == {"order_lines": (32, Decimal("640"))}
