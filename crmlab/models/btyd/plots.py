"""Pictures of a model, each drawn into axes of matplotlib: what it says of customers, and how it stands beside what was seen.

Each picture takes ``ax``, and returns the axes that it drew into; the numbers that it draws are those of the function that is named in
its docstring. Time is in the model's unit, which axes name where the model does: ``BGNBD(unit="week")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crmlab.errors import ModelError
from crmlab.models.btyd.diagnostics import (
    calibration_frame,
    frequency_frame,
    history_alive_frame,
    matrix_frame,
    track_frame,
)
from crmlab.models.btyd.drawing import EXPECTED, PALE, SEEN, axes_of, in_units, span_of
from crmlab.models.btyd.posterior import quantiles
from crmlab.models.btyd.tracking import checked_times
from crmlab.models.intervals import LEVEL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from crmlab.models.btyd.btyd import BuyTillYouDie
    from crmlab.models.btyd.estimator import WeightedModel
    from crmlab.models.btyd.future import Future

__all__ = [
    "plot_calibration",
    "plot_frequency",
    "plot_history_alive",
    "plot_matrix",
    "plot_posterior",
    "plot_track",
]


def plot_matrix(
    model: Future,
    horizon: float,
    *,
    of: str = "expected_purchases",
    age: float | None = None,
    most: int | None = None,
    level: float = LEVEL,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a model says of customers of one age by frequency and recency, as :func:`~.diagnostics.matrix_frame` has it.

    Parameters
    ----------
    model : BGNBD, MBGNBD, ParetoNBD or BGBB
    horizon : float
        Over which purchases are expected.
    of : {"expected_purchases", "probability_alive"}
        A white line stands where one purchase (or half of the most) is expected, or P(alive) is one half; its interval is dashed.
    age, most, level
        As of ``matrix_frame``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> plot_matrix(model, 10.0, age=40.0, most=5).get_xlabel()
    'recency: time from the first to the last purchase'
    """
    if of not in ("expected_purchases", "probability_alive"):
        raise ModelError.expected("plot_matrix", "of", "'expected_purchases' or 'probability_alive'", of)
    frame = matrix_frame(model, horizon, age=age, most=most, level=level)
    ax = axes_of(ax, (7.2, 4.6))
    x, y = (np.unique(frame[name].to_numpy(float)) for name in ("recency", "frequency"))
    place = np.searchsorted(y, frame["frequency"]), np.searchsorted(x, frame["recency"])
    table = {}
    for name in (of, f"{of}_low", f"{of}_high"):
        table[name] = np.full((len(y), len(x)), np.nan)
        table[name][place] = frame[name]
    alive = of == "probability_alive"
    top = 1.0 if alive else float(np.nanmax(table[of]))
    drawn = ax.pcolormesh(x, y, np.ma.masked_invalid(table[of]), cmap="viridis", vmin=0, vmax=top, shading="nearest")
    ax.set_facecolor("0.93")
    label = "probability of being alive" if alive else f"purchases expected in the next {span_of(model, horizon)}"
    ax.figure.colorbar(drawn, ax=ax, label=label)
    line = 0.5 if alive else (1.0 if top > 1.3 else float(f"{top / 2:.1g}"))
    marked = False
    for name, style in ((of, "solid"), (f"{of}_low", "dashed"), (f"{of}_high", "dashed")):
        values = table[name]
        if len(y) > 2 and np.isfinite(values).any() and np.nanmin(values) < line < np.nanmax(values):
            ax.contour(x, y, np.ma.masked_invalid(values), levels=[line], colors="white", linestyles=style, linewidths=1.4)
            marked = True
    ends = f"; dashed: {100 * level:g}% interval" if frame[f"{of}_low"].notna().any() else ""
    said = f"\nwhite line: {'P(alive)' if alive else 'expected'} = {line:g}{ends}" if marked else ""
    within = f"time from the first to the last purchase{in_units(model)}"
    recency = f"number of the last {model.unit or 'period'} with a purchase" if model.whole_periods else within
    ax.set(xlabel=f"recency: {recency}", ylabel="frequency: repeat purchases")
    ax.set_title(f"Customers who first bought {span_of(model, float(frame['age'].iloc[0]))} ago{said}", fontsize=10.5)
    ax.locator_params(axis="y", integer=True)
    return ax


