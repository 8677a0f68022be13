"""Assignment by hashes: exact, the same whatever the order, the machine and the engine, and balanced like a draw."""

from __future__ import annotations

import hashlib
import time
import warnings

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crmlab.analyses.campaigns import assignment, hashing
from crmlab.analyses.campaigns.assignment import Take, arm_of, assign, in_holdout, quotas, sample
from crmlab.analyses.campaigns.hashing import hash_column, hash_keys, hash_pairs
from crmlab.errors import CampaignError, ParameterError
from crmlab.models.hashes import salted_hashes

SALT = "spring 2025"
CELLS = {"0": 0.4, "a": 0.3, "b": 0.3}


def people(n: int = 1000, per_home: int = 2, missing: float = 0.1, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    home = np.array([f"H{k}" for k in rng.integers(0, max(n // per_home, 1), n)], dtype=object)
    home[rng.random(n) < missing] = None
    frame = pd.DataFrame({"customer_id": [f"C{k:05d}" for k in range(n)], "household_id": home})
    return frame.assign(tier=rng.choice(["gold", "iron", "tin"], n, p=[0.1, 0.3, 0.6]), score=rng.normal(size=n).round(2))


def by_id(frame: pd.DataFrame) -> pd.Series:
    return frame.set_index("customer_id")["cell_id"].sort_index()


# Hashes


def test_hash_is_the_first_64_bits_of_sha256():
    for key in ("C1", "", "Ünïcødé 😀", "it's"):
        expected = int(hashlib.sha256(f"{SALT}\x1f{key}".encode()).hexdigest()[:16], 16)
        assert int(hash_keys([key], SALT)[0]) == expected


@given(st.lists(st.text(max_size=20), max_size=30), st.text(max_size=10))
@settings(max_examples=25)
def test_hashes_in_bulk_are_those_one_by_one(keys, salt):
    # A surrogate alone is no text that could be written; a NUL ends a text for some.
    keys = [key.encode("utf-8", "ignore").decode().replace("\0", "") for key in keys]
    salt = salt.encode("utf-8", "ignore").decode().replace("\0", "")
    one, bulk = salted_hashes(keys, salt), hashing._in_bulk(keys, salt) if keys else (np.array([]),) * 2
    assert one[0].tolist() == bulk[0].tolist()
    assert one[1].tolist() == bulk[1].tolist()


@pytest.mark.proof
def test_hashes_of_many_come_in_the_order_of_keys():
    keys = [f"C{k}" for k in np.random.default_rng(1).permutation(450_000)]  # three batches
    first, second = hash_pairs(keys, SALT)
    for place in (0, 1, 199_999, 200_000, 449_999):
        assert (first[place], second[place]) == tuple(int(part[0]) for part in salted_hashes(keys[place : place + 1], SALT))
    assert np.unique(first).size == len(keys)


def test_salt_and_key_do_not_run_together():
    assert hash_keys(["bc"], "a")[0] != hash_keys(["c"], "ab")[0]


@pytest.mark.spark
def test_hashes_are_the_same_on_both_engines(spark, tmp_path):
    keys = ["C1", "", "Ünïcødé 😀", "it's", 'a"b\\c', *(f"C{k}" for k in range(500))]
    path = tmp_path / "keys.parquet"
    pq.write_table(pa.table({"key": keys}), path)
    expected = {key: int(value) for key, value in zip(keys, hash_keys(keys, "it's spring ☀"), strict=True)}
    for engine in (ibis.duckdb.connect(), ibis.pyspark.connect(spark)):
        table = engine.read_parquet(str(path), table_name="hashed_keys")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PySpark asks Arrow and pandas for names that they are giving up
            found = table.select("key", hash=hash_column(table, "key", "it's spring ☀")).to_pyarrow().to_pylist()
        assert {row["key"]: int(row["hash"], 16) for row in found} == expected


# Quotas


@given(st.integers(0, 10_000), st.lists(st.integers(0, 100), min_size=1, max_size=9).filter(any))
def test_quotas_add_up_and_are_within_one(total, parts):
    shares = np.array(parts) / sum(parts)
    count = quotas(total, shares)
    assert count.sum() == total
    assert (np.abs(count - total * shares) < 1 + 1e-6).all()
    assert (count[shares == 0] == 0).all()


@pytest.mark.parametrize(
    ("total", "shares", "expected"),
    [(10, [0.3, 0.3, 0.4], [3, 3, 4]), (10, [1 / 3] * 3, [4, 3, 3]), (1, [0.5, 0.5], [1, 0]), (0, [0.5, 0.5], [0, 0]),
     (7, [0.1] * 10, [1] * 7 + [0] * 3), (100, [0.07, 0.93], [7, 93])],
)  # fmt: skip
def test_quotas_go_to_the_largest_remainders(total, shares, expected):
    assert quotas(total, shares).tolist() == expected


# Assignment


@pytest.mark.proof
@given(st.integers(1, 120), st.integers(1, 5), st.floats(0, 1), st.integers(0, 50), st.data())
@settings(max_examples=60, deadline=None)
def test_assign_keeps_its_promises(n, per_home, missing, seed, data):
    frame = people(n, per_home, missing, seed)
    parts = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))
    cells = {f"c{i}": part / sum(parts) for i, part in enumerate(parts)}
    found = assign(frame, cells, SALT)
    assert found["customer_id"].tolist() == frame["customer_id"].tolist()
    homes = found["household_id"].where(found["household_id"].notna(), "!" + found["customer_id"])
    assert found.groupby(homes)["cell_id"].nunique().max() == 1
    count = (
        found.drop_duplicates("customer_id")
        .groupby(homes)["cell_id"]
        .first()
        .value_counts()
        .reindex(sorted(cells), fill_value=0)
    )
    assert count.tolist() == quotas(homes.nunique(), [cells[name] for name in sorted(cells)]).tolist()
    again = assign(frame.sample(frac=1, random_state=seed), dict(reversed(cells.items())), SALT)
    pd.testing.assert_series_equal(by_id(again), by_id(found))


def test_assign_is_what_a_plain_loop_says():
    frame = people(300)
    pairs = zip(frame["customer_id"], frame["household_id"], strict=True)
    keys = [f"h:{home}" if pd.notna(home) else f"c:{who}" for who, home in pairs]
    ordered = sorted(set(keys), key=lambda key: hashlib.sha256(f"{SALT}\x1f{key}".encode()).digest())
    sizes = quotas(len(ordered), [0.4, 0.3, 0.3])
    cell = dict(zip(ordered, np.repeat(["0", "a", "b"], sizes), strict=True))
    assert assign(frame, CELLS, SALT)["cell_id"].tolist() == [cell[key] for key in keys]


def test_assign_never_changes():
    # What is launched on one machine is read on another, years later: these cells stand for ever.
    found = assign(pd.DataFrame({"customer_id": [f"C{k}" for k in range(12)]}), CELLS, SALT)
    assert "".join(found["cell_id"]) == "babaa00000ab"


@pytest.mark.proof
def test_assign_takes_tables_of_both_engines(both):
    frame = people(400)[["customer_id", "household_id"]]
    expected = by_id(assign(frame, CELLS, SALT))
    for answer in both(lambda t: t, t=frame):
        pd.testing.assert_series_equal(by_id(assign(answer, CELLS, SALT)), expected)
    engine = ibis.duckdb.connect()
    table = engine.create_table("t", pa.Table.from_pandas(frame.sample(frac=1, random_state=1), preserve_index=False))
    found = assign(table, CELLS, SALT)
    assert found["customer_id"].is_monotonic_increasing
    pd.testing.assert_series_equal(by_id(found), expected)


def test_assign_in_bulk_is_assign_in_small(monkeypatch):
    frame = people(3000)
    small = assign(frame, CELLS, SALT)
    monkeypatch.setattr(hashing, "_BULK", 1)
    pd.testing.assert_frame_equal(assign(frame, CELLS, SALT), small)


def test_assign_breaks_ties_of_hashes_by_the_rest(monkeypatch):
    # All first halves alike: then the second ones decide, and households stay apart.
    frame = people(200)
    real = hash_pairs
    monkeypatch.setattr(
        assignment, "hash_pairs", lambda keys, salt: (np.full(len(keys), 7, dtype=np.uint64), real(keys, salt)[1])
    )
    found = assign(frame, CELLS, SALT)
    homes = found["household_id"].where(found["household_id"].notna(), "!" + found["customer_id"])
    assert found.groupby(homes)["cell_id"].nunique().max() == 1
    assert (
        found.groupby(homes)["cell_id"].first().value_counts().sort_index().tolist()
        == quotas(homes.nunique(), [0.4, 0.3, 0.3]).tolist()
    )
    pd.testing.assert_series_equal(by_id(assign(frame.iloc[::-1], CELLS, SALT)), by_id(found))


@pytest.mark.proof
def test_assign_is_balanced_like_a_draw():
    # Over 200 salts, the mean of a covariate differs between cells as by chance, and cells of two salts are independent.
    frame = people(600, missing=1.0)
    z = []
    for k in range(200):
        found = assign(frame, {"0": 0.5, "1": 0.5}, f"salt number {k}")
        one = frame["score"][found["cell_id"].to_numpy() == "1"]
        z.append((one.mean() - frame["score"].mean()) / np.sqrt(frame["score"].var() / 600))
    assert stats.kstest(z, "norm").pvalue > 0.01
    first, second = (assign(frame, {"0": 0.5, "1": 0.5}, salt)["cell_id"] for salt in ("one salt of many", "another salt"))
    assert stats.chi2_contingency(pd.crosstab(first.to_numpy(), second.to_numpy()))[1] > 0.001


def test_assign_not_exact_does_not_depend_on_the_list():
    frame = people(5000)
    whole = by_id(assign(frame, CELLS, SALT, exact=False))
    part = by_id(assign(frame.sample(frac=0.3, random_state=2), CELLS, SALT, exact=False))
    pd.testing.assert_series_equal(whole.loc[part.index], part)
    share = whole.value_counts(normalize=True)
    assert all(abs(share[name] - CELLS[name]) < 0.05 for name in CELLS)


def test_assign_keeps_quotas_in_each_stratum():
    frame = people(2000, missing=1.0)
    found = assign(frame, CELLS, SALT, strata="tier").assign(tier=frame["tier"])
    for _, mine in found.groupby("tier"):
        assert mine["cell_id"].value_counts().sort_index().tolist() == quotas(len(mine), [0.4, 0.3, 0.3]).tolist()
    loose = assign(frame, CELLS, SALT).assign(tier=frame["tier"])
    gold = loose[loose["tier"] == "gold"]["cell_id"].value_counts().sort_index()
    assert gold.tolist() != quotas(int(gold.sum()), [0.4, 0.3, 0.3]).tolist()  # the test can fail


def test_assign_with_missing_strata_and_households():
    frame = people(300)
    frame.loc[::7, "tier"] = None
    found = assign(frame, CELLS, SALT, strata="tier")
    pd.testing.assert_series_equal(by_id(assign(frame.iloc[::-1], CELLS, SALT, strata="tier")), by_id(found))
    assert len(found) == 300


def test_sample_of_n_is_nested_and_whole_households():
    frame = people(1000)
    few, more = (set(assign(frame, CELLS, SALT, take=n)["customer_id"]) for n in (100, 300))
    assert few < more
    assert 100 <= len(few) <= 110
    homes = frame.set_index("customer_id")["household_id"].dropna()
    taken = homes[homes.index.isin(few)]
    assert homes[homes.isin(taken)].index.isin(few).all()
    assert len(assign(frame, CELLS, SALT, take=5000)) == 1000


def test_best_by_score_takes_the_best():
    frame = people(1000, missing=1.0)
    frame.loc[:20, "score"] = np.nan
    taken = assign(frame, CELLS, SALT, take=Take(n=100, score="score"))
    scores = frame.set_index("customer_id")["score"]
    assert len(taken) == 100
    assert scores.loc[taken["customer_id"]].min() >= scores.drop(taken["customer_id"]).max()
    assert taken["cell_id"].value_counts().sort_index().tolist() == [40, 30, 30]
    again = assign(frame.iloc[::-1], CELLS, SALT, take=Take(n=100, score="score"))  # scores of two digits have ties
    pd.testing.assert_series_equal(by_id(again), by_id(taken))


def test_sample_chooses_by_hash():
    ids = [f"C{k}" for k in range(100)]
    few, more = sample(ids, 10, SALT), sample(ids, 30, SALT)
    assert few.sum() == 10 and more.sum() == 30 and not (few & ~more).any()
    assert (sample(ids[::-1], 10, SALT)[::-1] == few).all()


def test_holdout_is_nested_and_permanent():
    ids = [f"H{k}" for k in range(20_000)]
    small, large = in_holdout(ids, 0.05, "for ever and ever"), in_holdout(ids, 0.1, "for ever and ever")
    assert not (small & ~large).any()
    assert abs(small.mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 20_000)
    assert (in_holdout(ids[::-1], 0.05, "for ever and ever")[::-1] == small).all()
    assert not in_holdout(ids, 0, "for ever and ever").any()
    assert in_holdout(ids, 1, "for ever and ever").all()
    # Held out or not says nothing of the cell in a campaign with a salt of its own.
    cells = assign(pd.DataFrame({"customer_id": ids}), CELLS, SALT)["cell_id"]
    assert stats.chi2_contingency(pd.crosstab(cells.to_numpy(), large))[1] > 0.001


def test_an_arm_is_that_of_the_hold_out_and_of_cells_drawn_by_hash_and_of_each_id_alone():
    ids = [f"C{k}" for k in range(4000)]
    arms = arm_of(ids, {"held out": 0.1, "others": 0.9}, "for ever and ever")
    assert ((arms == "held out") == in_holdout(ids, 0.1, "for ever and ever")).all()
    assert [arm_of([one], {"held out": 0.1, "others": 0.9}, "for ever and ever")[0] for one in ids[:50]] == arms[:50].tolist()
    three = arm_of(ids, {"a": 0.2, "b": 0.3, "c": 0.5}, "for ever and ever")
    assert [abs((three == name).mean() - share) < 0.03 for name, share in (("a", 0.2), ("b", 0.3), ("c", 0.5))] == [True] * 3
    # A campaign tells customers from households by a letter before the id.
    drawn = assign(pd.DataFrame({"customer_id": ids}), {"a": 0.2, "b": 0.3, "c": 0.5}, "for ever and ever", exact=False)
    keyed = arm_of([f"c:{one}" for one in ids], {"a": 0.2, "b": 0.3, "c": 0.5}, "for ever and ever")
    assert (drawn["cell_id"].astype(str).to_numpy() == keyed).all()
    with pytest.raises(CampaignError, match="add up to 1"):
        arm_of(ids, {"a": 0.5}, "for ever and ever")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"salt": "short"}, "salt must be a text of at least 8 characters"),
        ({"cells": {"a": 0.5, "b": 0.4}}, "add up to 1"),
        ({"cells": {"a": 1.5, "b": -0.5}}, "at least 0"),
        ({"cells": {}}, "add up to 1"),
        ({"strata": "colour"}, "missing column 'colour'"),
        ({"take": Take(n=3, score="points")}, "missing column 'points'"),
        ({"customers": pd.DataFrame({"id": ["1"]})}, "missing column 'customer_id'"),
        ({"customers": pd.DataFrame({"customer_id": ["1", "2", "1"]})}, "1 customer is assigned twice.*'1'"),
        ({"customers": pd.DataFrame({"customer_id": ["1", "2", "1"], "household_id": ["x", "y", "z"]})}, "assigned twice"),
        ({"customers": pd.DataFrame({"customer_id": ["1", None]})}, "given for everybody"),
        ({"customers": pd.DataFrame({"customer_id": []})}, "at least one customer"),
    ],
)
def test_assign_refuses(change, words):
    with pytest.raises(CampaignError, match=words):
        assign(**{"customers": people(20), "cells": CELLS, "salt": SALT, **change})


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_assign_refuses_sizes(n):
    with pytest.raises(ParameterError, match="whole number of at least 1"):
        assign(people(20), CELLS, SALT, take=n)


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "x"])
def test_holdout_refuses_shares(share):
    with pytest.raises(ParameterError, match="'share' parameter of in_holdout must be between 0 and 1"):
        in_holdout(["a"], share, "for ever and ever")


@pytest.mark.nightly
def test_ten_million_customers_without_collisions():
    n = 10_000_000
    ids = pd.Series(pd.array(np.char.add("C", np.arange(n).astype("U8")), dtype="str"))
    # Processor time, which others at work on this machine do not lengthen; by the clock it is less.
    started = time.process_time()
    found = assign(pd.DataFrame({"customer_id": ids}), {f"c{i}": 1 / 8 for i in range(8)}, SALT)
    seconds = time.process_time() - started
    print(f"{n:,} customers assigned in {seconds:.1f} s")
    assert found["cell_id"].value_counts().tolist() == [n // 8] * 8
    assert seconds < 20
    assert np.unique(hash_keys(pa.array(ids, pa.large_string()), SALT)).size == n
