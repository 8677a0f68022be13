"""Triggers, step by step: judged on days that are past, and those of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlab.analyses.triggers.judging import YES, bands_of, judged
from crmlab.analyses.triggers.naming import SILENT
from crmlab.analyses.triggers.params import Params
from crmlab.analyses.triggers.pools import Pool, learnings, pools_of, today
from crmlab.analyses.triggers.rhythm import Rhythm, past_days, rhythm_of
from crmlab.analyses.triggers.rules import TRIGGERS, Learnt, Trigger, learn, occasions_of, rebuys_of
from crmlab.history.enough import need_repeat_buyers
from crmlab.page.declarations import Readiness
from crmlab.page.result import Context, Output

if TYPE_CHECKING:
    import datetime as dt

    from crmlab.history.consent import Consent
    from crmlab.history.past import History
    from crmlab.history.words import Words

__all__ = [
    "Judged",
    "Present",
    "Study",
    "judgement",
    "moments",
    "occasions_known",
    "present",
    "readiness",
    "silent_longest",
    "study",
]


DEFAULTS = Params()


@dataclass(frozen=True, kw_only=True, eq=False)
class Present:
    """What the last day is like, before anything is judged.

    Attributes
    ----------
    rhythm : Rhythm
    triggers : tuple of Trigger
        Those that these data can have, in the words of the data set.
    learnt : Learnt
        What the rules know of the base.
    tables : (occasions, rebuys)
    moments : DataFrame
        Moments of eligible customers: customer_id, trigger, product_id, fired.
    eligible : DataFrame
        Eligible customers: customer_id, days_since_last.
    """

    rhythm: Rhythm
    triggers: tuple[Trigger, ...]
    learnt: Learnt
    tables: tuple[pd.DataFrame, pd.DataFrame]
    moments: pd.DataFrame
    eligible: pd.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """How triggers did on past days.

    Attributes
    ----------
    days : list of date
        The past days.
    table : DataFrame
        One row per trigger, of :class:`~crmlab.analyses.triggers.judging.Verdicts`.
    rules : DataFrame
        One row per simple rule, of the same.
    bands : DataFrame
        Of :func:`~crmlab.analyses.triggers.judging.bands_of`, all triggers.
    counts : DataFrame
        trigger, day, moments: how many there were on each past day.
    """

    days: Sequence[dt.date]
    table: pd.DataFrame
    rules: pd.DataFrame
    bands: pd.DataFrame
    counts: pd.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What the page of triggers shows.

    Attributes
    ----------
    context : Context
    params : Params
    words : Words
    present : Present
    judged : Judged
    table : DataFrame
        That of ``judged``, with label, rule, predicts, customers (who have a moment today).
    moments : DataFrame
        Today's moments, of :func:`moments`.
    silent : DataFrame
        Of :func:`silent_longest`.
    acting, silent_consent : Consent
        Of the customers with a moment of a trigger that works, and of those silent longest.
    with_lines : bool
        Whether there are order lines, to see products that are due again.
    """

    context: Context
    params: Params
    words: Words
    present: Present
    judged: Judged
    table: pd.DataFrame
    moments: pd.DataFrame
    silent: pd.DataFrame
    acting: Consent
    silent_consent: Consent
    with_lines: bool

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The list of customers and moments, and that of the simple rule."""
        out = {
            "moments": Output(
                f"List of {self.words.many} and moments, with the last day to act, and whether the trigger works here",
                self.moments,
                ("customer_id", "trigger", "product_id"),
            )
        }
        if len(self.silent):
            deed = self.words.deed
            caption = f"List of the {len(self.silent):,} eligible {self.words.many} whose last {deed} was longest ago"
            silent = Output(caption, self.silent, ("customer_id",))
            # Where no trigger works, what is offered first is not the list that nobody is to act on.
            works = (self.table["works"] == YES).any()
            out = {**out, "silent_longest": silent} if works else {"silent_longest": silent, **out}
        return out


def readiness(history: History, params: Params) -> Readiness:
    """Say whether the history holds what the report asks of it.

    Parameters
    ----------
    history : History
    params : Params

    Raises
    ------
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    rhythm_of(history, params)
    need_repeat_buyers(history, "triggers")
    return Readiness()


def study(history: History, params: Params) -> Study:
    """Find today's moments, and judge each trigger by moments that are past.

    Raises
    ------
    TooLittleError
        The history is too short, or nobody bought twice.
    """
    readiness(history, params)
    now, found, words = present(history, params), judgement(history, params), history.words
    listed, form = moments(history, params), history.form
    counts = listed.groupby("trigger")["customer_id"].nunique()
    shown = pd.DataFrame(
        {
            "name": trigger.name,
            "label": trigger.label,
            "rule": trigger.rule(now.learnt, params.quantile, words, form),
            "predicts": trigger.predicts(words),
            "buys": trigger.buys,
            "customers": int(counts.get(trigger.name, 0)),
        }
        for trigger in now.triggers
    )
    silent = silent_longest(now, found)
    acting = listed.loc[listed["works"] == YES, "customer_id"].drop_duplicates()
    return Study(
        context=history.context(len(history.summary())),
        params=params,
        words=words,
        present=now,
        judged=found,
        table=shown.merge(found.table, on="name", validate="one_to_one"),
        moments=listed,
        silent=history.with_consent(silent),
        acting=history.consent(acting),
        silent_consent=history.consent(silent["customer_id"]),
        with_lines=history.lines is not None,
    )


