"""Kind: rows that are no sales are summed in silence: failed and cancelled orders, refunds, other currencies, guests, copies.

Each reading gives the right sum, or says in a breach how many rows and how much money somebody has to decide about.
"""

from decimal import Decimal

import pytest

from crmlab.data.catalog import load
from crmlab.data.dataset import check_source, open_dataset
from crmlab.errors import CrmlabError

HEAD = "order_id,customer_id,ordered_at,amount"


def look(tmp_path, toml, files):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "mine.toml").write_text(toml, encoding="utf-8")
    ledger, breaches, problems = check_source(load(tmp_path / "mine.toml"))
    return {(row.table, row.reason): (row.rows, row.amount and Decimal(row.amount)) for row in ledger}, breaches, problems


def orders(*rows, head=HEAD):
    return "\n".join([head, *rows]) + "\n"


STATUSES = orders(
    "1,a,2024-01-01,10,wc-completed",
    "2,b,2024-01-02,20,wc-failed",
    "3,a,2024-01-03,30,Refunded",
    "4,c,2024-01-04,40,Phase 3",
    "5,d,2024-01-05,50,",
    head=HEAD + ",status",
)


def test_statuses_are_read_by_their_words_and_unknown_ones_are_asked_about(tmp_path):
    fates, breaches, problems = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": STATUSES})
    assert problems == []
    assert fates == {
        ("orders", None): (1, 10),
        ("orders", "status"): (2, 50),
        ("orders", "unknown_status"): (2, 90),
    }
    assert [(one.rule, one.says, one.broken, Decimal(one.amount)) for one in breaches] == [
        ("Status", "The status 'Phase 3' is neither kept nor dropped, so these rows are left out.", 1, 40),
        ("Status", "An empty status is neither kept nor dropped, so these rows are left out.", 1, 50),
    ] or [one.broken for one in breaches] == [1, 1]
    assert {one.advice for one in breaches} == {
        'Put "Phase 3" into keep or drop under [orders] of mine.toml.',
        'Put "" into keep or drop under [orders] of mine.toml.',
    }
    assert all(one.grave for one in breaches)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("lists", "kept"),
    [
        ('keep = ["wc-completed", "Phase 3", ""]', 100),
        ('keep = ["WC_Completed", "refunded"]', 40),
        ('drop = ["Phase 3", ""]', 10),
        ('keep = ["Phase 3"]\ndrop = [""]', 40),
    ],
)
def test_keep_and_drop_decide(tmp_path, lists, kept):
    fates, _, problems = look(tmp_path, f'[orders]\nfile = "o.csv"\n{lists}\n', {"o.csv": STATUSES})
    assert problems == []
    assert fates["orders", None][1] == kept
    assert sum(rows for rows, _ in fates.values()) == 5


@pytest.mark.proof
def test_a_refund_is_taken_off_and_a_refunded_order_without_one_is_no_sale(tmp_path):
    text = orders(
        "1,a,2024-01-01,10,paid,0",
        "2,b,2024-01-02,20,partially_refunded,5",
        "3,c,2024-01-03,30,refunded,30",
        "4,d,2024-01-04,40,refunded,0",
        "5,e,2024-01-05,50,paid,-7",
        head=HEAD + ",status,Refunded Amount",
    )
    toml = '[orders]\nfile = "o.csv"\nrefund = "Refunded Amount"\n'
    fates, breaches, _ = look(tmp_path, toml, {"o.csv": text})
    assert fates == {("orders", None): (4, 10 + 15 + 0 + 43), ("orders", "status"): (1, 40)}
    assert breaches == []
    found = open_dataset(tmp_path / "mine.toml").orders.order_by("order_id").to_pyarrow().to_pylist()
    assert [float(row["return_amount"]) for row in found] == [0, -5, -30, -7]


def test_refunds_that_are_booked_below_zero_count(tmp_path):
    text = orders("1,a,2024-01-01,10,paid", "2,a,2024-01-02,-10,refunded", "3,b,2024-01-03,5,paid", head=HEAD + ",status")
    fates, breaches, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert (fates, breaches) == ({("orders", None): (3, 5)}, [])


