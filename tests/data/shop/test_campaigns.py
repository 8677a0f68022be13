"""Campaigns of the simulated shop: everything else stays as it is, and the effects put there are found again."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlab.data.codes import check_code
from crmlab.data.dataset import open_dataset
from crmlab.data.shop.campaigns import MEAN_SPEND
from crmlab.data.shop.make import Shop, make_shop
from crmlab.data.shop.plans import CAMPAIGNS
from crmlab.data.tables import TABLES

DAY = pd.Timedelta(days=1)


@cache
def _shop(n: int = 4000, seed: int = 1) -> Shop:
    return make_shop(n, seed)


def _assigned(shop: Shop) -> pd.DataFrame:
    """One row per person and campaign: the first contact, with its cell."""
    frame = shop.tables["contacts"].merge(shop.tables["cells"].drop(columns="response_code"), on="cell_id")
    return frame.sort_values("contacted_at", kind="stable").drop_duplicates(["customer_id", "campaign_id"])


def _bought(shop: Shop, *, without_caused: bool = False) -> pd.DataFrame:
    """The assignment, and whether each person bought while the window was open."""
    assigned, orders = _assigned(shop), shop.tables["orders"]
    orders = orders[orders["amount"] > 0]
    if without_caused:
        orders = orders[~orders["order_id"].isin(shop.truth.caused["order_id"])]
    both = assigned.merge(orders[["customer_id", "ordered_at"]], on="customer_id")
    inside = both["ordered_at"].between(both["opens_on"], both["closes_on"] + DAY, inclusive="left")
    buyers = both.loc[inside, ["customer_id", "cell_id"]].drop_duplicates().assign(bought=1.0)
    return assigned.merge(buyers, how="left", on=["customer_id", "cell_id"]).fillna({"bought": 0.0})


@pytest.mark.parametrize("dirty", [False, True])
def test_campaigns_leave_everything_else_as_it_is(dirty):
    with_campaigns, without = make_shop(1500, 3, dirty=dirty), make_shop(1500, 3, dirty=dirty, campaigns=False)
    assert set(with_campaigns.tables) - set(without.tables) == {"cells", "contacts", "responses"}
    assert without.truth.campaigns.empty
    assert without.truth.caused.empty
    caused = with_campaigns.truth.caused["order_id"]
    for name, frame in without.tables.items():
        if dirty and name == "order_lines":
            continue  # dirt is drawn from all lines
        other = with_campaigns.tables[name]
        if "order_id" in other:
            other = other[~other["order_id"].isin(caused)].reset_index(drop=True)
        pd.testing.assert_frame_equal(other, frame)
    pd.testing.assert_frame_equal(with_campaigns.truth.customers, without.truth.customers)
    pd.testing.assert_frame_equal(with_campaigns.truth.occasions, without.truth.occasions)


def test_campaigns_same_arguments_same_frames():
    one, other = make_shop(800, 5), make_shop(800, 5)
    for name in ("cells", "contacts", "responses", "orders", "order_lines"):
        pd.testing.assert_frame_equal(one.tables[name], other.tables[name])
    pd.testing.assert_frame_equal(one.truth.campaigns, other.truth.campaigns)
    pd.testing.assert_frame_equal(one.truth.caused, other.truth.caused)


def test_caused_orders_are_a_few_of_all():
    shop = _shop()
    share = len(shop.truth.caused) / len(shop.tables["orders"])
    assert 0.005 < share < 0.04


def test_caused_orders_are_of_people_who_would_not_have_bought():
    shop = _shop()
    anyway = _bought(shop, without_caused=True).set_index(["customer_id", "cell_id"])["bought"]
    caused = shop.truth.caused.merge(shop.tables["orders"], on=["order_id", "customer_id"])
    assert len(caused) == len(shop.truth.caused)
    assert (anyway.loc[list(zip(caused["customer_id"], caused["cell_id"], strict=True))] == 0).all()
    caused = caused.merge(shop.tables["cells"][["cell_id", "opens_on", "closes_on", "control_cell_id"]], on="cell_id")
    assert caused["control_cell_id"].notna().all()
    assert caused["ordered_at"].between(caused["opens_on"], caused["closes_on"] + DAY, inclusive="left").all()
    assert not caused.duplicated(["customer_id", "cell_id"]).any()


@pytest.mark.proof
def test_effects_are_found_again():
    # 30 shops: the mean difference of each cell to its control lies within 3.5 standard errors of the truth.
    differences: dict[str, list[float]] = {}
    for seed in range(30):
        shop = make_shop(2000, seed)
        rate = _bought(shop).groupby("cell_id")["bought"].mean()
        for cell in shop.truth.campaigns.dropna(subset="control_cell_id").itertuples():
            differences.setdefault(cell.cell_id, []).append(rate[cell.cell_id] - rate[cell.control_cell_id])
    truth = make_shop(2000, 0).truth.campaigns.set_index("cell_id")["seen"]
    assert len(differences) == 11
    for name, found in differences.items():
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        assert abs(np.mean(found) - truth[name]) < 3.5 * error, name
    # The test can fail: the largest effect is told from none.
    found = differences["offer_by_creative-4"]
    assert np.mean(found) > 5 * np.std(found, ddof=1) / np.sqrt(len(found))


def test_effects_are_as_designed():
    truth = _shop().truth.campaigns.set_index("cell_id")
    assert truth.loc["first_offers-1", "effect"] > 0
    assert truth.loc["first_offers-2", "effect"] == 0
    assert (truth.loc[truth["campaign_id"] == "new_range", "effect"] == 0).all()
    plain_ten, picture_ten, plain_gift, picture_gift = (truth.loc[f"offer_by_creative-{i}", "effect"] for i in (1, 2, 3, 4))
    assert plain_gift - plain_ten == pytest.approx(picture_gift - picture_ten)  # no interaction
    assert plain_gift > plain_ten
    assert picture_ten > plain_ten
    assert (truth.loc[truth["control_cell_id"].isna(), ["effect", "seen", "spend", "margin"]] == 0).all(axis=None)
    whole = truth["campaign_id"] != "latest"
    assert (truth.loc[whole, "seen"] == truth.loc[whole, "effect"]).all()
    assert 0 < truth.loc["latest-1", "seen"] < truth.loc["latest-1", "effect"]


def test_spend_and_margin_of_caused_orders():
    shop = _shop(20_000, 2)
    caused = shop.tables["order_lines"].merge(shop.truth.caused[["order_id"]], on="order_id")
    spend = caused.groupby("order_id")["amount"].sum()
    assert len(spend) > 1000
    assert abs(spend.mean() - MEAN_SPEND) < 3.5 * spend.std() / np.sqrt(len(spend))
    cost = caused.merge(shop.tables["products"], on="product_id").eval("unit_cost * quantity").sum()
    truth = shop.truth.campaigns.query("spend > 0")
    rate = truth["margin"] / truth["spend"]
    assert np.allclose(rate, rate.iloc[0])
    assert 1 - cost / spend.sum() == pytest.approx(rate.iloc[0], abs=0.01)


def test_nobody_is_contacted_who_may_not_be():
    shop = _shop()
    customers, contacts = shop.tables["customers"].set_index("customer_id"), shop.tables["contacts"]
    assert customers.loc[contacts["customer_id"], "contactable"].all()
    assert (customers.loc[contacts["customer_id"], "household_id"].to_numpy() == contacts["household_id"]).all()
    first = shop.tables["orders"].groupby("customer_id")["ordered_at"].min()
    assert (first.loc[contacts["customer_id"]].to_numpy() < contacts["contacted_at"]).all()


def test_nobody_is_contacted_after_a_complaint():
    shop = _shop(20_000, 2)
    said = shop.tables["responses"].query("kind == 'complaint'")
    assert len(said) > 20
    first = said.groupby("customer_id")["responded_at"].min().rename("said_at").reset_index()
    later = shop.tables["contacts"].merge(first, on="customer_id")
    # The spill of a campaign goes out the day after; the next campaign does not.
    assert (later["contacted_at"] <= later["said_at"] + DAY).all()


def test_households_are_in_one_cell():
    assigned = _assigned(_shop())
    cells = assigned.groupby(["campaign_id", "household_id"])["cell_id"].nunique()
    assert (cells == 1).all()
    assert (assigned.groupby(["campaign_id", "household_id"]).size() > 1).sum() > 200


def test_sizes_fit_the_design_but_where_a_cell_got_lost():
    assigned = _assigned(_shop(20_000, 2))
    for plan in CAMPAIGNS:
        count = assigned[assigned["campaign_id"] == plan.campaign_id].groupby("cell_id").size()
        count = count.reindex([cell.cell_id for cell in plan.cells])
        p = stats.chisquare(count, count.sum() * np.array([cell.share for cell in plan.cells])).pvalue
        assert (p < 1e-6) == (plan.campaign_id == "reminder"), plan.campaign_id


@pytest.mark.proof
def test_few_people_are_in_two_cells():
    shop = _shop(20_000, 2)
    contacts = shop.tables["contacts"].merge(shop.tables["cells"][["cell_id", "campaign_id", "control_cell_id"]], on="cell_id")
    cells = contacts.groupby(["campaign_id", "customer_id"])["control_cell_id"].agg(["size", lambda s: s.isna().sum()])
    assert 0.002 < (cells["size"] > 1).mean() < 0.01
    assert cells["size"].max() == 2
    leaked = cells[(cells["size"] > 1) & (cells.iloc[:, 1] == 1)]
    assert len(leaked) > 20
    # Who is treated twice is never sent the same again, and nobody's second contact is a control's.
    assert not contacts.duplicated(["customer_id", "cell_id"]).any()
    second = contacts.sort_values("contacted_at")[
        contacts.sort_values("contacted_at").duplicated(["campaign_id", "customer_id"])
    ]
    assert second["control_cell_id"].notna().all()


def test_codes_are_sent_by_cell():
    shop = _shop()
    cells = shop.tables["cells"].set_index("cell_id")
    treated = cells["control_cell_id"].notna()
    assert cells.loc[treated, "response_code"].is_unique
    assert cells.loc[treated, "response_code"].map(check_code).all()
    assert cells.loc[~treated, "response_code"].isna().all()
    contacts = shop.tables["contacts"]
    expected = cells.loc[contacts["cell_id"], "response_code"].to_numpy()
    assert ((contacts["response_code"].to_numpy() == expected) | contacts["response_code"].isna()).all()
    assert (contacts["response_code"].isna() == pd.isna(expected)).all()


def test_orders_come_with_codes_without_and_with_wrong_ones():
    shop = _shop(20_000, 2)
    said = shop.tables["responses"]
    orders = said[said["kind"] == "order"]
    sold = shop.tables["orders"].set_index("order_id")
    assert orders["order_id"].is_unique
    assert (sold.loc[orders["order_id"], "ordered_at"].to_numpy() == orders["responded_at"]).all()
    assert (sold.loc[orders["order_id"], "customer_id"].to_numpy() == orders["customer_id"]).all()
    given = orders["response_code"].dropna()
    known = given.isin(shop.tables["cells"]["response_code"])
    assert 0.1 < len(given) / len(orders) < 0.5
    assert 0.01 < (~known).mean() < 0.06
    assert not given[~known].map(check_code).any()  # the check character finds every one
    caused = orders["order_id"].isin(shop.truth.caused["order_id"])
    assert caused.sum() == len(shop.truth.caused)
    assert orders.loc[caused, "response_code"].notna().mean() == pytest.approx(0.7, abs=0.05)
    # Codes are used by people who would have bought anyway: what is matched is not what was caused.
    assert orders.loc[~caused, "response_code"].notna().sum() > orders.loc[caused, "response_code"].notna().sum()


def test_reactions_follow_contacts_and_end_with_the_data():
    shop = _shop()
    said = shop.tables["responses"]
    assert set(said["kind"]) == {"open", "click", "visit", "order", "complaint"}
    assert said["responded_at"].max() < pd.Timestamp("2026-01-01")
    first = shop.tables["contacts"].groupby("customer_id")["contacted_at"].min()
    reactions = said[said["kind"] != "order"]
    assert (first.loc[reactions["customer_id"]].to_numpy() < reactions["responded_at"]).all()
    count = said["kind"].value_counts()
    assert count["open"] > count["click"] > count["visit"] > count["complaint"] > 0


def test_last_window_is_open_when_the_data_end():
    cells = _shop().tables["cells"]
    end = pd.Timestamp("2025-12-31")
    still = cells[cells["closes_on"] > end]
    assert set(still["campaign_id"]) == {"latest"}
    assert (still["opens_on"] <= end).all()


def test_planned_shares_add_up():
    sums = _shop().tables["cells"].groupby("campaign_id")["planned_share"].sum()
    assert np.allclose(sums, 1)
    assert len(sums) == 5


@pytest.mark.parametrize("options", [{"n_customers": 100, "days": 30}, {"n_customers": 130, "days": 60, "seed": 4}])
def test_small_shops_have_small_campaigns(options):
    shop = make_shop(**options)
    assert len(shop.tables["contacts"])
    assert shop.tables["orders"]["ordered_at"].max() < pd.Timestamp("2026-01-01")
    assert shop.tables["contacts"]["contacted_at"].max() < pd.Timestamp("2026-01-01")


def test_very_small_shops_have_none():
    assert "cells" not in make_shop(99).tables


@pytest.mark.proof
@pytest.mark.parametrize("source", ["campaigns = false", "customers = 99"])
def test_data_sets_without_campaigns(tmp_path, source):
    (tmp_path / "s.toml").write_text(f'[source]\nkind = "shop"\n{source}\n')
    assert open_dataset(tmp_path / "s.toml").tables == ("orders", "order_lines", "products", "customers")


@pytest.mark.proof
def test_data_set_keeps_campaigns(tmp_path):
    (tmp_path / "s.toml").write_text('[source]\nkind = "shop"\ncustomers = 300\nseed = 2\n')
    data, shop = open_dataset(tmp_path / "s.toml"), make_shop(300, 2)
    for name in ("cells", "contacts", "responses"):
        assert data.table(name).columns == tuple(column.name for column in TABLES[name].kept if column.name != "follow_up_at")
        assert data.table(name).count().to_pyarrow().as_py() == len(shop.tables[name])
    stored = data.contacts.to_pandas().sort_values(["customer_id", "contacted_at"], ignore_index=True)
    assert stored["contacted_at"].equals(shop.tables["contacts"]["contacted_at"])
    assert data.cells.to_pandas()["control_cell_id"].isna().sum() == 6
