"""Lists: criteria are read and never evaluated, everybody is counted once, and nobody who must not be contacted is left."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlab
from crmlab.analyses.campaigns.assignment import in_holdout
from crmlab.analyses.campaigns.lists import ListRules, pull_list
from crmlab.analyses.customers.columns import GROUPS, customer_outputs, known_columns
from crmlab.analyses.customers.criteria import Condition, conditions, holds
from crmlab.errors import CampaignError, MissingTableError, ParameterError

END = dt.date(2025, 12, 31)


@pytest.fixture(scope="module")
def shop():
    return crmlab.open_dataset("shop")


def people(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"customer_id": [f"c{i}" for i in range(size)], **columns})


# --- criteria -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tier in A,B", [("tier", "in", ("A", "B"))]),
        ("tier in (A, B)", [("tier", "in", ("A", "B"))]),
        ("state = slowing; churn >= 0.5", [("state", "=", ("slowing",)), ("churn", ">=", ("0.5",))]),
        ("state is slowing AND churn at least 0.5", [("state", "=", ("slowing",)), ("churn", ">=", ("0.5",))]),
        ("tier not in 'A', \"B; C\"", [("tier", "not in", ("A", "B; C"))]),
        ("offer = '10 % and more'", [("offer", "=", ("10 % and more",))]),
        ("segment = At risk, Lost", [("segment", "in", ("At risk", "Lost"))]),
        ("churn is known\nage is  missing", [("churn", "is known", ()), ("age", "is missing", ())]),
        ("orders <> 1;", [("orders", "!=", ("1",))]),
        ("orders under 3; spend above 10", [("orders", "<", ("3",)), ("spend", ">", ("10",))]),
        ("inside = 3", [("inside", "=", ("3",))]),
        ("", []),
    ],
)
def test_conditions_are_read(text, expected):
    assert [(one.column, one.operator, one.values) for one in conditions(text)] == expected


def test_conditions_of_three_are_those_of_texts():
    given_ = [("tier", "in", ["A", "B"]), ("churn", ">=", 0.5), "state is slowing", ("age", "is known", None)]
    assert conditions(given_) == conditions("tier in A, B; churn >= 0.5; state = slowing; age is known")


@pytest.mark.parametrize(
    "text",
    [
        "tier", "tier A", "= A", "tier =", "tier in A,,B", "churn >= 0.5, 0.6", "age is known 3", "1 = 1",
        "__import__('os').system('true')", "tier like A",
    ],
)  # fmt: skip
def test_conditions_that_cannot_be_read_are_refused(text):
    with pytest.raises(CampaignError, match=r"cannot be read\. Expected a column, one of =, .* For example: tier in A, B"):
        conditions(text)


@pytest.mark.parametrize("item", [("tier", "like", "A"), ("tier", "in"), ("tier", "=", ["A", "B"]), ("tier", "=", None), 3])
def test_conditions_of_three_are_checked(item):
    with pytest.raises(CampaignError, match="cannot be read"):
        conditions([item])


names = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(lambda one: one not in ("and", "is", "in", "not", "at"))
values = st.text(
    st.characters(blacklist_characters="'\"", blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
)


@given(
    st.lists(
        st.tuples(names, st.sampled_from(["in", "not in"]), st.lists(values, min_size=1, max_size=3)), min_size=1, max_size=4
    )
)
def test_quoted_values_come_back_as_they_were(items):
    text = ";".join(f"{name} {operator} " + ",".join(f"'{one}'" for one in some) for name, operator, some in items)
    assert [(one.column, one.operator, list(one.values)) for one in conditions(text)] == items


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("x > 1", [False, True, False]), ("x >= 1", [True, True, False]), ("x = 1", [True, False, False]),
        ("x != 1", [False, True, False]), ("x in 1, 2", [True, True, False]), ("x not in 1", [False, True, False]),
        ("x is missing", [False, False, True]), ("x is known", [True, True, False]), ("x at most 150 %", [True, False, False]),
    ],
)  # fmt: skip
def test_missing_values_never_hold_unless_asked_for(condition, expected):
    found, unknown = holds(pd.Series([1.0, 2.0, None]), conditions(condition)[0])
    assert found.tolist() == expected
    assert unknown.any() == ("missing" not in condition and "known" not in condition)


def test_columns_are_compared_as_what_they_are():
    days = pd.Series(pd.to_datetime(["2025-01-01", "2025-06-01"]))
    assert holds(days, Condition("acquired_at", ">=", ("2025-03-01",)))[0].tolist() == [False, True]
    flags = pd.Series([True, None, False], dtype=object)
    assert holds(flags, Condition("vip", "=", ("yes",)))[0].tolist() == [True, False, False]
    several = pd.Series([("overdue", "slowing"), (), ("second",)])
    assert holds(several, Condition("trigger", "in", ("slowing", "second")))[0].tolist() == [True, False, True]
    assert holds(several, Condition("trigger", "!=", ("slowing",)))[0].tolist() == [False, True, True]
    assert holds(pd.Series(["A", "B"]), Condition("tier", "=", ("a",)), ("A", "B"))[0].tolist() == [True, False]
    for column, text, words in (
        (pd.Series([1.0]), "x > many", "must be a number"),
        (pd.Series([1.0]), "x > nan", "must be a number"),
        (days, "x > soon", "must be a date such as"),
        (flags, "x = maybe", "must be yes or no"),
        (pd.Series(["a"]), "x > a", "'x' has no order, and '>' needs one"),
    ):
        with pytest.raises(CampaignError, match=words):
            holds(column, conditions(text)[0])
    with pytest.raises(CampaignError, match=r"'slowin' is no value of 'state'\. Did you mean 'slowing'"):
        holds(pd.Series(["slowing"]), Condition("state", "=", ("slowin",)), ("slowing", "lost"))


# --- the list -------------------------------------------------------------------------------------------------------------


def test_steps_are_taken_in_order_and_everybody_is_counted_once():
    frame = people(
        orders=[5, 0, 5, 5, 5, 5, 1, 5],
        country=["DE", "DE", "FR", "DE", "DE", "DE", "DE", None],
        contactable=[True, True, True, False, None, True, True, True],
        household_id=["h1", None, None, None, None, "h1", None, None],
        days_since_last=[9, 9, 9, 9, 9, 3, 9, 9],
    )
    pulled = pull_list(frame, "country = DE; orders >= 1", rules=ListRules(seeds=["c6", "c7"], qualify="orders >= 1"))
    # The household's list place is that of the one who bought last; a seed that did not meet the criteria went there.
    assert pulled.frame["customer_id"].tolist() == ["c4", "c5"]
    assert pulled.frame["contactable"].tolist() == ["not known", "yes"]
    assert list(pulled.ledger.itertuples(index=False, name=None)) == [
        ("start", "Customers known", 0, 8),
        ("criteria", "Country is not known", 1, 7),
        ("criteria", "Country is not DE", 1, 6),
        ("criteria", "Number of purchases is under 1", 1, 5),
        ("qualification", "Number of purchases is under 1", 0, 5),
        ("suppression", "Has not consented", 1, 4),
        ("suppression", "Has complained", 0, 4),
        ("suppression", "Contacted within 14 days", 0, 4),
        ("suppression", "Seeds, kept apart", 1, 3),
        ("one each", "The same person again", 0, 3),
        ("one each", "Another member of the same household", 1, 2),
    ]
    assert pulled.left_out["customer_id"].tolist() == ["c0", "c1", "c2", "c3", "c6", "c7"]
    assert pulled.seeds["customer_id"].tolist() == ["c6", "c7"]
    assert pulled.notes == (
        "It is not known whether 1 of 4 customers may be contacted; this one is kept on the list. Check before sending.",
    )


def test_one_of_each_person_and_household():
    frame = people(
        orders=[1, 1, 1, 1], person_id=["p", "p", None, None], household_id=["h", "h", "h", None], days_since_last=[5, 2, 7, 1]
    )
    pulled = pull_list(frame)
    assert pulled.frame["customer_id"].tolist() == ["c1", "c3"]
    assert pulled.ledger.set_index("step")["removed"].loc[
        ["The same person again", "Another member of the same household"]
    ].tolist() == [1, 1]
    assert pull_list(frame, rules=ListRules(one_per_household=False)).frame["customer_id"].tolist() == ["c1", "c2", "c3"]
    twice = pd.concat([frame, frame.iloc[[3]]])
    assert pull_list(twice).frame["customer_id"].tolist() == ["c1", "c3"]
    # On the same day the smaller id, whatever the order of rows.
    tied = frame.assign(days_since_last=1)
    assert (
        pull_list(tied.iloc[::-1]).frame["customer_id"].tolist()
        == pull_list(tied).frame["customer_id"].tolist()
        == ["c0", "c3"]
    )


@pytest.mark.proof
@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["DE", "FR", None]), st.sampled_from([True, False, None]), st.sampled_from(["h", "g", None])
        ),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_ledger_adds_up_to_the_last_customer(rows):
    frame = people(
        **{name: [row[k] for row in rows] for k, name in enumerate(("orders", "country", "contactable", "household_id"))}
    )
    pulled = pull_list(frame, "country in DE", rules=ListRules(holdout=0.3, holdout_salt="held out for ever"))
    ledger = pulled.ledger
    assert ledger["left"].iloc[0] == len(rows) and ledger["left"].iloc[-1] == len(pulled.frame)
    assert (ledger["left"].shift(1).iloc[1:] - ledger["removed"].iloc[1:]).tolist() == ledger["left"].iloc[1:].tolist()
    assert sorted([*pulled.frame["customer_id"], *pulled.left_out["customer_id"]]) == sorted(frame["customer_id"])
    counts = pulled.left_out.groupby("step").size()
    assert all(counts.get(row["step"], 0) >= row["removed"] for row in ledger.to_dict("records"))
    kept = frame.set_index("customer_id").loc[pulled.frame["customer_id"]]
    assert (kept["country"] == "DE").all() and (kept["orders"] >= 1).all()
    assert not any(flag is False for flag in kept["contactable"])
    assert not kept["household_id"].dropna().duplicated().any()


def test_frame_with_contacts_of_others():
    frame = people(orders=[1, 1, 1, 1])
    contacts = pd.DataFrame(
        {"customer_id": ["c0", "c1", "c2"], "contacted_at": pd.to_datetime(["2025-01-01", "2025-01-10", "2025-01-20"])}
    )
    assert pull_list(frame, as_of="2025-01-15", contacts=contacts, rules=ListRules(contacted_within=6)).frame[
        "customer_id"
    ].tolist() == [
        "c0",
        "c3",
    ]
    assert pull_list(frame, as_of="2025-01-15", contacts=contacts, rules=ListRules(contacted_within=5)).frame[
        "customer_id"
    ].tolist() == [
        "c0",
        "c1",
        "c3",
    ]
    assert pull_list(frame, as_of="2025-01-15", contacts=contacts, rules=ListRules(contacted_within=15)).frame[
        "customer_id"
    ].tolist() == ["c3"]
    assert pull_list(frame, as_of="2025-01-15", contacts=contacts, rules=ListRules(contacted_within=None)).size == 4


def test_unknown_column_hints(shop):
    with pytest.raises(CampaignError, match=r"No column or report output is called 'teir'\. Did you mean 'tier'"):
        pull_list(shop, "teir = A")
    with pytest.raises(CampaignError, match="'xyzzy'. Known: "):
        pull_list(shop, columns=["xyzzy"])
    with pytest.raises(CampaignError, match="Did you mean 'country'"):
        pull_list(people(orders=[1], country=["DE"]), "contry = DE")
    with pytest.raises(CampaignError, match="missing column 'customer_id'"):
        pull_list(pd.DataFrame({"id": ["a"]}))
    with pytest.raises(ParameterError, match="'contacted_within' parameter"):
        pull_list(people(orders=[1]), rules=ListRules(contacted_within=-1))
    with pytest.raises(ParameterError, match="'holdout' parameter"):
        pull_list(people(orders=[1]), rules=ListRules(holdout=1.5))


@pytest.mark.proof
def test_list_of_the_shop_keeps_its_promises(shop):
    salt = "held out for ever"
    pulled = pull_list(
        shop,
        "state in new, active, slowing; country in DE, FR",
        columns=["tier"],
        rules=ListRules(contacted_within=30, holdout=0.1, holdout_salt=salt),
    )
    listed = set(pulled.frame["customer_id"])
    assert 200 < len(listed) < pulled.start == shop.customers.count().to_pyarrow().as_py()
    customers = shop.customers.to_pyarrow().to_pandas().set_index("customer_id")
    mine = customers.loc[sorted(listed)]
    assert mine["contactable"].all() and mine["country"].isin(["DE", "FR"]).all()
    assert not mine["household_id"].duplicated().any()
    assert not in_holdout(mine["household_id"].tolist(), 0.1, salt).any()
    responses = shop.responses.to_pyarrow().to_pandas()
    assert not listed & set(responses.loc[responses["kind"] == "complaint", "customer_id"])
    contacts = shop.contacts.to_pyarrow().to_pandas()
    late = contacts[(contacts["contacted_at"] > "2025-12-02") & (contacts["contacted_at"] < "2026-01-01")]
    sent, spared = late[~late["cell_id"].str.endswith("-0")], late[late["cell_id"].str.endswith("-0")]
    assert len(sent) > 500 and not listed & set(sent["customer_id"])
    # Who is in a control was not contacted.
    assert len(listed & set(spared["customer_id"])) > 100
    assert set(pulled.frame["tier"]) <= {"A", "B", "C", "D"} and pulled.notes == ()


@pytest.mark.proof
def test_nothing_after_the_date_is_looked_at(shop):
    from crmlab.data.dataset import Dataset

    day = dt.date(2025, 3, 31)
    needed = ["segment", "state", "tier", "trigger"]
    whole = customer_outputs(shop, day, needed)

    class Cut(Dataset):
        """The shop as it was on the day."""

        def table(self, name):
            found = super().table(name)
            times = [one for one in ("ordered_at", "contacted_at", "responded_at") if one in found.columns]
            return found.filter(found[times[0]].date() <= day) if times else found

    cut = Cut(**{name: getattr(shop, name) for name, field in shop.__dataclass_fields__.items() if field.init})
    assert cut.orders.count().to_pyarrow().as_py() < shop.orders.count().to_pyarrow().as_py()
    pd.testing.assert_frame_equal(customer_outputs(cut, day, needed), whole)


@pytest.mark.proof
def test_only_what_is_asked_for_is_computed(shop, monkeypatch):
    from crmlab.analyses.customers import columns as campaign_outputs

    def refuse(history):
        raise AssertionError("nobody asked for it")

    groups = tuple(
        group if {"orders", "state"} & set(group.columns) else campaign_outputs.Group(group.columns, refuse, group.domain)
        for group in GROUPS
    )
    monkeypatch.setattr(campaign_outputs, "GROUPS", groups)
    assert "state" in customer_outputs(shop, END, ["state", "country"]).columns
    with pytest.raises(AssertionError, match="nobody asked"):
        customer_outputs(shop, END, ["tier"])


def test_outputs_are_those_of_the_reports(shop, result_of):
    found = customer_outputs(shop, END, ["segment", "trigger", "offer_product", "offer_chance"]).set_index("customer_id")
    assert len(found) == len(shop.customers.to_pyarrow())
    scored = result_of("rfm", "shop").outputs["customers"].frame.set_index("customer_id")["segment"]
    assert found["segment"].dropna().sort_index().equals(scored.sort_index().astype(found["segment"].dtype))
    actions = result_of("triggers", "shop").outputs["moments"].frame
    assert {who: set(some) for who, some in found["trigger"].items() if some} == {
        who: set(some) for who, some in actions.groupby("customer_id")["trigger"]
    }
    assert found["offer_chance"].dropna().between(0, 1).all() and found["offer_product"].dropna().map(len).max() == 3


def test_data_with_orders_only_work_and_say_what_is_not_there():
    data = crmlab.open_dataset("cdnow_sample")
    pulled = pull_list(data, "days_since_last <= 200; orders >= 2")
    known = known_columns(data)
    assert 100 < pulled.size < 600
    assert set(pulled.frame["contactable"]) == {"not known"}
    assert pulled.notes == (
        "It is not known who may be contacted, so everybody is kept on the list. Check before sending.",
        "The data hold no responses, contacts or households: complaints are not known, recent contacts are not known, and two people from "
        "one household may be in different cells.",
    )
    assert "offer_product" not in known and "tier" in known
    with pytest.raises((CampaignError, MissingTableError), match="offer_product"):
        pull_list(data, "offer_product = P1")
