import pandas as pd
import pytest

import crmlab
from crmlab.analyses import data_quality as quality
from crmlab.errors import ParameterError, SourceError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CRMLAB_CACHE", str(tmp_path_factory.getbasetemp() / "quality-cache"))


def data(folder, rows, top=""):
    (folder / "o.csv").write_text("order_id,customer_id,ordered_at,amount\n" + "".join(f"{row}\n" for row in rows))
    (folder / "q.toml").write_text(f'{top}\n[orders]\nfile = "o.csv"\n')
    return crmlab.open_dataset(folder / "q.toml")


def test_verdict_follows_from_the_bounds(tmp_path):
    days = pd.date_range("2024-01-01", periods=120)
    good = [f"{i},c{i % 9},{day.date()},5" for i, day in enumerate(days)]
    assert quality.run(data(tmp_path, good)).findings[0].value == "Good"
    some = [*good, *(f"x{i},,2024-01-01,5" for i in range(10))]
    assert quality.run(data(tmp_path, some)).findings[0].value == "Usable with care"
    most = [*good, *(f"x{i},,2024-01-01,5" for i in range(130))]
    result = quality.run(data(tmp_path, most))
    assert result.findings[0].value == "Not usable yet"
    assert "no customer" in result.warnings[0]


def test_short_history_is_told(tmp_path):
    result = quality.run(data(tmp_path, ["1,a,2024-01-01,5", "2,b,2024-01-10,5"]))
    assert "The history is only 10 days long." in result.warnings


def test_largest_order_that_was_cancelled(tmp_path):
    rows = ["1,a,2024-01-01,500", "2,a,2024-01-02,-500", "3,b,2024-01-01,400", "4,c,2024-01-01,-300", "5,c,2024-01-02,300"]
    largest = quality.run(data(tmp_path, rows)).tables["largest"].frame.set_index("order_id")
    assert largest.loc["1", "cancelled"] == "yes"
    assert largest.loc["3", "cancelled"] == "no"
    # A return before the purchase is no cancellation of it.
    assert largest.loc["5", "cancelled"] == "no"


def test_stale_share_has_its_interval(tmp_path):
    rows = ["1,a,2022-01-01,5", "2,b,2024-01-01,5", "3,c,2024-01-01,5", "4,d,2024-01-01,5"]
    estimate = quality.run(data(tmp_path, rows)).metrics["stale_share"]
    assert estimate.value == 0.25
    assert estimate.low == pytest.approx(0.045587, abs=1e-6)  # Wilson, 1 of 4
    assert estimate.high == pytest.approx(0.699358, abs=1e-6)


def test_charts_and_tables_are_drawn_for_every_data_set():
    for name in ("cdnow_sample", "online_retail"):
        try:
            opened = crmlab.open_dataset(name)
        except SourceError as error:
            pytest.skip(f"The user's own copy of Online Retail is not there: {error}")
        result = quality.run(opened)
        for part in (*result.charts.values(), *result.tables.values()):
            assert part.html()


def test_params_refuse():
    with pytest.raises(
        ParameterError, match="The 'largest' parameter of data_quality must be between 1 and 20. Got 0 instead."
    ):
        quality.Params(largest=0)
    with pytest.raises(ParameterError, match="The 'stale_after' parameter of data_quality"):
        quality.Params(stale_after=0)
