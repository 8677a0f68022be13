"""Effects of actions: what past cells brought, shrunk as an independent calculation says; what is not shown counts as none; costs."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crmlab.analyses.actions import effects
from crmlab.analyses.actions.declaring import Action, Assumed
from crmlab.analyses.actions.effects import ASSUMED, MEASURED, UNSHOWN, default_actions, past_cells, priced
from crmlab.analyses.campaigns.past import COLUMNS, GROUPS, Past
from crmlab.errors import DataError
from crmlab.history.costs import GUESSED_CONTACT, GUESSED_OFFER
from crmlab.history.past import History

LEVEL, Z90, Z95 = 0.9, 1.6448536269514722, 1.959963984540054
COSTS = ("cost_per_contact", "cost_per_response", "discount")


def past(*rows, cells=()):
    """What past campaigns did, from rows (campaign, offer, effect, error); and cells (offer, costs …, days)."""
    groups = [
        {"component": part, "value": value, "campaign": name, "opens": dt.date(2024, 1, 1), "k": 1, "n": 100, "effect": effect,
         "error": error, "base": 0.1, "from": "data"}
        for name, offer, effect, error in rows
        for part, value in (("offer", offer), ("campaign", ""))
    ]  # fmt: skip
    table = pd.DataFrame(list(cells), columns=["offer", *COSTS, "days"])
    return Past(
        cells=table.reindex(columns=[*COLUMNS, *COSTS, "days"]) if len(table) else pd.DataFrame(columns=[*COLUMNS, "days"]),
        groups=pd.DataFrame(groups, columns=list(GROUPS)),
        components=(),
        left_out=(),
        level=LEVEL,
    )


@pytest.fixture
def found(world, tmp_path, monkeypatch):
    """A function that prices actions by given past cells."""
    history = History(world(tmp_path))

    def priced_by(given, *actions):
        monkeypatch.setattr(effects, "past_cells", lambda *_: given)
        return priced(history, actions, LEVEL)

    return priced_by


def shrunk(y, s):
    """Best predictors at the tau of Paule and Mandel, found by halving: where the weighted squares are as many as degrees of freedom."""
    y, s = np.asarray(y), np.asarray(s)

    def at(tau2):
        w = 1 / (s**2 + tau2)
        mean = w @ y / w.sum()
        return w @ (y - mean) ** 2, mean

    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle)[0] > len(y) - 1 else (low, middle)
    return (low * y + s**2 * at(low)[1]) / (s**2 + low)


def mail(name, **more):
    return Action(name=name, offer=name, **{"effect": "memory"} | more)


def own(offer, **more):
    return Action(name="own", offer=offer, effect="memory", **more)


def test_one_offer_alone_is_what_it_was(found):
    (one,) = found(past(("c1", "gift", 0.04, 0.01)), mail("gift"))
    assert one.effect.rise == pytest.approx(0.04) and one.effect.basis == MEASURED
    assert (one.effect.low, one.effect.high) == pytest.approx((0.04 - Z90 * 0.01, 0.04 + Z90 * 0.01))
    assert one.effect.source == "1 past campaign with this offer" and one.effect.counted == one.effect.rise


def test_campaigns_of_one_offer_are_averaged_by_precision(found):
    (one,) = found(past(("c1", "gift", 0.05, 0.01), ("c2", "gift", 0.03, 0.02)), mail("gift"))
    weights = np.array([0.01**-2, 0.02**-2])
    assert one.effect.rise == pytest.approx(weights @ [0.05, 0.03] / weights.sum())
    assert one.effect.source == "2 past campaigns with this offer"


def test_offers_are_pulled_to_their_mean_as_paule_and_mandel_have_it(found):
    y, s = [0.08, 0.02, 0.01, 0.03], [0.02, 0.01, 0.015, 0.02]
    rows = [(f"c{k}", f"o{k}", *both) for k, both in enumerate(zip(y, s, strict=True))]
    got = [one.effect for one in found(past(*rows), *(mail(f"o{k}") for k in range(4)))]
    assert [one.rise for one in got] == pytest.approx(shrunk(y, s), abs=1e-9)
    # The best was lucky too; order is kept, and ends hold what is expected.
    assert got[0].rise < 0.08 and got[2].rise > 0.01
    assert all(one.low < one.rise < one.high for one in got)


def test_an_offer_that_tests_do_not_show_counts_as_none(found):
    # Above 0 by less than 1.96 standard errors.
    weak, none = found(past(("c1", "gift", 0.019, 0.01)), mail("gift")), found(past(("c1", "gift", -0.04, 0.01)), mail("gift"))
    shown = found(past(("c1", "gift", Z95 * 0.01 + 1e-6, 0.01)), mail("gift"))
    assert (weak[0].effect.basis, none[0].effect.basis, shown[0].effect.basis) == (UNSHOWN, UNSHOWN, MEASURED)
    assert weak[0].effect.counted == none[0].effect.counted == 0 and weak[0].effect.rise > 0 > none[0].effect.rise


def test_a_harmful_offer_is_never_counted_for_or_against(found):
    got = found(past(("c1", "bad", -0.05, 0.01), ("c2", "good", 0.05, 0.01)), mail("bad"), mail("good"))
    assert [one.effect.basis for one in got] == [UNSHOWN, MEASURED]


def test_an_effect_may_be_that_of_a_campaign(found):
    given = past(("spring", "gift", 0.05, 0.01))
    (one,) = found(given, Action(name="call", effect="campaign:spring"))
    assert one.effect.rise == pytest.approx(0.05) and one.effect.source == "campaign spring"
    with pytest.raises(
        DataError, match=r"There is no measured campaign 'sprin' for the action 'call'\. Did you mean 'spring'\?"
    ):
        found(given, Action(name="call", effect="campaign:sprin"))


def test_an_offer_that_was_never_measured_is_refused(found):
    with pytest.raises(
        DataError, match=r"with the offer 'card'\. None was measured\. Measured offers: gift\. Give it an assumed"
    ):
        found(past(("c1", "gift", 0.05, 0.01)), mail("card"))


def test_an_assumed_effect_is_taken_as_it_is(found):
    (one,) = found(past(), Action(name="call", effect=Assumed(rise=0.02, low=-0.01, high=0.05)))
    assert one.effect == (0.02, -0.01, 0.05, ASSUMED, "assumed, not measured") and one.effect.counted == 0.02


def test_costs_are_those_of_past_cells_with_the_offer(found):
    cells = [
        ("gift", 0.2, 3.0, None, 28),
        ("gift", 0.4, 5.0, None, 42),
        ("ten", 0.1, None, 0.1, 14),
        ("other", 9.0, 9.0, 0.9, 1),
    ]
    given = past(("c1", "gift", 0.05, 0.01), ("c2", "ten", 0.05, 0.01), cells=cells)
    gift, ten, told = found(given, mail("gift"), mail("ten"), own("gift", cost_per_contact=1.0, cost_per_response=0.0))
    assert (gift.contact, gift.response, gift.discount, gift.days) == pytest.approx((0.3, 4.0, 0.0, 35))
    # A discount alone is the whole cost of an offer.
    assert (ten.contact, ten.response, ten.discount, ten.days) == pytest.approx((0.1, 0.0, 0.1, 14))
    assert (told.contact, told.response, told.discount) == (1.0, 0.0, 0.0)


def test_without_past_cells_costs_are_the_usual_ones(found):
    thanks, offer = found(
        past(),
        Action(name="thanks", effect=Assumed(rise=0.02, low=0.0, high=0.04)),
        Action(name="gift", offer="gift", effect=Assumed(rise=0.02, low=0.0, high=0.04)),
    )
    # Without an offer there is nothing to take.
    assert (thanks.contact, thanks.response) == (GUESSED_CONTACT, 0.0)
    assert (offer.contact, offer.response) == (GUESSED_CONTACT, GUESSED_OFFER)


def test_a_data_set_without_cells_gets_assumed_actions(world, tmp_path, nothing_remembered):
    history = History(world(tmp_path))
    assert past_cells(history, LEVEL).groups.empty
    actions = default_actions(history, LEVEL)
    assert [one.name for one in actions] == ["win back", "second purchase", "recommend"]
    assert all(isinstance(one.effect, Assumed) and one.offer is None for one in actions)


@pytest.mark.proof
def test_the_shop_gets_an_action_for_each_offer_that_was_measured(opened_once, nothing_remembered):
    history = History(opened_once("shop"))
    got = priced(history, default_actions(history, LEVEL), LEVEL)
    assert [one.name for one in got] == ["10% off", "free delivery", "new range", "small gift"]
    assert {one.action.channel for one in got} == {"email", "post"}
    basis = {one.name: one.effect.basis for one in got}
    assert basis["new range"] == basis["free delivery"] == UNSHOWN and basis["small gift"] == MEASURED
    ten, gift = got[0], got[3]
    assert (ten.discount, ten.response, gift.response, gift.discount) == pytest.approx((0.1, 0.0, 2.5, 0.0))