def test_a_sale_that_is_not_kept_is_asked_about(tmp_path):
    toml = '[orders]\nfile = "o.csv"\nkeep = ["Phase 3"]\ndrop = [""]\n'
    _, (asked,), _ = look(tmp_path, toml, {"o.csv": STATUSES})
    assert asked.says == "The status 'wc-completed' is neither kept nor dropped, so these rows are left out."


@pytest.mark.proof
def test_discounts_are_taken_off_by_name_of_the_user_only(tmp_path):
    text = orders("1,a,2024-01-01,10,3", "2,b,2024-01-02,-20,-5", head=HEAD + ",discount")
    fates, _, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert fates["orders", None] == (2, -10)
    fates, _, _ = look(tmp_path, '[orders]\nfile = "o.csv"\ndiscount = "discount"\n', {"o.csv": text})
    assert fates["orders", None] == (2, 7 - 15)


def test_a_status_or_refund_that_is_not_read_is_told_where_it_speaks_against_the_sums(tmp_path):
    text = orders(
        "1,a,2024-01-01,10,paid,0",
        "2,b,2024-01-02,20,failed,0",
        "3,c,2024-01-03,30,paid,4.5",
        head=HEAD + ",Financial Status,Amount Refunded",
    )
    _, breaches, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert [(one.rule, one.broken, Decimal(one.amount), one.advice) for one in breaches] == [
        ("Status", 1, 20, 'Write status = "Financial Status" under [orders].'),
        (
            "Refunds",
            1,
            30,
            'Write refund = "Amount Refunded" under [orders] of mine.toml, unless the amounts are net of it already.',
        ),
    ]
    _, breaches, _ = look(
        tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text.replace("failed", "paid").replace("4.5", "0.00")}
    )
    assert breaches == []


def test_an_order_that_was_cancelled_is_no_sale_with_all_its_rows(tmp_path):
    head = "order_id,customer_id,ordered_at,product_id,quantity,amount,Cancelled at"
    text = orders("1,a,2024-01-01,p,1,10,2024-01-02", "1,a,2024-01-01,q,1,20,", "2,a,2024-01-03,p,1,40,", head=head)
    fates, _, _ = look(tmp_path, '[order_lines]\nfile = "o.csv"\ndrop_where = "Cancelled at"\n', {"o.csv": text})
    assert fates == {("order_lines", None): (1, 40), ("order_lines", "status"): (2, 30)}


CURRENCIES = orders(
    "1,a,2024-01-01,10,EUR", "2,b,2024-01-02,20,usd", "3,c,2024-01-03,30,", "4,d,2024-01-04,40,GBP", head=HEAD + ",Currency"
)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("top", "kept", "asked"),
    [
        ('currency = "EUR"', 40, {None: 30, "USD": 20, "GBP": 40}),
        ('currency = "EUR"\n[rates]\nUSD = 0.1', 42, {None: 30, "GBP": 40}),
        ('currency = "EUR"\n[rates]\nUSD = 0.1\nGBP = "drop"', 42, {None: 30}),
    ],
)
def test_currencies_are_never_added_up(tmp_path, top, kept, asked):
    fates, breaches, problems = look(tmp_path, f'{top}\n[orders]\nfile = "o.csv"\n', {"o.csv": CURRENCIES})
    assert problems == []
    assert fates["orders", None][1] == kept
    assert {one.currency: Decimal(one.amount) for one in breaches} == asked
    assert fates.get(("orders", "other_currency"), (0, None))[1] is None


@pytest.mark.proof
def test_several_currencies_and_none_named_is_refused(tmp_path):
    for text in (
        CURRENCIES,
        orders("1,a,2024-01-01,€10", "2,b,2024-01-02,$20"),
        orders("1,a,2024-01-01,10 EUR", "2,b,2024-01-02,20 CHF"),
    ):
        _, _, (problem,) = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
        assert "column 'currency' must hold one currency, or the currency of the data set must be set" in str(problem)


