"""The risk of each eligible customer: what the scores of churn are, and when none are given."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.churn.drift import TOO_FAR, Drift
from crmlab.analyses.churn.model import Plan, Scorer, reasons
from crmlab.analyses.churn.origins import Told
from crmlab.analyses.churn.trials import Trial
from crmlab.history.costs import ContactCosts
from crmlab.history.words import WEEKS, Words
from crmlab.page.estimate import Estimate

if TYPE_CHECKING:
    from crmlab.analyses.customer_value import Choice
    from crmlab.history.context import Margin
    from crmlab.page.format import Format

__all__ = ["Scores"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """How likely each eligible customer is to leave, by the one recipe: whoever shows a risk asks for these.

    Attributes
    ----------
    scheme : Plan
        The window, and the days of learning and testing.
    rows : DataFrame
        Eligible customers and their features today, ordered by id.
    tested : Trial
        What was found on the test's day, and what is used from now on.
    scorer : Scorer
        What is used, fitted for today.
    choice : Choice or None
        Which model of purchases two of the features are from; None where none could be fitted on the test's day.
    worth : DataFrame
        As of :func:`~crmlab.analyses.churn.study.worth_of`, in the order of ``rows``.
    margin : Margin
        What of spend is counted as value; where it is not known, money is revenue.
    curve : DataFrame
        Who had been silent for the window and still was, by days since, as of :func:`~crmlab.analyses.churn.study.reversal_of`.
    lost : float
        Share of a year that somebody who churns is away.
    past : tuple of Told
        What was told on the last past days, the test's day first, and what came.
    drift : Drift or None
        Today held against the test's day; None where nothing was compared.
    untold : tuple of date
        Days on which the model of purchases could not be fitted or was on its boundary: with any, what it says is used on no day.
    words : Words
        What people and their deeds are called.
    costs : ContactCosts
        What a contact and an offer cost.
    """

    scheme: Plan
    rows: pd.DataFrame
    tested: Trial
    scorer: Scorer
    choice: Choice | None
    worth: pd.DataFrame
    margin: Margin
    curve: pd.DataFrame
    lost: float
    past: tuple[Told, ...] = ()
    drift: Drift | None = None
    untold: tuple[dt.date, ...] = ()
    words: Words = WEEKS
    costs: ContactCosts = ContactCosts()

    @property
    def in_season(self) -> bool:
        """Whether as many are told to churn as the season of the window to come lets expect."""
        return self.choice is not None and self.choice.in_season

    @property
    def tiers(self) -> bool:
        """Whether value and tiers are those of the report on customer value, and not merely last year's spend."""
        return "tier" in self.worth.columns

    @property
    def money(self) -> str:
        """What sums of money are: margin, gifts, or where no margin is known revenue."""
        return self.margin.word

    @property
    def refused(self) -> bool:
        """Whether no scores are given, because today is too far from the day that they were tested on."""
        return self.drift is not None and self.drift.refused

    def why(self, form: Format) -> str:
        """Why no scores are given, as a sentence; empty where they are."""
        if self.drift is None or not self.drift.refused:
            return ""
        far = "; ".join(self.drift.far[:3])
        return (
            f"Today’s {self.words.many} are so unlike those of the test day that what the test found says nothing about them: the scores "
            f"have changed by a stability index of {form.number(self.drift.scores)}, and over {form.number(TOO_FAR)} is too much"
            f"{f' (changed most: {far})' if far else ''}."
        )

    @cached_property
    def customers(self) -> pd.DataFrame:
        """One row per eligible customer, ordered by id: customer_id, churn (probability), reason_1, reason_2, reason_3.

        Where scores are refused, probabilities are missing, and reasons empty.
        """
        if self.refused:
            nothing = dict.fromkeys(("reason_1", "reason_2", "reason_3"), "")
            return self.rows[["customer_id"]].assign(churn=float("nan"), **nothing)
        told = pd.DataFrame({"customer_id": self.rows["customer_id"], "churn": self.scorer.probability(self.rows)})
        return pd.concat([told, reasons(self.scorer, self.rows, self.words).reset_index(drop=True)], axis=1)

    def interval(self, customer_id: str, level: float) -> Estimate | None:
        """The probability of one customer, with what is not known of the calibration; None for who is not eligible, and where refused."""
        where = np.flatnonzero((self.rows["customer_id"] == customer_id).to_numpy())
        if self.refused or not len(where):
            return None
        p = float(self.customers["churn"].iloc[where[0]])
        drawn = self.scorer.draws(self.rows.iloc[where[:1]], 400, 0)[:, 0]
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        return Estimate.holding(p, low, high, level, "share")
