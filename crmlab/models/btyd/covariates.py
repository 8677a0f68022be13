"""Which attributes of customers explain their purchases and their drop-out, and the coefficients that say how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from crmlab.errors import ModelError, hint_at
from crmlab.models.btyd.encoding import Attribute, learnt, refuse_collinear
from crmlab.models.btyd.fitting import Axis, Coefficients
from crmlab.models.btyd.special import Array

__all__ = [
    "BOTH",
    "DROPOUT",
    "PURCHASE",
    "Covariates",
    "Design",
    "Term",
    "checked_covariates",
    "learnt_design",
    "refuse_covariates",
]


PURCHASE, DROPOUT, BOTH = "purchase", "dropout", "both"
# What models explain, and what follows from it or comes after it.
_TAKEN = {
    **dict.fromkeys(
        ("frequency", "recency", "T", "weight", "periods", "there", "entered", "horizon"), "what a model is fitted to"
    ),
    **dict.fromkeys(
        (
            "occasions",
            "days_since_last",
            "first_occasion",
            "last_occasion",
            "log_gaps",
            "monetary_value",
            "total_spend",
            "returned",
        ),
        "what a customer has bought",
    ),
    **dict.fromkeys(("holdout_purchases", "holdout_spend"), "what came after the history"),
}
_FARTHEST = (
    150.0  # standard deviations from 0 to the mean of a number: beyond it the parameters of a customer with 0 cannot be told
)
# Of coefficients (see Design.coefficients): their prior, and where the search ends.
_DEVIATION = 2.0
_REACH = 12.0
# Kinds of newcomers that are kept: of more, so many are drawn.
_KINDS = 100


@dataclass(frozen=True)
class Covariates:
    """Which columns explain what, where it is more than one list for both.

    Parameters
    ----------
    purchase : sequence of str
        Columns that move how often customers buy.
    dropout : sequence of str, optional
        Columns that move how soon they drop out; the same unless given.
    equal : sequence of str
        Columns, of both, whose coefficients are the same for both.
    ridge : float
        Penalty: the log-likelihood less ridge / 2 times the sum of squares of the coefficients, those of 0/1 columns as they are, others
        per standard deviation of their column. 0 for none.
    rare : int
        Categories of fewer customers are pooled as "other"; where they are fewer even together, they count with the reference.

    Examples
    --------
    >>> Covariates(["channel", "age"], dropout=["channel"]).purchase
    ('channel', 'age')
    """

    purchase: Sequence[str] = ()
    dropout: Sequence[str] | None = None
    equal: Sequence[str] = ()
    ridge: float = 0.0
    rare: int = 30

    def __post_init__(self) -> None:
        for name in ("purchase", "dropout", "equal"):
            given = getattr(self, name)
            if given is None:
                continue
            if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
                raise ModelError.expected("Covariates", name, "a list of columns, such as ['channel']", given)
            twice = next((one for one in given if list(given).count(one) > 1), None)
            if twice is not None:
                raise ModelError.expected("Covariates", name, "a list that names each column once", [*given])
            object.__setattr__(self, name, tuple(given))
        for one in (*self.purchase, *self.of_dropout):
            if one in _TAKEN:
                expected = "columns that were known of a customer from the beginning on"
                raise ModelError.must_be("Covariates", expected, f"{one}, {_TAKEN[one]}", "Leave it out.")
        shared = [one for one in self.purchase if one in self.of_dropout]
        for one in self.equal:
            if one not in shared:
                expected = "columns that are in purchase and in dropout"
                raise ModelError.must_be("Covariates: 'equal'", expected, one, hint_at(one, shared))
        for name, least in (("ridge", 0.0), ("rare", 1)):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not (number and least <= value < np.inf) or (name == "rare" and value != int(value)):
                raise ModelError.expected(
                    "Covariates", name, f"a {'whole ' * (name == 'rare')}number of at least {least:g}", value
                )

    @property
    def of_dropout(self) -> Sequence[str]:
        """Columns of drop-out: those of purchase, unless others are given."""
        return self.purchase if self.dropout is None else self.dropout

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, each once."""
        return tuple(dict.fromkeys((*self.purchase, *self.of_dropout)))

    def without(self, name: str, on: str) -> Covariates | None:
        """The same without a column on ``purchase``, ``dropout`` or ``both``; None where nothing is left.

        Examples
        --------
        >>> Covariates(["channel"]).without("channel", "dropout")
        Covariates(purchase=('channel',), dropout=(), equal=(), ridge=0.0, rare=30)
        """
        purchase = [one for one in self.purchase if one != name or on == DROPOUT]
        dropout = [one for one in self.of_dropout if one != name or on == PURCHASE]
        if not purchase and not dropout:
            return None
        return Covariates(purchase, dropout, [one for one in self.equal if one != name], self.ridge, self.rare)


