"""Looks for a test that can show what is expected: fewer cells, a longer window, the same test in several rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from crmlab.analyses.campaigns.assignment import quotas
from crmlab.analyses.campaigns.design.expected import Expected
from crmlab.analyses.campaigns.design.money import Terms, detectable
from crmlab.analyses.campaigns.design.params import MOST_ROUNDS
from crmlab.errors import ModelError
from crmlab.history.words import YEAR
from crmlab.models.testing.power import control_share, power_of, required_size

__all__ = ["LONGEST", "Limits", "Plan", "Setting", "find_plan"]


LONGEST = YEAR  # days that all rounds of a test may take together
LONGER = (2, 3, 6, 13)  # times the window


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a test with a window of some length rests on.

    Attributes
    ----------
    window : int
        Days.
    times : int
        How often people are contacted in it: once for each length of the window that was asked for.
    terms : Terms
    effects : dict of cell to Expected
    losing : dict of cell to money
        Those expected to cost more than they bring, by what is known of their cost, and how much more for a contact: the first that are
        left out.
    """

    window: int
    times: int
    terms: Terms
    effects: Mapping[str, Expected]
    losing: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A test: which cells, on how many people, in which window, how often.

    Attributes
    ----------
    cells : tuple of str
        Those that are sent something.
    sizes : dict of cell to customers
        Of one round; ``""`` is the control.
    setting : Setting
    rounds : int
        The same test with cells drawn anew each time, its rounds pooled.
    """

    cells: tuple[str, ...]
    sizes: Mapping[str, int]
    setting: Setting
    rounds: int = 1

    @property
    def total(self) -> int:
        """Customers in all cells of one round."""
        return sum(self.sizes.values())

    @cached_property
    def chances(self) -> dict[str, float]:
        """Probability by cell that the test shows what is expected of it, after the correction for several cells."""
        return {cell: self.chance_of(cell, self.setting.effects[cell].value) for cell in self.cells}

    @property
    def chance(self) -> float:
        """That of the cell with the smallest."""
        return min(self.chances.values())

    @property
    def detectable(self) -> float | None:
        """Smallest rise that the test would show, in the smallest cell; None where there is none."""
        return self.detectable_at(None)

    def detectable_at(self, base: float | None) -> float | None:
        """The same, had so many bought without a campaign; None: as many as are expected to."""
        smallest = min(self.cells, key=lambda cell: (self.sizes[cell], cell))
        total, share = self._seen(smallest)
        return detectable(self.setting.terms, total, len(self.cells), share, base)

    def detectable_span(self) -> tuple[float, float] | None:
        """From where to where the smallest rise goes over what is not known of the share who act anyway; None where there is none."""
        base, value = self.setting.terms.base, self.detectable
        if value is None:
            return None
        found = [self.detectable_at(end) for end in (base.low, base.high) if end is not None]
        known = [value, *(end for end in found if end is not None)]
        return min(known), max(known)

    @property
    def needed(self) -> int | None:
        """Customers of a test with these cells, once, that would show the smallest rise that is expected; None where none is."""
        terms = self.setting.terms
        effect = terms.possible(min(self.setting.effects[cell].value for cell in self.cells))
        if effect <= 0:
            return None
        size = required_size(terms.rate, effect, cells=len(self.cells), level=terms.level, power=terms.power)
        return size.total

    def span(self) -> tuple[float, float]:
        """From where to where the chance goes over what is not known of the rise and of the share who act anyway."""
        found = [self.chance]
        base = self.setting.terms.base
        bases = [base.value] if base.low is None or base.high is None else [base.low, base.high]
        for cell in self.cells:
            one = self.setting.effects[cell]
            ends = [one.value] if one.low is None or one.high is None else [one.low, one.high]
            found += [self.chance_of(cell, end, at) for end in ends for at in bases]
        return min(found), max(found)

    def chance_of(self, cell: str, effect: float, base: float | None = None) -> float:
        """Probability that a rise by this effect in one cell is shown."""
        own = self.setting.terms
        terms = own if base is None else replace(own, base=Expected(value=min(max(base, 1e-6), 1 - 1e-6), source="given"))
        assumed = terms.possible(effect)
        if assumed <= 0:
            return 0.0
        total, share = self._seen(cell)
        return power_of(terms.rate, assumed, total, cells=len(self.cells), level=terms.level, share=share)

    def _seen(self, cell: str) -> tuple[int, float]:
        """Customers of all rounds, as if every cell were of the size of this one, and the share of the control."""
        several = self.sizes[""] + len(self.cells) * self.sizes[cell]
        return self.rounds * several, self.sizes[""] / several


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a search may change.

    Attributes
    ----------
    people : int
        On the list.
    least : int
        Customers of the smallest cell.
    shares : sequence of float, optional
        Of the control, then of each cell: then all cells stay.
    control : float, optional
        Share of the control, however many cells there are.
    fewer, longer : bool
        Whether cells may be left out, and the window lengthened.
    rounds : int, optional
        How many; default: one, or as many as it takes.
    """

    people: int
    least: int
    shares: Sequence[float] | None = None
    control: float | None = None
    fewer: bool = True
    longer: bool = True
    rounds: int | None = None


