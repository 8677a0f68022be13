"""Intervals of differences of two shares of the same people: what is refused, and by which name."""

from __future__ import annotations

import numpy as np
import pytest

from crmlab.errors import ModelError
from crmlab.models.intervals import paired_difference


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, 0, 0), "paired_difference: 'n' must be a whole number of at least 1. Got 0 instead."),
        ((1.5, 0, 9), "paired_difference: 'first_only' must be whole numbers of at least 0. Got 1.5 instead."),
        ((1, -1, 9), "paired_difference: 'second_only' must be whole numbers of at least 0. Got -1.0 instead."),
        ((1, 1, float("nan")), "'n'"),
        ((5, 5, 9), "paired_difference: 'first_only and second_only' must be at most n = 9 together. Got 10 instead."),
        (("3", 0, 9), "'first_only'"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_paired_difference_takes_counts_of_somebody(given, said):
    with pytest.raises(ModelError) as error:
        paired_difference(*given)
    assert said in str(error.value)


@pytest.mark.filterwarnings("error")
def test_paired_difference_by_hand():
    # Agresti and Min (2005): half a person more in each of the four cells.
    first, second, n = 7, 3, 40
    low, high = 7.5 / 42, 3.5 / 42
    spread = 1.6448536 * np.sqrt((low + high - (low - high) ** 2) / 42)
    assert paired_difference(first, second, n) == pytest.approx((0.1, low - high - spread, low - high + spread), abs=1e-7)
    for found in (paired_difference(1, 0, 1), paired_difference(np.int64(0), np.int64(0), np.int64(5))):
        assert -1 <= found[1] <= found[0] <= found[2] <= 1 and all(isinstance(end, float) for end in found)
