"""The model of purchases that is used: its name and clock, why it was chosen, and what is taken from rivals that are better."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crmlab.analyses.customer_value.base import DRAWS, Base
from crmlab.analyses.customer_value.kinds import MODELS

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.analyses.customer_value.backtesting import Ranked
    from crmlab.analyses.customer_value.seasons import Season
    from crmlab.models.btyd.btyd import BuyTillYouDie
    from crmlab.models.btyd.clock import Clock

__all__ = ["Choice", "Lead"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lead:
    """What is taken from rivals that are shown to be better than the model that is used.

    A rival says only what comes in the next weeks. So its total becomes a factor of all that is still to come, by which the clock of the
    model runs faster or slower from today on (``pace``), and each purchase brings more or less (``spend``); who is still a customer, when
    the next purchase comes and how the total is shared out stay the model's. Its order becomes the order of customers.

    Attributes
    ----------
    span : int
        Periods ahead that rivals were asked of; 0 where none was.
    totals : mapping of str to str
        By target: the rival whose total is taken.
    told : mapping of str to (float, float)
        By target of ``totals``: the total that the model tells today, and the rival's.
    rank : str or None
        The rival that orders customers.
    order : Series or None
        What that rival tells of each customer, indexed by customer_id.
    pace, spend : float
        Factors of purchases to come, and of what each brings.
    kept : mapping of str to {"rounds", "silent", "far"}
        By target: why a total that is shown to be better is not taken. There is one purchase a year; one of the two cannot tell it today;
        or it is more than five times, or less than a fifth of, what the model tells.

    Examples
    --------
    >>> import datetime as dt
    >>> from crmlab.models.btyd.clock import Clock
    >>> clock = Lead(pace=1.5, spend=0.8).clock(Clock(end=dt.date(2024, 12, 31)))
    >>> float(clock.at(10.0)), float(clock.spend[0]), float(clock.at(-10.0))
    (15.0, 0.8, -10.0)
    """

    span: int = 0
    totals: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rank: str | None = None
    order: pd.Series | None = None
    pace: float = 1.0
    spend: float = 1.0
    kept: Mapping[str, str] = field(default_factory=dict)

    @property
    def taken(self) -> dict[str, str]:
        """By target: the rival to whose total forecasts are scaled."""
        return {target: name for target, name in self.totals.items() if target not in self.kept}

    def clock(self, clock: Clock) -> Clock:
        """The clock of the model, as what is still to come is scaled."""
        if self.pace == 1 and self.spend == 1:
            return clock
        return replace(clock, ahead=clock.ahead * self.pace, spend=clock.spend * self.spend)


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """Which model of purchases is used, and why.

    Attributes
    ----------
    name : str
        Of ``MODELS``.
    by : {"given", "holdout", "aic", "unclear"}
        It was asked for; it told best what came in the holdout period; where nothing could be kept back, its AIC is the lowest; or it
        is the best but for BG/NBD, which was not clearly better.
    ranked : Ranked or None
        The models on the holdout period; None where nothing was kept back.
    untested : str
        Why nothing was kept back; empty where something was.
    season : Season
        Whether the forecast follows a season.
    day : datetime.date or None
        The day of the choice: what is taken from rivals on that day says nothing of forecasts from earlier ones.
    lead : Lead
        What is taken on that day from rivals that are shown to be better.
    seasons : int
        On how many holdout periods that end earlier the lead of BG/NBD was tested too; where it was not clear, the last of them says so.
    """

    name: str
    by: str
    ranked: Ranked | None
    untested: str
    seasons: int = 0
    season: Season
    day: dt.date | None = None
    lead: Lead = Lead()

    @property
    def in_season(self) -> bool:
        """Whether what it says of days to come follows their season."""
        return self.season.used

    def model(self, base: Base, seed: int = 0) -> BuyTillYouDie:
        """The model, not fitted, with the clock of a base: season and level as they were known when its history ended.

        On the day of the choice what is to come is scaled as :attr:`lead` says.
        """
        bare = MODELS[self.name](draws=DRAWS, seed=seed)
        clock = self.season.clock(base)
        return bare.set_params(clock=self.lead.clock(clock) if clock is not None and base.end == self.day else clock)

    def fit(self, base: Base, summary: pd.DataFrame | None = None, seed: int = 0) -> BuyTillYouDie:
        """Fit the model, with its clock, to the customers of a base.

        Parameters
        ----------
        base : Base
            On any day: its clock is learnt from its own history alone.
        summary : DataFrame, optional
            Of its customers; default: ``base.summary()``.
        seed : int

        Raises
        ------
        ModelError, ConvergenceError
            It cannot be fitted to them.
        """
        return self.model(base, seed).fit(base.summary() if summary is None else summary)