def find_plan(asked: Setting, longer: Callable[[int], Setting | None], limits: Limits) -> tuple[Plan, list[Plan]]:
    """Find the first test that shows what is expected of each of its cells with the power asked for.

    Tried in this order: the test as asked; fewer cells, those that are not expected to lose money and
    of which most is expected; a longer window; several rounds.

    Parameters
    ----------
    asked : Setting
    longer : callable
        Number of windows that the window lasts → what a test with it rests on; None where that is not known.
    limits : Limits

    Returns
    -------
    (plan, tried)
        The first that can, else that with the best chance; and all that were tried, the test as asked first.

    Raises
    ------
    ModelError
        The list is too small for the cells as asked.
    """
    tried: list[Plan] = []
    for plan in _plans(asked, longer, limits):
        tried.append(plan)
        if plan.chance >= plan.setting.terms.power:
            return plan, tried
    if not tried:
        raise ModelError.expected("find_plan", "people", "enough for the cells", limits.people)
    return max(tried, key=lambda plan: plan.chance), tried


def _plans(asked: Setting, longer: Callable[[int], Setting | None], limits: Limits) -> Iterator[Plan]:
    rounds = limits.rounds or 1
    yield from _of_cells(asked, rounds, limits)
    settings = [asked]
    if not any(one.value > 0 for one in asked.effects.values()):
        return  # nothing is expected, whatever the window
    if limits.longer:
        for times in LONGER:
            if asked.window * times * rounds > LONGEST:
                break
            found = longer(times)
            if found is None:
                break
            settings.append(found)
            yield from _of_cells(found, rounds, limits)
    if limits.rounds is None:
        for count in range(2, MOST_ROUNDS + 1):
            for setting in settings:
                if count * setting.window <= LONGEST:
                    yield from _of_cells(setting, count, limits)


def _of_cells(setting: Setting, rounds: int, limits: Limits) -> Iterator[Plan]:
    """With all cells, then with fewer: those of which most is expected, in their order."""
    names = list(setting.effects)
    best = sorted(names, key=lambda name: (setting.losing.get(name, 0.0), -setting.effects[name].value))
    for count in range(len(names), 0 if limits.fewer and limits.shares is None else len(names) - 1, -1):
        kept = tuple(name for name in names if name in best[:count])
        sizes = _sizes(kept, limits)
        if min(sizes.values()) >= limits.least:
            yield Plan(cells=kept, sizes=sizes, setting=setting, rounds=rounds)


def _sizes(cells: tuple[str, ...], limits: Limits) -> dict[str, int]:
    if limits.shares is not None:
        shares = dict(zip(("", *cells), limits.shares, strict=True))
    else:
        control = limits.control if limits.control is not None else control_share(len(cells))
        shares = {"": control} | dict.fromkeys(cells, (1 - control) / len(cells))
    return dict(zip(shares, quotas(limits.people, list(shares.values())).tolist(), strict=True))
