"""Whole futures of a customer base: when each customer may buy, drawn from a fitted model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from crmlab.errors import ModelError
from crmlab.models.btyd.estimator import positive
from crmlab.models.btyd.special import Array

if TYPE_CHECKING:
    from crmlab.models.btyd.future import Future

__all__ = ["PARAMETERS", "Paths", "drawn_paths"]

PARAMETERS = 100  # drawn from the posterior


@dataclass(frozen=True, kw_only=True, eq=False)
class Paths:
    """What some customers do in some futures.

    Attributes
    ----------
    rows : array of int of shape (n,)
        The customers, as places in the summary.
    futures : int
        How many futures were drawn.
    path : array of int of shape (purchases,)
        Whose purchase it is, in which future: ``future * n + customer``. Increasing.
    time : array of shape (purchases,)
        When it is, in the calendar's periods from the end of the history, increasing within a path.
    """

    rows: npt.NDArray[np.int64]
    futures: int
    path: npt.NDArray[np.int64]
    time: Array


def drawn_paths(
    model: Future,
    summary: Any,
    horizon: float,
    *,
    since: float = 0.0,
    each: int = 2,
    most: int = 5000,
    seed: int = 0,
) -> Iterator[Paths]:
    """Draw when customers buy within a horizon, at parameters drawn from the posterior.

    A future holds all that is not known: the parameters, the clock's season and level (one factor of operational time for all customers
    of a future), who is a customer still, each one's rate and lifetime given what they did, and chance.

    Parameters
    ----------
    model : Future
        Fitted, of purchases at any time.
    summary : table
        One row per customer, at the end of the history. Where order matters (with more than ``most`` rows), like customers should be
        neighbours.
    horizon : float
        In periods.
    since : float
        Begin of the time that is asked of, up to the horizon: what is not known of the clock is as much as it is then.
    each : int
        Futures at each of the :data:`PARAMETERS` that are drawn.
    most : int
        Customers in each future at most: of more, every k-th is taken, from a place that is drawn anew for each of the parameters.
    seed : int

    Yields
    ------
    Paths
        One for each of the parameters.

    Raises
    ------
    ModelError
        The model counts whole periods, or the horizon is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmlab.models.btyd import MBGNBD
    >>> model = MBGNBD.from_params(r=0.6, alpha=6.0, a=0.8, b=2.4)
    >>> people = pd.DataFrame({"frequency": [2, 0], "recency": [20.0, 0.0], "T": [26.0, 26.0]})
    >>> drawn = list(drawn_paths(model, people, 52.0, each=20))
    >>> bought = sum(len(paths.path) for paths in drawn) / sum(paths.futures for paths in drawn)
    >>> round(bought), round(float(model.expected_purchases(people, 52.0).sum()))
    (3, 3)
    """
    name = type(model).__name__
    if model.whole_periods:
        raise ModelError.expected("drawn_paths", "model", "one of purchases at any time", f"{name}, which counts whole periods")
    reach = model.elapsed(positive("drawn_paths", "horizon", horizon))
    states, clock = model.states_of(summary), model.clock
    rng = np.random.default_rng(seed)
    n, off = len(states.inverse), 0.0 if clock is None else float(np.sqrt(clock.variance(horizon, since)))
    # The clock's error as normal quantiles in an order that is drawn: as many futures are ahead of it as behind.
    places = (np.arange(PARAMETERS * each) + 0.5) / (PARAMETERS * each)
    factors = np.exp(off * special.ndtri(rng.permutation(places))).reshape(PARAMETERS, each)
    for params, factor in zip(_drawn(model, PARAMETERS, seed), factors, strict=True):
        rows = np.arange(n) if n <= most else ((rng.random() + np.arange(most)) * n / most).astype(np.int64)
        of = states.inverse[rows]
        with np.errstate(all="ignore"):
            alive = model.chance_alive(params, states)[of]
        path, time = model.simulated_times(params, (states.taken(of), alive), reach, factor, (each, rng))
        order = np.lexsort((time, path))
        yield Paths(rows=rows, futures=each, path=path[order], time=(time if clock is None else clock.back(time))[order])


def _drawn(model: Future, count: int, seed: int) -> list[Array]:
    """Parameters drawn from the posterior; the parameters alone where they were given."""
    if not model.has_posterior:
        return [model.parameters()] * count
    return list(model.sample_posterior(count, seed).to_numpy(float))