def test_one_currency_names_that_of_the_data_set(tmp_path):
    for text in (orders("1,a,2024-01-01,€10"), orders("1,a,2024-01-01,10,eur", head=HEAD + ",Currency")):
        fates, (told,), problems = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
        assert (fates, problems) == ({("orders", None): (1, 10)}, [])
        assert (told.advice, told.grave) == ('Write currency = "EUR" at the top of mine.toml.', False)


def test_a_sign_beside_the_amount_is_a_currency(tmp_path):
    text = orders("1,a,2024-01-01,€10", "2,b,2024-01-02,$20", "3,c,2024-01-03,€ 30", "4,d,2024-01-04,-1.5 €")
    fates, breaches, _ = look(tmp_path, 'currency = "EUR"\n[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert fates["orders", None] == (3, Decimal("38.5"))
    assert [(one.says, Decimal(one.amount)) for one in breaches] == [("Rows in USD have no rate, so they are left out.", 20)]
    fates, breaches, _ = look(tmp_path, 'currency = "CAD"\n[orders]\nfile = "o.csv"\n', {"o.csv": text.replace("€", "$")})
    assert (fates["orders", None], breaches) == ((4, Decimal("58.5")), [])


def test_guests_are_no_customers(tmp_path):
    rows = [
        f"{k},{who},2024-01-{k:02d},1"
        for k, who in enumerate(["0", "0", "0", "Guest", " walk-in ", "Invité", "0.0", "7", "8"], start=1)
    ]
    fates, breaches, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": orders(*rows)})
    assert fates == {("orders", None): (2, 2), ("orders", "guest"): (7, 7)}
    (told,) = breaches
    assert (told.rule, told.broken, told.grave) == ("Guests", 7, False)
    fates, breaches, _ = look(tmp_path, 'guests = []\n[orders]\nfile = "o.csv"\n', {"o.csv": orders(*rows)})
    assert (fates[("orders", None)], breaches) == ((9, 9), [])
    fates, _, _ = look(tmp_path, 'guests = ["7"]\n[orders]\nfile = "o.csv"\n', {"o.csv": orders(*rows)})
    assert fates[("orders", "guest")] == (8, 8)


def test_a_customer_0_among_others_that_are_numbered_is_asked_about(tmp_path):
    rows = [f"{k},{k % 9},2024-01-{k:02d},1" for k in range(1, 28)]
    fates, (asked,), _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": orders(*rows)})
    assert fates == {("orders", None): (24, 24), ("orders", "guest"): (3, 3)}
    assert asked.grave
    assert "guests = []" in asked.advice


LINES = "order_id,customer_id,ordered_at,product_id,quantity,unit_price"


@pytest.mark.proof
def test_quantity_and_price_below_zero_are_asked_about(tmp_path):
    text = orders("1,a,2024-01-01,p,2,5", "2,a,2024-01-02,p,-2,-5", "3,a,2024-01-02,p,-1,5", head=LINES)
    fates, (asked,), _ = look(tmp_path, '[order_lines]\nfile = "o.csv"\n', {"o.csv": text})
    assert fates["order_lines", None] == (3, 15)
    assert (asked.rule, asked.broken, Decimal(asked.amount)) == ("Both negative", 1, 10)
    toml = 'negative_price = "return"\n[order_lines]\nfile = "o.csv"\n'
    fates, breaches, _ = look(tmp_path, toml, {"o.csv": text})
    assert (fates["order_lines", None], breaches) == ((3, -5), [])


@pytest.mark.proof
def test_merged_cells_are_named_and_filled_from_the_row_above(tmp_path):
    text = orders("1,a,2024-01-01,p,1,5", "1,,,q,1,7", "1,,,r,1,1", "2,b,2024-01-03,p,1,5", "2,,,q,1,2", head=LINES)
    toml = '[order_lines]\nfile = "o.csv"\nfill_down = ["customer_id", "ordered_at"]\n'
    fates, breaches, _ = look(tmp_path, toml, {"o.csv": text})
    assert (fates, breaches) == ({("order_lines", None): (5, 20)}, [])
    dated = text.replace(",,,", ",,2024-01-05,")
    _, (asked,), _ = look(tmp_path, '[order_lines]\nfile = "o.csv"\n', {"o.csv": dated})
    assert "like merged cells" in asked.says
    assert 'fill_down = ["customer_id", "ordered_at"]' in asked.advice
    # Gaps of guests are no merged cells.
    guests = orders(*(f"{k},{'' if k % 3 == 0 else f'c{k % 7}'},2024-01-{k:02d},1" for k in range(1, 29)))
    _, (asked,), _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": guests})
    assert "merged" not in asked.says
    _, breaches, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": guests.replace(",,2024-01-0", ",c9,2024-01-0")})
    assert [one.rule for one in breaches if one.grave] in ([], ["Customers"])


def test_gaps_are_filled_within_an_order_only(tmp_path):
    text = orders("1,a,2024-01-01,p,1,5", "2,,2024-01-03,p,1,5", "2,b,2024-01-03,q,1,2", head=LINES)
    fates, _, _ = look(tmp_path, '[order_lines]\nfile = "o.csv"\nfill_down = ["customer_id"]\n', {"o.csv": text})
    assert fates == {("order_lines", None): (2, 7), ("order_lines", "no_customer"): (1, 5)}


def test_rows_of_another_kind_are_left_out(tmp_path):
    text = orders("1,a,2024-01-01,10", "1,,2024-01-01,", "2,b,2024-01-03,20")
    fates, breaches, problems = look(tmp_path, '[orders]\nfile = "o.csv"\nonly_where = "amount"\n', {"o.csv": text})
    assert (fates, breaches, problems) == ({("orders", None): (2, 30), ("orders", "other_row"): (1, None)}, [], [])
    _, _, (problem,) = look(tmp_path, '[orders]\nfile = "o.csv"\nonly_where = "amout"\n', {"o.csv": text})
    assert "only_where names 'amout', which is not in the file" in str(problem)
    assert "Did you mean 'amount'?" in str(problem)


def test_days_outside_are_left_out(tmp_path):
    text = orders("1,a,1900-01-01,1", "2,a,2024-01-01,2", "3,b,2024-12-31,4", "4,b,2202-01-01,8")
    toml = 'first_day = 2020-01-01\nlast_day = "2024-12-31"\n[orders]\nfile = "o.csv"\n'
    fates, _, _ = look(tmp_path, toml, {"o.csv": text})
    assert fates == {("orders", None): (2, 6), ("orders", "outside"): (2, 9)}


def test_ids_that_were_floats_once_are_healed_and_codes_with_a_point_are_not(tmp_path):
    text = orders("1.0,17850.0,2024-01-01,90.75,1,5", "2.0,17851,2024-01-02,90.750,1,5", head=LINES)
    look(tmp_path, '[order_lines]\nfile = "o.csv"\n', {"o.csv": text})
    found = open_dataset(tmp_path / "mine.toml").order_lines.order_by("order_id").to_pyarrow().to_pylist()
    assert [(row["order_id"], row["customer_id"], row["product_id"]) for row in found] == [
        ("1", "17850", "90.75"),
        ("2", "17851", "90.750"),
    ]


@pytest.mark.proof
def test_ids_fold_where_the_user_says_so(tmp_path):
    text = orders("1,Müller 7,2024-01-01,1", "2,mu\u0308ller  7,2024-01-02,2", "3,MÜLLER\u00a07,2024-01-03,4")
    for toml, different in (("", 3), ('ids = "fold"\n', 1)):
        look(tmp_path, toml + '[orders]\nfile = "o.csv"\n', {"o.csv": text})
        assert open_dataset(tmp_path / "mine.toml").orders["customer_id"].nunique().execute() == different


def test_a_coupon_does_not_make_a_refunded_order_a_sale(tmp_path):
    head = "order_id,customer_id,ordered_at,product_id,quantity,amount,status"
    text = orders(
        "1,a,2024-01-01,p,1,100,refunded",
        "1,a,2024-01-01,coupon,1,-10,refunded",
        "2,b,2024-01-02,p,1,50,refunded",
        "3,c,2024-01-03,p,1,70,paid",
        head=head,
    )
    fates, _, _ = look(tmp_path, '[order_lines]\nfile = "o.csv"\n', {"o.csv": text})
    assert fates == {("order_lines", None): (1, 70), ("order_lines", "status"): (3, 140)}


def test_nothing_is_taken_off_what_was_booked_back(tmp_path):
    text = orders("1,a,2024-01-01,100,0", "2,a,2024-01-02,-100,100", head=HEAD + ",back")
    fates, _, _ = look(tmp_path, '[orders]\nfile = "o.csv"\nrefund = "back"\n', {"o.csv": text})
    assert fates["orders", None] == (2, 0)


@pytest.mark.proof
def test_what_was_paid_back_of_a_line_is_returned_in_its_order(tmp_path):
    text = orders(
        "1,a,2024-01-01,p,1,100,100",
        "2,a,2024-01-05,p,1,30,",
        head="order_id,customer_id,ordered_at,product_id,quantity,amount,back",
    )
    look(tmp_path, 'free_orders = "ignore"\n[order_lines]\nfile = "o.csv"\nrefund = "back"\n', {"o.csv": text})
    found = open_dataset(tmp_path / "mine.toml").orders.order_by("order_id").to_pyarrow().to_pylist()
    assert [(float(row["amount"]), float(row["return_amount"])) for row in found] == [(0, -100), (30, 0)]


def test_an_order_is_called_off_after_its_gaps_are_filled_and_with_its_own_rows_only(tmp_path):
    head = "order_id,customer_id,ordered_at,product_id,quantity,amount,off"
    text = orders(
        "1,a,2024-01-01,p,1,1,", ",,,q,1,2,", "2,b,2024-01-02,p,1,4,yes", ",,,q,1,8,", "2,c,2023-01-02,p,1,16,", head=head
    )
    toml = '[order_lines]\nfile = "o.csv"\ndrop_where = "off"\nfill_down = ["order_id", "customer_id", "ordered_at"]\n'
    fates, _, _ = look(tmp_path, toml, {"o.csv": text})
    assert fates == {("order_lines", None): (3, 19), ("order_lines", "status"): (2, 12)}


@pytest.mark.proof
def test_gaps_are_filled_within_a_file_and_across_orders_only_where_that_is_said(tmp_path):
    files = {
        "o1.csv": orders("1,a,2024-01-01,10", "2,,2024-01-02,20"),
        "o2.csv": orders("3,,2024-01-03,30", "4,b,2024-01-04,40"),
    }
    toml = '[orders]\nfile = "o*.csv"\nfill_down = ["customer_id"]\nfill_across = true\n'
    fates, _, _ = look(tmp_path, toml, files)
    assert fates == {("orders", None): (3, 70), ("orders", "no_customer"): (1, 30)}
    fates, _, _ = look(tmp_path, toml.replace("fill_across = true\n", ""), files)
    assert fates == {("orders", None): (2, 50), ("orders", "no_customer"): (2, 50)}


def test_a_row_that_is_dropped_is_not_the_first_of_two(tmp_path):
    text = orders("1,a,2024-01-01,100,", "1,a,2024-01-01,100,sale", head=HEAD + ",kind")
    toml = 'duplicates = "drop"\n[orders]\nfile = "o.csv"\nonly_where = "kind"\n'
    fates, _, _ = look(tmp_path, toml, {"o.csv": text})
    assert fates == {("orders", None): (1, 100), ("orders", "other_row"): (1, 100)}


def test_statuses_that_are_signs_are_told_apart(tmp_path):
    text = orders("1,a,2024-01-01,100,✓", "2,b,2024-01-01,10,✗", "3,c,2024-01-01,1,", head=HEAD + ",status")
    fates, breaches, _ = look(tmp_path, '[orders]\nfile = "o.csv"\nkeep = ["✓"]\n', {"o.csv": text})
    assert fates["orders", None] == (1, 100)
    assert [one.broken for one in breaches] == [1, 1]


def test_a_column_of_signs_names_currencies(tmp_path):
    text = orders("1,a,2024-01-01,100,€", "2,b,2024-01-01,10,£", head=HEAD + ",currency")
    fates, (asked,), _ = look(tmp_path, 'currency = "EUR"\n[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert (fates["orders", None], asked.currency) == ((1, 100), "GBP")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[orders]\nfile = "o.csv"\nkeep = ["paid"]\n', "keep lists statuses, and no column is mapped as status"),
        ('[orders]\nfile = "o.csv"\nfill_down = ["channel"]\n', "fill_down lists 'channel', and no column is mapped as that"),
    ],
)
def test_options_that_could_not_take_effect_are_refused(tmp_path, toml, said):
    _, _, (problem,) = look(tmp_path, toml, {"o.csv": orders("1,a,2024-01-01,1")})
    assert said in str(problem)


