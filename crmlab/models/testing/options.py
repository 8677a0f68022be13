"""What is asked of a comparison more rarely: level, correction, ratios, planned sizes, and looks at a test that still runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crmlab.errors import ModelError
from crmlab.models.checked import checked_number
from crmlab.models.intervals import TEST_LEVEL
from crmlab.models.testing.max_t import checked_correction
from crmlab.models.testing.sequential import boundaries

__all__ = ["DEFAULTS", "ComparisonOptions", "LookAt"]

_MODEL = "ComparisonOptions"
_SMALLEST = 1e-9  # no level is closer to 1 than this


class LookAt(NamedTuple):
    """One look of several: its number, how many there are, the share of the data, what \\|z\\| must reach, and the level of intervals."""

    number: int
    of: int
    fraction: float
    bar: float
    level: float


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions:
    """What is asked of a comparison more rarely.

    Attributes
    ----------
    ratios : mapping of name to (numerator, denominator)
        Such as spend per order: a ratio of two means.
    family : {"metric", "all"}
        What is corrected together: the cells of one metric, or everything in the frame.
    power : float
        Of the smallest difference that would be found.
    level : float
        Of intervals, and 1 less the error of tests (alpha): 0.9 for alpha = 0.1; of all looks together, where there are several.
    correction : {"max-t", "holm", "none"}
        For several cells.
    shares : mapping of cell to share, optional
        How the cells were planned, for the sample-ratio check of ``compare``; default: equal sizes.
    looks : int, or sequence of float, optional
        Looks at a test that still runs: how many, after equal shares of the data, or those shares. See
        :func:`~crmlab.models.testing.sequential.boundaries`.
    look : int
        Which of them this is, from 1.
    boundary : str
        One of those of ``boundaries``.
    in_two_cells : {"error", "leave out"}
        For ``compare`` and ``factorial``: what becomes of units in more than one cell.
    household : str, optional
        For ``compare`` and ``factorial``: column with the household, where whole households were assigned. Rates and means are still those
        of people; intervals allow for people of one household being alike, and sizes are held against the plan in households.

    Notes
    -----
    At a look, intervals have the level of its bar. With several cells, "max-t" corrects the look's bar for them: of four cells and four
    looks, all together err in 5.1% ("lan-demets-obf") or 5.3% ("pocock") of tests in which nothing differs, where 5% was asked for.

    Raises
    ------
    ModelError
        An option that is unknown, or outside its range.

    Examples
    --------
    >>> found = ComparisonOptions(looks=5, look=2).at_look()
    >>> found._replace(bar=round(found.bar, 3), level=round(found.level, 4))
    LookAt(number=2, of=5, fraction=0.4, bar=3.357, level=0.9992)
    """

    ratios: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    family: str = "metric"
    power: float = 0.8
    level: float = TEST_LEVEL
    correction: str = "max-t"
    shares: Mapping[str, float] | None = None
    looks: int | Sequence[float] | None = None
    look: int = 1
    boundary: str = "lan-demets-obf"
    in_two_cells: str = "error"
    household: str | None = None

    def __post_init__(self) -> None:
        if self.family not in ("metric", "all"):
            raise ModelError.expected(_MODEL, "family", "'metric' or 'all'", self.family)
        if self.in_two_cells not in ("error", "leave out"):
            raise ModelError.expected(_MODEL, "in_two_cells", "'error' or 'leave out'", self.in_two_cells)
        object.__setattr__(self, "power", checked_number(_MODEL, "power", self.power, "between 0 and 1"))
        if not 0 < self.power < 1:
            raise ModelError.expected(_MODEL, "power", "between 0 and 1", self.power)
        object.__setattr__(self, "level", checked_correction(_MODEL, self.correction, self.level))
        if self.looks is None and self.look != 1:
            raise ModelError.expected(_MODEL, "looks", "given, where look is: how many looks there are in all", self.looks)
        self.at_look()

    def at_look(self, level: float | None = None) -> LookAt | None:
        """Bar and level of the look that this is; None where the test is looked at once, at its end.

        Parameters
        ----------
        level : float, optional
            Of all looks together; default: that of the options.
        """
        if self.looks is None:
            return None
        bars = boundaries(self.boundary, self.looks, 1 - (self.level if level is None else level))
        if isinstance(self.look, bool) or self.look not in range(1, len(bars) + 1):
            raise ModelError.expected(
                _MODEL, "look", f"a whole number from 1 to {len(bars)}, as many as there are looks", self.look
            )
        row = bars.iloc[int(self.look) - 1]
        reached = 1 - max(float(row["p_nominal"]), _SMALLEST)
        return LookAt(int(self.look), len(bars), float(row["fraction"]), float(row["z"]), reached)


DEFAULTS = ComparisonOptions()
