"""Errors of models: what cannot be fitted, or cannot be answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crmlab.errors.base import CrmlabError, hint_at, listing, shown

__all__ = ["ConvergenceError", "InfiniteMeanError", "ModelError", "NotIdentifiableError"]


class ModelError(CrmlabError, ValueError):
    """A model cannot be fitted to what it was given, or cannot answer what it was asked."""

    @classmethod
    def no_frame(cls, model: str, got: Any) -> ModelError:
        return cls(f"{model}: expected a pandas DataFrame. Got {shown(type(got).__name__)} instead. Use to_pandas() first.")

    @classmethod
    def missing_column(cls, model: str, column: str, found: Iterable[Any]) -> ModelError:
        """``BGNBD: missing column 'recency'. Found: frequency, T. Make the frame with customer_summary.``"""
        maker = "holdout_summary" if column in ("holdout_purchases", "holdout_spend", "horizon") else "customer_summary"
        return cls.lacks(model, column, found, f"Make the frame with {maker}.")

    @classmethod
    def empty(cls, model: str) -> ModelError:
        return cls(f"{model}: the frame is empty. Expected at least one customer. Found: 0 rows.")

    @classmethod
    def bad_rows(cls, model: str, expectation: str, count: int, rows: int, first: Any, hint: str = "") -> ModelError:
        """``BGNBD: recency must be at most T. Found 2 of 10 rows that are not so, the first at index 4. …``"""
        are = "1 row that is" if count == 1 else f"{count:,} rows that are"
        return cls(
            f"{model}: {expectation}. Found {are} not so, of {rows:,}; the first at index {shown(first)}."
            f"{' ' + hint if hint else ''}"
        )

    @classmethod
    def not_identifiable(cls, model: str, needed: str, found: str, hint: str) -> NotIdentifiableError:
        return NotIdentifiableError(f"{model}: the parameters are not identifiable. Needs {needed}. Found: {found}. {hint}")

    @classmethod
    def expected(cls, model: str, name: str, expectation: str, got: Any) -> ModelError:
        return cls.must_be(f"{model}: '{name}'", expectation, got)

    @classmethod
    def no_posterior(cls, model: str) -> ModelError:
        return cls(
            f"{model}: parameters that were given have no uncertainty. Expected a fitted model. "
            "Found one made by from_params. Use fit, or interval='outcome'."
        )

    @classmethod
    def infinite_mean(cls, model: str, q: float) -> InfiniteMeanError:
        return InfiniteMeanError(
            f"{model}: q must be above 1, or mean spend is infinite. Found q = {q:.4g}. "
            "A few huge amounts may dominate: check monetary_value, or set them apart."
        )

    @classmethod
    def no_part(cls, part: str) -> ModelError:
        return cls(
            f"rules: every part of a set of items needs its count. Found none for {part}. "
            "Give the itemsets whole, before anything is filtered."
        )

    @classmethod
    def margins_differ(cls, sold: int, held: int) -> ModelError:
        return cls(
            f"BasketNull: items and baskets must add up to the same. Found {sold:,} by the items' counts and {held:,} by the "
            "baskets' margins. Take both from one matrix."
        )

    @classmethod
    def unknown_metric(cls, metric: str, known: Iterable[str], argument: str = "metrics") -> ModelError:
        return cls(f"Unknown metric {shown(metric)} in {argument}. Expected one of the cell's. {hint_at(metric, known)}")

    @classmethod
    def no_product(cls, first: str, second: str) -> ModelError:
        return cls(
            f"The sum of products of '{first}' and '{second}' is not known. Expected it of each cell that they are used together in. "
            f"Give it in products, under ('{first}', '{second}')."
        )

    @classmethod
    def unknown_cell(cls, what: str, cell: str, known: Iterable[str]) -> ModelError:
        return cls(f"There is no {what} {shown(cell)}. Expected the name of a cell. {hint_at(cell, known)}")

    @classmethod
    def own_control(cls, cell: str) -> ModelError:
        return cls(f"Cell {shown(cell)} is its own control. Expected another cell. Name one that was not contacted.")

    @classmethod
    def does_not_vary(cls, metric: str, value: float) -> ModelError:
        return cls(
            f"'{metric}' does not vary: it is {value:.6g} for every customer of every cell. Expected some difference between "
            "customers, or no interval can be given. Leave it out, or wait for responses."
        )

    @classmethod
    def told_by(cls, metric: str, covariates: Iterable[str]) -> ModelError:
        """Covariates that leave nothing of a metric: a column that was given twice, say."""
        names = " and ".join(f"'{name}'" for name in covariates)
        return cls(
            f"'{metric}' is told entirely by {names}: they are equal, or one follows from the other, in every cell. Expected covariates "
            f"from before the campaign, which leave some of '{metric}' untold. Leave {names} out of the covariates."
        )


class InfiniteMeanError(ModelError):
    """Spend is so unequal that the model's mean would be infinite."""


class NotIdentifiableError(ModelError):
    """What was given says nothing of a parameter, however long one searches."""


class ConvergenceError(ModelError, RuntimeError):
    """The optimiser of a model did not reach an optimum."""

    @classmethod
    def not_reached(cls, model: str, tried: Sequence[str]) -> ConvergenceError:
        return cls(
            f"{model}: the fit did not converge. Expected a gradient of 0 at an optimum. Tried: {listing(tried)}. "
            "Check the time unit and look for customers unlike all others."
        )
