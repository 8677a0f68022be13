"""What a comparison says: its frame, findings in sentences, a forest plot, and a page for notebooks."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlab.errors import ModelError
from crmlab.models.testing.cells import CellStatistics
from crmlab.models.testing.comparisons import SampleRatio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "difference_of", "is_shown", "level_of", "sentence_of"]


_LABEL, _AXIS = 30, 56  # characters of a line of a plot: beside its rows, and below its axis


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Outcome of :func:`compare` and :func:`factorial`.

    Attributes
    ----------
    frame : DataFrame
        A row per metric and cell, with the columns of ``compare_cells``; or per metric and effect, with those of ``factorial_effects``.
    sentences : tuple of str
        What was found and how, in plain English. ``print(found)`` prints them.
    cells : mapping of cell to CellStatistics
        What the frame was worked out from; for further questions without the data.
    sample_ratio : SampleRatio or None
        Whether the sizes of cells fit their shares; None where no design says what cells there were to be.
    kinds : mapping of metric to {"rate", "mean", "ratio"}
    against : str
        What differences are from, as the plot says it.
    ratios : mapping of metric to (str, str)
        Of ratios: the metrics of ``cells`` that they are made of.
    """

    frame: pd.DataFrame
    sentences: tuple[str, ...]
    cells: Mapping[str, CellStatistics]
    sample_ratio: SampleRatio | None
    kinds: Mapping[str, str] = field(repr=False)
    against: str = field(repr=False)
    ratios: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def plot(self, metric: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw differences and their intervals, one line each; hollow where no difference is shown.

        Long names are broken into lines, and a new figure grows with them.

        Parameters
        ----------
        metric : str, optional
            Drawn in its own unit; rates in percentage points. By default the only one, or, of several, all as relative differences.
        ax : matplotlib Axes, optional
            Default: a new figure.

        Returns
        -------
        Axes

        Raises
        ------
        ModelError
            The metric is unknown, or effects of several metrics have no common unit.
        """
        known = list(dict.fromkeys(self.frame["metric"]))
        if metric is not None and metric not in known:
            raise ModelError.unknown_metric(metric, known, "plot")
        metric = known[0] if len(known) == 1 else metric
        if metric is None and "lift" not in self.frame:
            raise ModelError.expected("plot", "metric", f"one of {', '.join(known)}: they have no common unit", None)
        rows = self.frame if metric is None else self.frame[self.frame["metric"] == metric]
        columns = ["lift", "lift_low", "lift_high"] if metric is None else ["estimate", "low", "high"]
        percent = metric is None or self.kinds[metric] == "rate"
        values = rows[columns].astype(float).to_numpy() * (100.0 if percent else 1.0)
        who = rows["cell"] if "cell" in rows else rows["effect"] + ": " + rows["levels"]
        labels = [str(name) if metric is not None else f"{of}: {name}" for of, name in zip(rows["metric"], who, strict=True)]
        labels = [_broken(label, _LABEL) for label in labels]
        unit = " (%)" if metric is None else " (percentage points)" if percent else ""
        below = _broken(
            f"{'Relative difference' if metric is None else f'Difference in {metric}'} from {self.against}{unit}", _AXIS
        )
        if ax is None:
            import matplotlib.pyplot as plt

            each = max(0.38, 0.12 + 0.17 * max(1 + label.count("\n") for label in labels))
            height = 1.3 + 0.17 * below.count("\n") + each * len(rows)
            _, ax = plt.subplots(figsize=(7.0, height), layout="constrained")
        ax.axvline(0.0, color="0.6", linewidth=1.0, zorder=0)
        found = [is_shown(row) for row in rows.to_dict("records")]
        for k, (value, low, high) in enumerate(values):
            if np.isnan(value):
                said = ax.text(0.02, k, "no relative difference:\nthe control is not clearly above 0", va="center", fontsize="small",
                               color="0.4", transform=ax.get_yaxis_transform(),
                               bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
                said.set_in_layout(False)  # it leaves the axes as wide as they are
                continue
            ax.plot([low, high], [k, k], color="C0", linewidth=2.0, solid_capstyle="butt")
            ax.plot([value], [k], "o", color="C0", markerfacecolor="C0" if found[k] else "white", markersize=7)
        # A dollar sign in a name is one, and begins no formula.
        ax.set_yticks(range(len(rows)), labels, parse_math=False)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlabel(below, parse_math=False)
        ax.set_title(
            f"{level_of(float(rows['level'].iloc[0]))} intervals; hollow where no difference is shown", fontsize="medium"
        )
        return ax

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(one)}</p>" for one in self.sentences)
        kept = [name for name in self.frame if name not in ("method", "correction", "level", "detectable")]
        frame = self.frame[kept].apply(lambda one: pd.to_numeric(one) if str(one.name).startswith("lift") else one)
        return f"<div>{said}{frame.to_html(index=False, float_format=_short, na_rep='')}</div>"


class _Lines(textwrap.TextWrapper):
    """Lines that may also end after a sign within a name, as in spring_letter."""

    def _split(self, text: str) -> list[str]:
        return [part for part in re.split(r"(\s+)|(?<=[_/-])(?=\w)", text) if part]


def _broken(text: str, width: int) -> str:
    """A text in lines of at most so many characters; a word that is longer is broken too."""
    return _Lines(width).fill(text) or text


def _short(value: float) -> str:
    return f"{value:.4g}"


def is_shown(row: Mapping[Any, Any]) -> bool:
    """Whether a difference is shown: the chance of it where nothing differs, corrected, is under the error that the test allows.

    Examples
    --------
    >>> is_shown({"p_adjusted": 0.03, "level": 0.95})
    True
    """
    return bool(row["p_adjusted"] < 1 - row["level"])


def level_of(level: float) -> str:
    """A level as people write it, with all its nines.

    Examples
    --------
    >>> level_of(0.95), level_of(0.999211)
    ('95%', '99.921%')
    """
    digits = 0
    while digits < 7 and round(100 * level, digits) != round(100 * level, 9) and (1 - level) * 10 ** (digits + 2) < 9.5:
        digits += 1
    return f"{100 * level:.{digits}f}%"


def _digits(low: float, high: float) -> int:
    """Decimals that show half an interval with two digits."""
    half = (high - low) / 2
    return int(np.clip(1 - np.floor(np.log10(half)), 0, 8)) if half > 0 else 2


def _written(value: float, digits: int) -> str:
    text = f"{abs(value):,.{digits}f}"
    return f"−{text}" if value < 0 and float(text.replace(",", "")) else text


def difference_of(row: Mapping[Any, Any], kind: str) -> tuple[str, str, str]:
    """A difference without its sign, its interval, and the smallest that would have been found, as texts of like digits.

    Examples
    --------
    >>> difference_of({"estimate": -0.0766, "low": -0.0841, "high": -0.0691, "detectable": 0.01}, "rate")
    ('7.66 percentage points', '−8.41 to −6.91', '1.00 percentage points')
    """
    scale, unit = (100.0, " percentage points") if kind == "rate" else (1.0, "")
    low, high = scale * row["low"], scale * row["high"]
    digits = _digits(low, high)
    found = [_written(scale * abs(row[name]), digits) + unit for name in ("estimate", "detectable")]
    return found[0], f"{_written(low, digits)} to {_written(high, digits)}", found[1]


def sentence_of(row: Mapping[Any, Any], kind: str, power: float) -> str:
    """A finding: what was measured in a cell and in its control, the difference, and whether one is shown.

    Examples
    --------
    >>> row = {"metric": "visit", "cell": "letter", "control": "none", "mean": 0.1828, "mean_control": 0.1062, "estimate": 0.0766}
    >>> row |= {"low": 0.0691, "high": 0.0841, "detectable": 0.01, "lift": None, "level": 0.95, "p_adjusted": 0.0}
    >>> sentence_of(row, "rate", 0.8)
    'visit: 18.28% in letter against 10.62% in none, 7.66 percentage points higher (95% interval 6.91 to 8.41).'
    """
    size, ends, least = difference_of(row, kind)
    scale, sign = (100.0, "%") if kind == "rate" else (1.0, "")
    digits = _digits(scale * row["low"], scale * row["high"])
    one, other = (_written(scale * row[name], digits) + sign for name in ("mean", "mean_control"))
    found = f"{row['metric']}: {one} in {row['cell']} against {other} in {row['control']}"
    level = level_of(row["level"])
    if not is_shown(row):
        unit = " percentage points" if kind == "rate" else ""
        return (
            f"{found}; no difference is shown ({level} interval of the difference {ends}{unit}). "
            f"A difference of {least} would have been found with a chance of {100 * power:.0f}%."
        )
    way = "higher" if row["estimate"] > 0 else "lower"
    text = f"{found}, {size} {way} ({level} interval {ends})"
    if row["lift"] is None or row["lift_low"] * row["lift_high"] <= 0:
        return f"{text}."
    low, high = 100 * row["lift_low"], 100 * row["lift_high"]
    digits = int(np.clip(_digits(low, high) - 1, 0, 1))
    relative = f"{_written(100 * abs(row['lift']), digits)}% {way}"
    return f"{text}. Relative to {row['control']} that is {relative} ({_written(low, digits)}% to {_written(high, digits)}%)."