def checked_covariates(model: str, given: Any) -> Covariates | None:
    """What a model is given as covariates: a list of columns, or :class:`Covariates`; None where there are none.

    Raises
    ------
    ModelError
        It is neither, or names no column.

    Examples
    --------
    >>> checked_covariates("BGNBD", ["channel"]).of_dropout
    ('channel',)
    """
    if given is None:
        return None
    if not isinstance(given, Covariates):
        if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
            expected = "None, a list of columns, such as ['channel', 'country'], or Covariates"
            raise ModelError.expected(model, "covariates", expected, given)
        given = Covariates(given)
    if not given.names:
        raise ModelError.expected(model, "covariates", "at least one column, or None", "none")
    return given


def refuse_covariates(who: str, model: Any, hint: str) -> None:
    """Refuse a model with covariates where only one without them can answer.

    Parameters
    ----------
    who : str
        Who asks, for the message.
    model : estimator
    hint : str
        What to do instead.

    Raises
    ------
    ModelError
        The model has covariates.
    """
    if getattr(model, "covariates", None) is not None:
        raise ModelError.must_be(f"{who}: 'model'", "one without covariates", f"a {type(model).__name__} with them", hint)


@dataclass(frozen=True, kw_only=True)
class Term:
    """One coefficient: of which column of numbers (its place), and on what."""

    on: str
    attribute: Attribute
    label: str
    place: int

    @property
    def name(self) -> str:
        """As it stands beside the other parameters: ``purchase:channel=web``."""
        return f"{self.on}:{self.label}"

    @property
    def level(self) -> str | None:
        """The category that is compared with the reference; None of numbers."""
        return None if self.attribute.reference is None else self.label.removeprefix(f"{self.attribute.name}=")

    @property
    def meaning(self) -> str:
        """What the coefficient says, in a few words."""
        what = {PURCHASE: "log of the purchase rate", DROPOUT: "log of dropping out", BOTH: "log of the rates of both"}[self.on]
        return f"{what}, per 1 more" if self.level is None else f"{what}, against {self.attribute.reference}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """How customers' attributes enter a model that was fitted.

    Attributes
    ----------
    attributes : tuple of Attribute
    terms : tuple of Term
        One for each coefficient.
    means, deviations : arrays of shape (n_columns,)
        Of the columns of numbers among the customers of the fit.
    kinds, shares : arrays of shape (n_kinds, n_columns) and (n_kinds,)
        Distinct customers by their attributes, and how many they are of all: who newcomers are like. Of more than a hundred kinds, a
        hundred are drawn.
    """

    attributes: tuple[Attribute, ...]
    terms: tuple[Term, ...]
    means: Array
    deviations: Array
    kinds: Array
    shares: Array
    ridge: float

    @property
    def width(self) -> int:
        """Number of columns of numbers."""
        return len(self.means)

    def columns(self, model: str, frame: pd.DataFrame) -> list[Array]:
        """Columns of numbers of customers."""
        return [column for one in self.attributes for column in one.columns(model, frame)]

    def signs(self, moves: Mapping[str, Sequence[float]]) -> Array:
        """How each coefficient enters the log of each parameter, shape (n_terms, n_parameters).

        Parameters
        ----------
        moves : mapping of str to sequence of float
            The same of purchase and of dropout.
        """
        both = np.add(moves[PURCHASE], moves[DROPOUT])
        return np.array([both if term.on == BOTH else moves[term.on] for term in self.terms], dtype=float)

    @cached_property
    def places(self) -> list[int]:
        """Of the column of each term."""
        return [term.place for term in self.terms]

    @property
    def coefficients(self) -> Coefficients:
        """Coordinates of the coefficients: of 0/1 columns as they are, of others per standard deviation."""
        deviation = 1 / np.sqrt(_DEVIATION**-2 + self.ridge)
        axes = tuple(
            Axis(
                -_REACH,
                _REACH,
                f"the coefficient {term.name} falls without end",
                f"the coefficient {term.name} rises without end",
                0.0,
                deviation,
            )
            for term in self.terms
        )
        return Coefficients(axes, self.deviations[self.places])

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "attributes": [one.told() for one in self.attributes],
            "terms": [[term.on, term.label] for term in self.terms],
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "kinds": self.kinds.tolist(),
            "shares": self.shares.tolist(),
            "ridge": self.ridge,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The design that :meth:`told` told."""
        attributes = tuple(Attribute.of(one) for one in told["attributes"])
        known = {label: (k, one) for k, (label, one) in enumerate((label, one) for one in attributes for label in one.labels)}
        terms = tuple(Term(on=on, attribute=known[label][1], label=label, place=known[label][0]) for on, label in told["terms"])
        numbers = {name: np.array(told[name], dtype=float) for name in ("means", "deviations", "kinds", "shares")}
        return cls(attributes=attributes, terms=terms, ridge=float(told["ridge"]), **numbers)


