"""A page that says "so send X" gives the list of X, and everybody who asks for a customer's offers gets that list."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlab
from crmlab.analyses import cross_sell
from crmlab.analyses.cross_sell.backtesting import backtest_offers
from crmlab.analyses.cross_sell.blend import Origins, outcome_of
from crmlab.analyses.cross_sell.choice import choose, sent_offers
from crmlab.analyses.cross_sell.lists import BASELINES, NAMES, PERSONAL, UNTESTED, chances
from crmlab.analyses.cross_sell.offers import simple_offers
from crmlab.analyses.cross_sell.pairs import learn_pairs
from crmlab.analyses.customers import customer_outputs
from crmlab.history.past import History
from crmlab.models.intervals import paired_difference
from crmlab.page.exhibits import Absent

START, DAYS, EVERY = dt.date(2024, 1, 1), 330, 30
DESCRIPTOR = 'title = "Own"\ncurrency = "EUR"\n{more}[order_lines]\nfile = "lines.csv"\n[customers]\nfile = "customers.csv"\n'


def tastes(seed, people=300, groups=10, products=24):
    """Each customer buys ever new products of one taste: personal offers must win, for best-sellers and buying again say little."""
    rng = np.random.default_rng(seed)
    for one in range(people):
        group, own = one % groups, rng.permutation(products)
        for time, product in enumerate(own[: DAYS // EVERY]):
            yield f"c{one:03}", START + dt.timedelta(days=int(EVERY * time + rng.integers(EVERY))), f"g{group}p{product:02}"


def no_tastes(seed, people=300, products=60):
    """All draw from one list of best-sellers, whatever they have: nothing personal is there to be found."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, products + 1) ** 1.2
    for one in range(people):
        for time in range(DAYS // EVERY):
            product = rng.choice(products, p=share / share.sum())
            yield f"c{one:03}", START + dt.timedelta(days=int(EVERY * time + rng.integers(EVERY))), f"p{product:02}"


def opened(folder, rows, more=""):
    rows = list(rows)
    folder.mkdir(exist_ok=True)
    lines = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "product_id"])
    lines.assign(order_id=range(len(lines)), quantity=1, amount=10).to_csv(folder / "lines.csv", index=False)
    people = sorted(set(lines["customer_id"]))
    asked = ["no" if k % 10 == 0 else "yes" for k in range(len(people))]
    pd.DataFrame({"customer_id": people, "contactable": asked}).to_csv(folder / "customers.csv", index=False)
    (folder / "own.toml").write_text(DESCRIPTOR.format(more=more))
    return crmlab.open_dataset(str(folder / "own.toml"))


@pytest.fixture(scope="module", params=[tastes, no_tastes], ids=["tastes", "no tastes"])
def page(request, tmp_path_factory):
    data = opened(tmp_path_factory.mktemp("kind"), request.param(1))
    return request.param, data, cross_sell.run(data, cross_sell.Params(horizon=60))


@pytest.mark.proof
def test_the_list_is_of_the_method_that_the_headline_names(page):
    made, data, result = page
    gain, first = result.metrics["hit_rate_gain"], result.findings[0]
    origins = Origins(History(data), 60, learn_pairs)
    choice = choose(backtest_offers(origins, k=3))
    assert (gain.low > 0) == (choice.method == PERSONAL) == (made is tastes)
    assert f"The list of offers therefore contains {NAMES[choice.method]}" in first.text
    assert ", for 270 customers;" in first.text
    assert result.outputs["offers"].caption.startswith(f"Offers per customer: {NAMES[choice.method]},")
    sent = result.outputs["offers"].frame
    if choice.method == PERSONAL:
        assert set(sent["source"]) & {"association", "similarity"} and not set(sent["source"]) & set(NAMES.values())
    else:
        assert set(sent["source"]) == {NAMES[choice.method]}
    again = sent_offers(Origins(History(data), 60, learn_pairs), choice, k=3, margin=None, seed=0)
    pd.testing.assert_frame_equal(sent, again.frame)
    table = result.tables["backtest"].frame.set_index("sent")
    assert table.loc["sent", "method"].startswith(NAMES[choice.method].capitalize())
    assert table.loc["sent", "hit_rate"] == result.metrics["hit_rate"].value
    assert first.value == result.context.form.share(result.metrics["hit_rate"].value)


@pytest.mark.proof
def test_whoever_asks_for_offers_gets_the_list_of_the_page(page):
    _, data, result = page
    history = History(data)
    sent = result.outputs["offers"].frame
    pd.testing.assert_frame_equal(cross_sell.next_best_offers(history, horizon=60).frame, sent)
    usual = cross_sell.next_best_offers(history).frame  # what others ask for has no parameters
    known = customer_outputs(history, needed=["offer_product"]).dropna(subset=["offer_product"]).set_index("customer_id")
    assert known["offer_product"].map(tuple).to_dict() == usual.groupby("customer_id")["product_id"].agg(tuple).to_dict()