def test_what_is_accepted_is_a_rule(tmp_path):
    from crmlab.analyses import data_quality

    look(tmp_path, 'accepted = ["Sumz agree"]\n[orders]\nfile = "o.csv"\n', {"o.csv": orders("1,a,2024-01-01,1")})
    with pytest.raises(
        CrmlabError, match="There is no rule 'Sumz agree' that mine.toml could accept. Did you mean 'Sums agree'"
    ):
        data_quality.run(open_dataset(tmp_path / "mine.toml"))


def test_what_slipped_into_a_status_is_not_shown(tmp_path):
    text = orders("1,a,2024-01-01,1,call anna@shop.example", "2,b,2024-01-02,2,paid", head=HEAD + ",status")
    _, (asked,), _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert "anna" not in repr(asked)


def test_receipts_of_nobody_have_no_guests(tmp_path):
    text = "order_id,ordered_at,amount\n0,2024-01-01,20\n1,2024-01-02,5\n"
    fates, _, _ = look(tmp_path, '[orders]\nfile = "o.csv"\nwithout = ["customer_id"]\n', {"o.csv": text})
    assert fates == {("orders", None): (2, 25)}


@pytest.mark.proof
def test_a_refund_that_stands_twice_is_asked_about(tmp_path):
    rows = (
        "1,C01,2024-01-05,100,paid,0",
        "2,C02,2024-02-05,50,refunded,50",
        "2-R,C02,2024-02-07,-50,refund,",
        "3,C03,2024-03-05,80,paid,0",
    )
    text = orders(*rows, head=HEAD + ",status,refunded_amount")
    _, asked, _ = look(tmp_path, '[orders]\nfile = "o.csv"\nrefund = "refunded_amount"\n', {"o.csv": text})
    assert [(one.rule, one.broken, Decimal(one.amount)) for one in asked] == [("Refunds", 1, -50)]
    assert "taken off twice" in asked[0].says
    plain = orders(
        "1,a,2024-01-05,100,completed", "2,b,2024-02-05,50,refunded", "2-R,b,2024-02-06,-50,completed", head=HEAD + ",status"
    )
    _, asked, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": plain})
    assert ["taken off twice" in one.says for one in asked] == [True]
    _, asked, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": plain.replace("-50", "-7")})
    assert asked == []