def learnt_design(model: str, frame: pd.DataFrame, chosen: Covariates) -> Design:
    """Learn from the customers of a fit how their attributes become numbers.

    Parameters
    ----------
    model : str
        Who asks, for the message.
    frame : DataFrame
        With the columns, and an optional ``weight``.
    chosen : Covariates

    Raises
    ------
    ModelError
        A column is missing, lacks values, is the same for all customers, has no category that enough customers share, follows from
        others, or has numbers that all lie far from 0, such as years.

    Examples
    --------
    >>> frame = pd.DataFrame({"gender": [0, 1, 1, 0], "channel": ["web", "shop", "shop", "shop"]})
    >>> found = learnt_design("ParetoNBD", frame, Covariates(["gender", "channel"], equal=["gender"], rare=1))
    >>> [term.name for term in found.terms]
    ['both:gender', 'purchase:channel=web', 'dropout:channel=web']
    """
    attributes = tuple(learnt(model, frame, name, int(chosen.rare)) for name in chosen.names)
    columns = np.column_stack([column for one in attributes for column in one.columns(model, frame)])
    labels = [(label, one) for one in attributes for label in one.labels]
    terms: list[Term] = []
    for on, names in ((BOTH, chosen.equal), (PURCHASE, chosen.purchase), (DROPOUT, chosen.of_dropout)):
        some = [name for name in names if on == BOTH or name not in chosen.equal]
        terms += [
            Term(on=on, attribute=one, label=label, place=k)
            for name in some
            for k, (label, one) in enumerate(labels)
            if one.name == name
        ]
    for what, names in (("purchases", chosen.purchase), ("drop-out", chosen.of_dropout)):
        mine = [k for k, (_, one) in enumerate(labels) if one.name in names]
        if mine:
            refuse_collinear(model, [labels[k][0] for k in mine], columns[:, mine], what)
    weight = frame["weight"].to_numpy(float) if "weight" in frame.columns else np.ones(len(frame))
    share = weight / weight.sum()
    means = share @ columns
    deviations = np.sqrt(share @ (columns - means) ** 2)
    # A coefficient of yes or no is told as it is: a category that is rare has no small scale.
    deviations = np.where(((columns == 0) | (columns == 1)).all(axis=0), 1.0, deviations)
    for (label, _), mean, deviation in zip(labels, means.tolist(), deviations.tolist(), strict=True):
        if abs(mean) > _FARTHEST * deviation:
            expected = f"numbers whose mean is within {_FARTHEST:.0f} standard deviations of 0"
            got = f"a mean of {mean:,.6g} and a standard deviation of {deviation:,.4g}"
            raise ModelError.must_hold(model, label, expected, got, f"Count from another start: '{label}' less {mean:.0f}.")
    kinds, place = np.unique(columns, axis=0, return_inverse=True)
    shares = np.bincount(place.ravel(), weights=share).astype(float)
    if len(kinds) > _KINDS:
        drawn = np.searchsorted(np.cumsum(shares), (np.arange(_KINDS) + 0.5) / _KINDS)
        kinds, shares = kinds[np.minimum(drawn, len(kinds) - 1)], np.full(_KINDS, 1 / _KINDS)
    return Design(
        attributes=attributes,
        terms=tuple(terms),
        means=means,
        deviations=deviations,
        kinds=kinds,
        shares=shares,
        ridge=float(chosen.ridge),
    )
