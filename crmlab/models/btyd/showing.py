"""What a model says of itself at a glance: its parameters with their intervals, as a frame and as HTML for a notebook."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.btyd.posterior import quantiles
from crmlab.models.btyd.priors import prior_ends
from crmlab.models.btyd.special import Array
from crmlab.models.intervals import LEVEL

__all__ = ["as_html", "parameter_frame", "part_html"]

_CELL = "padding:.25em .9em;text-align:right;border:0;"
_LEFT = "padding:.25em .9em .25em 0;text-align:left;border:0;"
_RULE = "border-bottom:1px solid color-mix(in srgb, currentColor 30%, transparent);"
_FAINT = "opacity:.7;"


def parameter_frame(model: Any, level: float = LEVEL) -> pd.DataFrame:
    """Parameters with intervals over the posterior, and below them how many customers they were learnt from, and how well they fit.

    Parameters
    ----------
    model : WeightedModel
        With parameters.
    level : float

    Returns
    -------
    DataFrame
        Indexed by parameter: estimate, low, high; where priors were stated also prior_low and prior_high. Of parameters that were
        given, or whose posterior sample is not usable, the ends are missing. The last rows, of fitted models alone, are customers and
        log_likelihood, in the column estimate.
    """
    share = model.checked_level(level, "mean")
    point = model.parameters()
    low, high = _ends(model, point, share)
    rows = dict(zip(model.all_names, zip(point, low, high, strict=True), strict=True))
    if model.has_posterior:
        nothing = float("nan")
        rows["customers"] = (float(model.n_customers_), nothing, nothing)
        rows["log_likelihood"] = (model.log_likelihood_, nothing, nothing)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high"])
    if model.stated:
        for column, ends in zip(("prior_low", "prior_high"), prior_ends(model.stated, len(frame), share), strict=True):
            frame[column] = ends
    return frame.rename_axis("parameter")


def _ends(model: Any, point: Array, level: float) -> tuple[Array, Array]:
    missing = np.full(len(point), np.nan)
    if not model.has_posterior:
        return missing, missing
    try:
        k = len(model.parameter_names)  # coefficients, which follow them, have no logs
        posterior = model.posterior()
        values = [np.append(np.log(np.maximum(params[:k], 1e-300)), params[k:]) for params in posterior.design]
        low, high = quantiles(posterior.cumulants(values), level)
    except ModelError:  # the posterior sample is not usable
        return missing, missing
    with np.errstate(over="ignore"):
        low[:k], high[:k] = np.exp(low[:k]), np.exp(high[:k])
        return np.minimum(low, point), np.maximum(high, point)


def as_html(title: str, *parts: str) -> str:
    """One box of a notebook with a title and parts of HTML: its colours are those of the page around it, light or dark."""
    head = f'<div style="font-weight:600;font-size:1.05em;margin-bottom:.35em">{escape(title)}</div>'
    return f'<div style="display:inline-block;padding:.4em 0;line-height:1.45">{head}{"".join(parts)}</div>'


def part_html(model: Any, needs: str, level: float = LEVEL) -> str:
    """A model's parameters as a table of HTML with a line of what they were learnt from; of one not fitted, what a fit needs.

    Parameters
    ----------
    model : WeightedModel
    needs : str
        Columns that a fit goes by, in words.
    level : float
    """
    options = ", ".join(f"{name}={_short(value)}" for name, value in model.get_params(deep=False).items() if value is not None)
    if not hasattr(model, "params_"):
        return f"<div>Not fitted yet. <code>fit(summary)</code> needs {needs}.</div>{_line(options)}"
    frame = parameter_frame(model, level)
    known = frame.loc[list(model.all_names)]
    share = f"{100 * level:g}%"
    sure = bool(known["low"].notna().all())
    stated = "prior_low" in known.columns
    heads = ["", "", "estimate", *([f"{share} interval"] if sure else []), *([f"{share} of the prior"] if stated else [])]
    rows = "".join(
        f'<tr style="background:none"><td style="{_LEFT}"><code>{escape(name)}</code></td>'
        f'<td style="{_LEFT}{_FAINT}">{escape(model.meaning(name))}</td>'
        f'<td style="{_CELL}">{_number(row["estimate"])}</td>'
        + (f'<td style="{_CELL}">{_number(row["low"])} to {_number(row["high"])}</td>' if sure else "")
        + (f'<td style="{_CELL}">{_prior(row["prior_low"], row["prior_high"])}</td>' if stated else "")
        + "</tr>"
        for name, row in known.iterrows()
    )
    head = "".join(f'<th style="{_CELL}{_RULE}font-weight:500">{escape(one)}</th>' for one in heads)
    table = (
        '<table style="border-collapse:collapse;margin:0;font-variant-numeric:tabular-nums">'
        f'<thead><tr style="background:none">{head}</tr></thead><tbody>{rows}</tbody></table>'
    )
    return f"{table}{_line(_learnt(model))}{_line(options)}"


def _prior(low: float, high: float) -> str:
    return "weak" if np.isnan(low) else f"{_number(low)} to {_number(high)}"


def _learnt(model: Any) -> str:
    if not model.has_posterior:
        return "Parameters were given: nothing is known of how sure they are."
    said = (
        f"{model.n_customers_:,} customers in {model.n_states_:,} distinct states · log-likelihood {model.log_likelihood_:,.1f}"
    )
    said = f"{said} · AIC {model.aic_:,.1f}".replace("-likelihood -", "-likelihood \u2212").replace("AIC -", "AIC \u2212")
    return f"{said}. On the boundary: {model.boundary_}." if model.boundary_ else said


def _line(text: str) -> str:
    return f'<div style="{_FAINT}font-size:.92em;margin-top:.35em">{escape(text)}</div>'


def _short(value: Any) -> str:
    return f"up to {value.end}" if hasattr(value, "season") else repr(value)


def _number(value: float) -> str:
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