@pytest.mark.parametrize(
    ("column", "values", "right"),
    [
        ("cancelled_at", ("", "2024-02-01", ""), 1),
        ("Storno-Grund", ("", "kaputt", ""), 1),
        ("is_test", ("false", "true", "false"), 1),
        ("cancelled", ("no", "yes", "no"), 1),
        ("paid", ("yes", "no", "yes"), 1),
        ("Captured", ("true", "false", "true"), 1),
        ("type", ("sale", "refund", "sale"), 1),
        ("payment_status", ("paid", "refunded", "paid"), 1),
        ("cancelled_at", ("", "", ""), 0),
        ("paid", ("yes", "yes", "yes"), 0),
        ("type", ("online", "shop", "online"), 0),
    ],
)
def test_columns_that_are_not_read_are_told_where_they_speak_against_the_sums(tmp_path, column, values, right):
    text = orders(
        *(f"{k},c{k},2024-01-0{k},10,completed,{value}" for k, value in enumerate(values, start=1)),
        head=f"{HEAD},status,{column}",
    )
    _, asked, _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert [(one.broken, Decimal(one.amount), one.grave) for one in asked] == [(1, 10, True)] * right


def test_amounts_without_a_currency_beside_others_are_asked_about(tmp_path):
    text = orders("1,a,2024-01-01,100.00", "2,b,2024-01-02,50.00 USD", "3,c,2024-01-03,10.00")
    _, (asked,), _ = look(tmp_path, 'currency = "USD"\n[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert (asked.broken, Decimal(asked.amount), asked.grave) == (2, 110, True)


@pytest.mark.proof
def test_lines_take_the_customer_and_the_time_of_their_orders(tmp_path):
    files = {
        "orders.csv": orders(
            "1,a,2024-01-01,10,paid", "2,b,2024-01-02,20,cancelled", "3,c,2024-01-03,30,paid", head=HEAD + ",status"
        ),
        "items.csv": "order_id,product_id,quantity,amount\n3,p,1,30\n1,p,1,4\n1,q,1,6\n2,p,1,20\n9,p,1,99\n",
    }
    fates, _, problems = look(tmp_path, '[orders]\nfile = "orders.csv"\n[order_lines]\nfile = "items.csv"\n', files)
    assert problems == []
    assert fates["order_lines", None] == (3, 40)
    assert fates["order_lines", "no_order"] == (2, 119)
    lines = open_dataset(tmp_path / "mine.toml").order_lines.order_by("order_id", "product_id").to_pyarrow().to_pylist()
    assert [(row["order_id"], row["customer_id"], row["ordered_at"].day) for row in lines] == [
        ("1", "a", 1),
        ("1", "a", 1),
        ("3", "c", 3),
    ]


def test_statuses_that_nobody_knows_are_named_where_nothing_is_left(tmp_path):
    text = orders("1,a,2024-01-01,10,9", "2,b,2024-01-02,20,1", head=HEAD + ",status")
    _, _, (problem,) = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert "List the statuses of sales in keep under [orders] of mine.toml. Statuses found: '9', '1'." in str(
        problem
    ) or "'1', '9'" in str(problem)
    fates, _, problems = look(
        tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": orders("1,a,2024-01-01,10,", head=HEAD + ",status")}
    )
    assert (fates, problems) == ({("orders", None): (1, 10)}, [])


@pytest.mark.proof
def test_amounts_that_cannot_be_are_asked_about(tmp_path):
    from crmlab.data.rules import examined

    def grave(text):
        look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
        return {one.rule for one in examined(open_dataset(tmp_path / "mine.toml")) if one.grave and one.broken}

    usual = [f"{k},c{k % 9},2024-01-{1 + k % 28:02d},{10 + k % 5}" for k in range(1, 60)]
    assert grave(orders(*usual)) == set()
    assert grave(orders(*usual, "60,c1,2024-01-30,99999999999999.99")) == {"One amount"}
    assert grave(orders(*(row.rsplit(",", 1)[0] + ",0" for row in usual))) == {"Amounts"}


def test_one_customer_above_several_orders_is_filled_across_them(tmp_path):
    text = orders(*(f"{k},{f'c{k // 3}' if k % 3 == 0 else ''},2024-0{1 + k % 9}-01,10" for k in range(180)))
    _, (asked,), _ = look(tmp_path, '[orders]\nfile = "o.csv"\n', {"o.csv": text})
    assert 'fill_down = ["customer_id", "ordered_at"] and fill_across = true under [orders]' in asked.advice
    toml = '[orders]\nfile = "o.csv"\nfill_down = ["customer_id"]\nfill_across = true\n'
    fates, breaches, _ = look(tmp_path, toml, {"o.csv": text})
    assert (fates, breaches) == ({("orders", None): (180, 1800)}, [])