def present(history: History, params: Params = DEFAULTS) -> Present:
    """Find the moments of today; what the rules need is learnt from the whole history. Worked out once.

    Raises
    ------
    TooLittleError
        The history is too short.
    """
    return history.once(("triggers.present", replace(params, as_of=None)), lambda: _present(history, params))


def _present(history: History, params: Params) -> Present:
    rhythm, words = rhythm_of(history, params), history.words
    tables = occasions_known(history), rebuys_of(history)
    learnt = learn(history, *tables)
    able = {"overdue": bool(learnt.model), "product": len(learnt.rebuys) > 0}
    triggers = tuple(trigger.said(words) for trigger in TRIGGERS if able.get(trigger.name, True))
    moments, eligible = today(triggers, learnt, tables, rhythm, params)
    return Present(rhythm=rhythm, triggers=triggers, learnt=learnt, tables=tables, moments=moments, eligible=eligible)


def judgement(history: History, params: Params = DEFAULTS) -> Judged:
    """Judge the triggers on past days, each learnt from what was known then. Worked out once.

    Raises
    ------
    TooLittleError
        The history is too short.
    """
    key = ("triggers.judgement", replace(params, as_of=None))
    return history.once(key, lambda: _judged(history, params), shared_by_all=True)


def _judged(history: History, params: Params) -> Judged:
    now = present(history, params)
    days = past_days(history, now.rhythm)
    pools = pools_of(now.triggers, learnings(history, days, *now.tables), now.tables, now.rhythm, params)
    bands = [bands_of(one, pools[one.of_products], now.learnt.bands, params.level) for one in now.triggers]
    found = judged(now.triggers, pools, params.level)
    return Judged(
        days=days,
        table=found.triggers,
        rules=found.rules,
        bands=pd.concat(bands, ignore_index=True),
        counts=_counts(now.triggers, pools, days),
    )


def _counts(triggers: Sequence[Trigger], pools: tuple[Pool, Pool], days: Sequence[dt.date]) -> pd.DataFrame:
    """How many moments there were on each past day."""
    rows = []
    for trigger in triggers:
        pool = pools[trigger.of_products]
        counts = np.bincount(pool.day[pool.fired[trigger.name]], minlength=len(days))
        rows += [(trigger.name, pd.Timestamp(day), int(count)) for day, count in zip(days, counts, strict=True)]
    return pd.DataFrame(rows, columns=["trigger", "day", "moments"])


def moments(history: History, params: Params = DEFAULTS) -> pd.DataFrame:
    """Today's moments, one row per customer and trigger (and product): the owner of who has one, and of whether it works here.

    A trigger that was shown to fail is in it as well, with ``works`` saying no: who asks for a moment by its name may have another use
    for it than a forecast, but nobody is to be told to act on it.

    Returns
    -------
    DataFrame
        customer_id, trigger, product_id, fired, act_by, works (yes, no, not judged yet), contactable, refusal; ordered by
        customer and trigger.

    Raises
    ------
    TooLittleError
        The history is too short.
    """
    now, found = present(history, params), judgement(history, params)
    named = {trigger.name: trigger for trigger in now.triggers}
    days = {name: trigger.lasts or now.rhythm.respond for name, trigger in named.items()}
    frame = now.moments.assign(
        act_by=now.moments["fired"] + pd.to_timedelta(now.moments["trigger"].map(days).astype(int), unit="D"),
        works=now.moments["trigger"].map(found.table.set_index("name")["works"]),
    )
    return history.with_consent(frame)


def silent_longest(now: Present, found: Judged) -> pd.DataFrame:
    """The simple rule for today: those silent longest among the eligible, as many as have a moment that expects no purchase.

    Who is alike at the end is in it: nothing depends on the order of rows. Empty where nobody has such a moment, or the rule is
    not shown to beat chance.

    Returns
    -------
    DataFrame
        customer_id, days_since_last; the longest first.
    """
    names = [trigger.name for trigger in now.triggers if not trigger.buys]
    wanted = now.moments.loc[now.moments["trigger"].isin(names), "customer_id"].nunique()
    order = now.eligible.sort_values(["days_since_last", "customer_id"], ascending=[False, True], ignore_index=True)
    if not wanted or not (found.rules["works"] & (found.rules["name"] == SILENT)).any():
        return order.iloc[:0]
    return order[order["days_since_last"] >= order["days_since_last"].iloc[wanted - 1]]


def occasions_known(history: History) -> pd.DataFrame:
    """Return the purchase occasions of a history, as of :func:`~crmlab.analyses.triggers.rules.occasions_of`."""
    days = history.occasions()
    spend = days.loc[days["is_occasion"], ["customer_id", "day", "spend"]].astype({"spend": float})
    return occasions_of(history.gaps(), spend)
