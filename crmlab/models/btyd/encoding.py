"""Attributes of customers as numbers: what is a number stays as it is, categories become 0/1 columns against a named reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from crmlab.errors import ModelError, shown
from crmlab.models.btyd.special import Array
from crmlab.models.btyd.states import floats, refuse

__all__ = ["OTHER", "Attribute", "learnt", "refuse_collinear"]


OTHER = "other"  # rare categories, together
# A column that others tell but for so small a share of its variance follows from them.
_TOLD = 1e-9


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """How one column becomes numbers.

    Attributes
    ----------
    name : str
        Of the column.
    reference : str or None
        Category that the others are compared with, the most frequent one; None where the column holds numbers.
    levels : tuple of str
        The other categories, in the order of their names; empty where the column holds numbers.
    rest : str or None
        Where rare categories went, and those go that were never seen: 'other', or the reference where they are few even together; None
        where no category was rare, so that one never seen is refused.
    pooled : int
        How many categories were rare.
    """

    name: str
    reference: str | None = None
    levels: tuple[str, ...] = ()
    rest: str | None = None
    pooled: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns of numbers are called: the name alone, or name=category.

        Examples
        --------
        >>> Attribute(name="age").labels, Attribute(name="channel", reference="shop", levels=("mail", "web")).labels
        (('age',), ('channel=mail', 'channel=web'))
        """
        return (self.name,) if self.reference is None else tuple(f"{self.name}={level}" for level in self.levels)

    def columns(self, model: str, frame: pd.DataFrame) -> list[Array]:
        """Columns of numbers, one for each label.

        Parameters
        ----------
        model : str
            Who asks, for the message.
        frame : DataFrame

        Raises
        ------
        ModelError
            The column is missing, lacks values, or holds a category that was never seen where there is none to count it with.
        """
        found = _column(model, frame, self.name)
        if self.reference is None:
            return [_numbers(model, frame, self.name, found)]
        if _is_number(found):
            expected = f"categories, such as {shown(self.reference)}, as the customers of the fit"
            raise ModelError.must_hold(model, self.name, expected, f"numbers, such as {shown(found.iloc[0])}")
        texts = _texts(model, frame, self.name, found)
        known = np.isin(texts.astype(str), [self.reference, *self.levels])
        if not known.all():
            if self.rest is None:
                hint = "Expected one of the fit's, or rare ones to be pooled, with which it would count."
                raise ModelError(
                    f"{model}: column '{self.name}' holds {shown(texts[~known][0])}, which no customer of the fit had. {hint} "
                    f"Found in the fit: {', '.join(sorted((self.reference, *self.levels))[:12])}."
                )
            texts = np.where(known, texts, self.rest)
        return [(texts == level).astype(float) for level in self.levels]

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name,
            "reference": self.reference,
            "levels": list(self.levels),
            "rest": self.rest,
            "pooled": self.pooled,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The attribute that :meth:`told` told.

        Examples
        --------
        >>> Attribute.of(Attribute(name="age").told()) == Attribute(name="age")
        True
        """
        return cls(**{**told, "levels": tuple(told["levels"])})


def learnt(model: str, frame: pd.DataFrame, name: str, rare: int) -> Attribute:
    """Learn from the customers of a fit how a column becomes numbers.

    Parameters
    ----------
    model : str
        Who asks, for the message.
    frame : DataFrame
        With the column, and an optional ``weight``.
    name : str
    rare : int
        Categories of fewer customers are pooled.

    Returns
    -------
    Attribute

    Raises
    ------
    ModelError
        The column is missing, lacks values, is the same for all customers, or has no category that enough customers share.

    Examples
    --------
    >>> found = learnt("BGNBD", pd.DataFrame({"channel": ["web", "shop", "shop", "mail"]}), "channel", 1)
    >>> found.reference, found.levels
    ('shop', ('mail', 'web'))
    """
    found = _column(model, frame, name)
    if _is_number(found):
        values = _numbers(model, frame, name, found)
        if (values == values[0]).all():
            raise _constant(model, name, f"{values[0]:.6g}")
        return Attribute(name=name)
    texts = _texts(model, frame, name, found)
    weight = frame["weight"].to_numpy(float) if "weight" in frame.columns else np.ones(len(texts))
    levels, place = np.unique(texts.astype(str), return_inverse=True)
    counts = dict(zip(levels.tolist(), np.bincount(place, weights=weight).tolist(), strict=True))
    if len(counts) == 1:
        raise _constant(model, name, shown(texts[0]))
    often = {level: count for level, count in counts.items() if count >= rare}
    few = {level: count for level, count in counts.items() if count < rare}
    if not often:
        most = max(counts, key=lambda level: counts[level])
        raise ModelError.must_hold(
            model,
            name,
            f"categories that at least {rare:,} customers share",
            f"{len(counts):,} categories among {sum(counts.values()):,.0f} customers, the most frequent, {shown(most)}, of "
            f"{counts[most]:,.0f}",
            "Group them, or leave the column out.",
        )
    reference = min(often, key=lambda level: (-often[level], level))
    rest = None
    if few:
        together = sum(few.values()) + often.get(OTHER, 0.0)
        rest = OTHER if together >= rare else reference
        if rest == OTHER and together > often[reference]:
            reference = OTHER
    chosen = sorted({*often, *([rest] if rest else [])} - {reference})
    if not chosen:
        raise ModelError.must_hold(
            model,
            name,
            f"at least two categories of at least {rare:,} customers",
            f"one, {shown(reference)}; the other {len(few):,} are rarer, together {sum(few.values()):,.0f} customers",
            "Leave it out of the covariates.",
        )
    return Attribute(name=name, reference=reference, levels=tuple(chosen), rest=rest, pooled=len(few))


def refuse_collinear(model: str, labels: Sequence[str], columns: Array, what: str) -> None:
    """Refuse columns of which one follows from others.

    Parameters
    ----------
    model : str
        Who asks, for the message.
    labels : sequence of str
    columns : array of shape (n, k)
        Each of them varies.
    what : str
        What they are to explain, for the message.

    Raises
    ------
    ModelError
        One follows from those before it.

    Examples
    --------
    >>> refuse_collinear("BGNBD", ["age", "born"], np.array([[30.0, 1990.0], [40.0, 1980.0], [25.0, 1995.0]]), "purchases")
    Traceback (most recent call last):
    crmlab.errors.models.ModelError: BGNBD: the covariate 'born' follows from 'age' for every customer. Expected covariates of purchases ...
    """
    gap = columns - columns.mean(axis=0)
    gap = gap / np.sqrt((gap**2).mean(axis=0))
    for k in range(1, gap.shape[1]):
        before = gap[:, :k]
        slopes, *_ = np.linalg.lstsq(before, gap[:, k], rcond=None)
        if ((gap[:, k] - before @ slopes) ** 2).mean() < _TOLD:
            told = [f"'{label}'" for label, slope in zip(labels[:k], slopes, strict=True) if abs(slope) > 1e-6]
            raise ModelError(
                f"{model}: the covariate '{labels[k]}' follows from {' and '.join(told)} for every customer. Expected covariates of "
                f"{what} of which each says something of its own. Leave one of them out."
            )


def _constant(model: str, name: str, value: str) -> ModelError:
    found: ModelError = ModelError.must_hold(
        model, name, "more than one value", f"{value} for every customer", "Leave it out of the covariates."
    )
    return found


def _column(model: str, frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        if name in frame.index.names:
            return pd.Series(frame.index.get_level_values(name), index=frame.index)
        raise ModelError.lacks(model, name, frame.columns, "Add it to the table, or leave it out of the covariates.")
    return frame[name]


def _is_number(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    # Numbers as objects, such as Decimal; words and yes or no are categories.
    some = column.dropna()
    return len(some) > 0 and all(
        not isinstance(value, str | bool | np.bool_) and _counts(value) for value in some.iloc[:1000].tolist()
    )


def _counts(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _numbers(model: str, frame: pd.DataFrame, name: str, column: pd.Series) -> Array:
    values = floats(column)
    bad: npt.NDArray[np.bool_] = ~np.isfinite(values)
    refuse(model, f"the covariate '{name}' must be a finite number", bad, frame, "Fill it, or leave the column out.")
    return values


def _texts(model: str, frame: pd.DataFrame, name: str, column: pd.Series) -> npt.NDArray[Any]:
    missing = column.isna().to_numpy()
    hint = "Give what is not known a name of its own, such as 'unknown'."
    refuse(model, f"the covariate '{name}' must not be missing", missing, frame, hint)
    if column.dtype.kind in "mM":
        hint = "Give the days from a date as numbers, or the year as text."
        raise ModelError.must_hold(model, name, "numbers or categories", f"dates, such as {shown(column.iloc[0])}", hint)
    return column.astype(str).to_numpy(dtype=object)