def plot_calibration(model: Future, summary: Any, *, groups: int = 8, level: float = LEVEL, ax: Axes | None = None) -> Axes:
    """Draw purchases in a holdout period, seen and expected, by those before it: :func:`~.diagnostics.calibration_frame`.

    Parameters
    ----------
    model, summary, groups, level
        As of ``calibration_frame``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> customers = model.simulate([40.0] * 500, 40, seed=1).assign(horizon=40.0)
    >>> plot_calibration(model, customers).get_ylabel()
    'purchases per customer in it'
    """
    frame = calibration_frame(model, summary, groups=groups, level=level)
    ax = axes_of(ax, (7.2, 4.6))
    place = np.arange(len(frame))
    ends = np.abs(frame[["low", "high"]].to_numpy().T - frame["expected"].to_numpy())
    ax.errorbar(
        place, frame["expected"], yerr=ends, fmt="o", color=EXPECTED, capsize=4, label=f"expected, {100 * level:g}% interval"
    )
    ax.plot(place, frame["seen"], "D-", color=SEEN, linewidth=1, markersize=5, label="seen")
    names = [f"{label}\n{count:,}" for label, count in zip(frame["label"], frame["customers"], strict=True)]
    ax.set_xticks(place, names)
    ax.set(
        xlabel="repeat purchases before the holdout period; below: customers",
        ylabel="purchases per customer in it",
        title="What was expected of the holdout period, and what came",
    )
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, loc="upper left")
    return ax


def plot_frequency(model: Future, summary: Any, *, most: int = 8, level: float = LEVEL, ax: Axes | None = None) -> Axes:
    """Draw how many customers bought again how often, seen and expected: :func:`~.diagnostics.frequency_frame`.

    Parameters
    ----------
    model, summary, most, level
        As of ``frequency_frame``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> customers = model.simulate([40.0] * 500, 40, seed=1).assign(horizon=40.0)
    >>> fitted = BGNBD().fit(customers)
    >>> plot_frequency(fitted, customers).get_ylabel()
    'customers'
    """
    frame = frequency_frame(model, summary, most=most, level=level)
    ax = axes_of(ax, (7.2, 4.6))
    place = np.arange(len(frame))
    ends = np.abs(frame[["low", "high"]].to_numpy().T - frame["expected"].to_numpy())
    ax.bar(place - 0.2, frame["seen"], 0.38, color=SEEN, label="seen")
    ax.bar(
        place + 0.2,
        frame["expected"],
        0.38,
        yerr=ends,
        capsize=3,
        color=EXPECTED,
        label=f"expected, {100 * level:g}% interval",
    )
    ax.set_xticks(place, frame["label"])
    ax.set(xlabel="repeat purchases", ylabel="customers", title="Customers by how often they bought again")
    ax.legend(frameon=False)
    return ax


def plot_track(
    model: Future,
    starts: Any,
    ends: npt.ArrayLike,
    times: npt.ArrayLike | None = None,
    *,
    cumulative: bool = False,
    today: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw repeat purchases of all together by period, expected with the 90% interval and seen: :func:`~.diagnostics.track_frame`.

    Parameters
    ----------
    model, starts, ends, times, today
        As of ``track_frame``: a table of customers serves as ``starts``, ``[13, 26, 39]`` as ``ends``, and
        ``crmlab.history.repeat_times(orders, unit="week")`` gives the ``times``; dates are refused. A dotted
        line stands at the end of the history, ``today``, where that is known.
    cumulative : bool
        Running sums instead of each period.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> plot_track(model, [0.0, 1.0, 2.0], [10.0, 20.0], [3.0, 4.5, 12.0]).get_ylabel()
    'repeat purchases in the period'
    """
    starts, ends = checked_times("plot_track", "starts", starts), checked_times("plot_track", "ends", ends)
    times = None if times is None else checked_times("plot_track", "times", times)
    frame = track_frame(model, starts, ends, times, today=today)
    ax = axes_of(ax, (7.6, 4.4))
    names = (
        ("cumulative", "cumulative_low", "cumulative_high", "seen_cumulative")
        if cumulative
        else ("expected", "low", "high", "seen")
    )
    point, low, high, seen = (frame[name] for name in names)
    ax.fill_between(frame["end"], low, high, color=EXPECTED, alpha=PALE, linewidth=0)
    ax.plot(frame["end"], point, color=EXPECTED, label=f"expected, {100 * LEVEL:g}% interval")
    if seen.notna().any():
        ax.plot(frame["end"], seen, color=SEEN, linewidth=1.4, label="seen")
    if frame.attrs["today"] is not None:
        ax.axvline(frame.attrs["today"], color="0.4", linestyle="dotted", linewidth=1.2, label="end of the history")
    what = "repeat purchases since the beginning" if cumulative else "repeat purchases in the period"
    ax.set(
        xlabel=f"end of the period, in {model.unit_names[1]}", ylabel=what, title="Repeat purchases of all customers together"
    )
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    return ax


def plot_history_alive(
    model: BuyTillYouDie,
    times: npt.ArrayLike,
    age: float,
    *,
    level: float = LEVEL,
    today: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one customer's P(alive) over their history, with their purchases: :func:`~.diagnostics.history_alive_frame`.

    Parameters
    ----------
    model, times, age, level, today
        As of ``history_alive_frame``.
    ax : Axes, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> plot_history_alive(model, [3.0, 9.0], 30.0).get_ylabel()
    'probability of being alive'
    """
    frame = history_alive_frame(model, times, age, level=level, today=today)
    ax = axes_of(ax, (7.6, 3.6))
    label = "P(alive)"
    if frame["low"].notna().any():
        ax.fill_between(frame["time"], frame["low"], frame["high"], color=EXPECTED, alpha=PALE, linewidth=0)
        label = f"P(alive), {100 * level:g}% interval"
    ax.plot(frame["time"], frame["probability_alive"], color=EXPECTED, label=label)
    bought = np.append(0.0, np.asarray(times, dtype=float).ravel())
    ax.plot(bought, np.full(len(bought), 0.02), "|", color=SEEN, markersize=14, markeredgewidth=1.8, label="purchases")
    ax.set(
        xlabel=f"time since the first purchase{in_units(model)}",
        ylabel="probability of being alive",
        title="One customer’s history",
        ylim=(0, 1.03),
        xlim=(0, float(frame["time"].iloc[-1])),
    )
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 0.08))
    return ax