@pytest.mark.proof
def test_who_must_not_be_contacted_is_counted_in_the_headline_and_not_on_the_list(page):
    _, _, result = page
    sent = result.outputs["offers"].frame
    # 300 customers, of whom 30 must not be contacted: the list goes to 270, and the headline says no other number.
    said = result.findings[0].text
    assert "for 270 customers; 30 who must not be contacted are left out." in said
    assert "300 customers" not in said
    assert set(sent["contactable"]) == {"yes"} and set(sent["refusal"]) == {""} and sent["customer_id"].nunique() == 270


@pytest.mark.proof
def test_any_simple_list_can_be_sent(page):
    _, data, _ = page
    origins = Origins(History(data), 60)
    for rule in BASELINES:
        frame = simple_offers(origins, rule, k=3).frame
        assert len(frame) and set(frame["source"]) == {NAMES[rule]} and frame["reason"].str.len().min() > 10
        assert frame["probability"].between(0, 1, inclusive="neither").all()
        assert frame.groupby("customer_id")["rank"].agg(list).map(lambda ranks: ranks == list(range(1, len(ranks) + 1))).all()


@pytest.mark.proof
def test_without_a_test_the_simple_rule_is_used_and_it_is_said(tmp_path):
    rows = [row for row in no_tastes(2) if row[1] < START + dt.timedelta(days=80)]
    result = cross_sell.run(opened(tmp_path / "own", rows), cross_sell.Params(horizon=60))
    assert choose(Absent("too short")).method == UNTESTED
    assert (
        result.findings[0].value == "Not tested"
        and f"The list of offers therefore contains {NAMES[UNTESTED]}" in result.findings[0].text
    )
    assert set(result.outputs["offers"].frame["source"]) == {NAMES[UNTESTED]}
    assert any("could not be tested on later days" in warning for warning in result.warnings)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("rows", "value", "said"),
    [
        ([("a", 0, "x"), ("b", 60, "y"), ("c", 90, "x"), ("a", 100, "z")], "3", "too few to learn which offer suits whom"),
        ([(f"c{k % 40}", 7 * k, "only") for k in range(100)], "No offer", "one product is on sale now"),
        ([(f"c{k:03}", 2 * k, f"p{k % 7}") for k in range(300)], "Nobody", "has bought on a second day"),
    ],
    ids=["three customers", "one product", "nobody twice"],
)
def test_little_data_get_a_wise_headline(tmp_path, rows, value, said):
    rows = [(who, START + dt.timedelta(days=day), what) for who, day, what in rows]
    result = cross_sell.run(opened(tmp_path / "own", rows))
    assert result.findings[0].value == value and said in result.findings[0].text
    assert value != "No offer" or result.outputs["offers"].frame.empty
    assert "hit_rate" not in result.metrics and "%" not in result.findings[0].text


@pytest.mark.proof
def test_chances_of_a_simple_list_come_true(page):
    # All draw from one list, without a season: what was said a horizon before the end, against what came, by how likely it was said.
    made, data, _ = page
    origins = Origins(History(data), 60)
    state = origins.state(1)
    (n, m), chosen = state.shape, np.arange(state.shape[1])
    row, col = np.repeat(np.arange(n), m), np.tile(chosen, n)
    chance = chances(origins, 1, row, col)
    came_row, came_col = outcome_of(origins.past(1), state, 60)
    hit = np.isin(row * m + col, came_row * m + came_col)
    if made is no_tastes:
        for part in np.array_split(np.argsort(chance, kind="stable"), 5):
            assert chance[part].mean() == pytest.approx(hit[part].mean(), rel=0.2, abs=0.01)
    assert ((chance > 0) & (chance < 1)).all()
    assert np.isnan(chances(origins, 5, row[:3], col[:3])).all()  # the history does not reach a horizon further back


def test_a_lead_of_three_among_twenty_is_none():
    # Agresti and Min (2005): at 90% the interval covers in at least 87% of paired samples, however few differ.
    assert paired_difference(3, 0, 20)[1] < 0 < paired_difference(5, 0, 20)[1]
    rng = np.random.default_rng(0)
    for n, cells in ((20, (0.1, 0.1)), (20, (0.25, 0.05)), (200, (0.02, 0.02)), (500, (0.2, 0.3))):
        drawn = rng.multinomial(n, [*cells, 1 - sum(cells)], size=2000)
        ends = np.array([paired_difference(int(b), int(c), n) for b, c, _ in drawn])
        true = cells[0] - cells[1]
        assert ((ends[:, 1] <= true) & (true <= ends[:, 2])).mean() > 0.87