def plot_posterior(
    model: WeightedModel, parameter: str | None = None, *, n: int = 4000, level: float = LEVEL, ax: Axes | None = None
) -> Axes:
    """Draw how sure parameters are: all of them beside their estimates, or the distribution of one.

    Parameters
    ----------
    model : fitted model
        Its ``summary`` and ``sample_posterior`` have the numbers.
    parameter : str, optional
        The one whose draws are shown; without it all are, each over its estimate: the interval, and thick within it that of 50%.
    n : int
        Draws.
    level : float
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ModelError
        There is no such parameter, or parameters were given.

    Examples
    --------
    >>> from crmlab.models import BGNBD
    >>> model = BGNBD.from_params(r=0.5, alpha=5.0, a=0.8, b=2.5)
    >>> customers = model.simulate([40.0] * 500, 40, seed=1).assign(horizon=40.0)
    >>> fitted = BGNBD().fit(customers)
    >>> plot_posterior(fitted, "r").get_xlabel()
    'r: purchase rates: shape'
    """
    names = list(model.all_names)
    known = model.summary(level)
    if not model.has_posterior:
        raise ModelError.no_posterior(type(model).__name__)
    if parameter is None:
        # Coefficients may be negative, and are nothing over their estimates.
        names = list(model.parameter_names)
        return _all_parameters(model, known.loc[names], level, axes_of(ax, (7.2, 0.62 * len(names) + 1.5)))
    if parameter not in names:
        raise ModelError.no_such("parameter", parameter, names)
    ax = axes_of(ax, (7.2, 3.8))
    drawn = model.sample_posterior(n)[parameter]
    point, low, high = known.loc[parameter, ["estimate", "low", "high"]]
    # A few far draws must not squeeze the rest.
    ax.hist(drawn, bins=60, range=tuple(np.quantile(drawn, [0.002, 0.998])), density=True, color=EXPECTED, alpha=0.45)
    ax.axvline(point, color=SEEN, label=f"estimate {point:.4g}")
    ax.axvspan(low, high, color=EXPECTED, alpha=0.12, linewidth=0, label=f"{100 * level:g}% interval {low:.4g} to {high:.4g}")
    ax.set(
        xlabel=f"{parameter}: {model.meaning(parameter) or 'parameter'}",
        ylabel="density of the posterior",
        title=f"How sure {parameter} of {type(model).__name__} is",
    )
    ax.legend(frameon=False)
    return ax


def _all_parameters(model: WeightedModel, known: pd.DataFrame, level: float, ax: Axes) -> Axes:
    point = known["estimate"].to_numpy(float)
    inner = np.exp(np.array(quantiles(model.log_cumulants(lambda params: params[: len(known)]), 0.5)))
    place = np.arange(len(known))[::-1]
    ax.hlines(
        place, known["low"] / point, known["high"] / point, color=EXPECTED, linewidth=1.6, label=f"{100 * level:g}% interval"
    )
    ax.hlines(place, inner[0] / point, inner[1] / point, color=EXPECTED, linewidth=5, alpha=0.6, label="50% interval")
    ax.plot(np.ones(len(place)), place, "o", color=SEEN, markersize=5, label="estimate")
    names = [f"{name} = {row['estimate']:.4g}\n{row['low']:.4g} to {row['high']:.4g}" for name, row in known.iterrows()]
    ax.set_yticks(place, names)
    ax.set_xscale("log")
    far = max(float((known["high"] / point).max()), float((point / known["low"]).max()), 1.1) ** 1.15
    steps = [step for step in (1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100) if step <= far]
    chosen = steps if len(steps) < 4 else steps[-3:]
    ticks = sorted({1.0, *chosen, *(1 / step for step in chosen)})
    ax.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set(
        xlim=(1 / far, far),
        ylim=(-0.6, len(known) - 0.4),
        xlabel="parameter over its estimate (log scale)",
        title=f"How sure the parameters of {type(model).__name__} are",
    )
    ax.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=9)
    return ax
