"""What analyses ask of a data set as of a day: what a page is about, how its numbers are written, consent, and margin."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

from crmlab.collecting import collect_row
from crmlab.errors import DataError
from crmlab.frames import as_ibis
from crmlab.history.orders import as_lines, between, chosen, reach, reach_of_contracts
from crmlab.history.plausible import Reach
from crmlab.page.format import Format

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["EXACT", "Margin", "form_of", "gross_margin", "margin_known", "masked", "reach_of", "span"]


EXACT = "decimal(18, 4)"


def form_of(data: Dataset) -> Format:
    """How numbers of this data set are written.

    Examples
    --------
    >>> import crmlab
    >>> form_of(crmlab.open_dataset("cdnow_sample")).money(1234.0)
    '$1,234'
    """
    return Format(data.currency, data.descriptor.report.language)


def span(data: Dataset, as_of: dt.date | str | None = None) -> tuple[dt.date, dt.date]:
    """The first day of a data set's history and its last: ``as_of`` checked, by default the last plausible day that is known.

    Raises
    ------
    ParameterError
        ``as_of`` is before the first order, or after the last day that is known: that of the last order, or where the data set
        was cut off.
    DataError
        There are no orders.
    """
    return chosen(reach_of(data), as_of, data.until)


def reach_of(data: Dataset) -> Reach:
    """Say which days the orders of a data set reach, and which are plausible; of one that was cut off, all are.

    Raises
    ------
    DataError
        There are no orders.

    Notes
    -----
    Without orders, contracts tell: the days on which they began, or notice was given. Their last day is ``last_day`` of the data set where
    it names one: contracts may have gone on unchanged until then. A later end, which is planned, is a day that may be named.
    """
    given, cut = data.descriptor, data.until is not None
    if "orders" not in data.tables and "contracts" in data.tables:
        return reach_of_contracts(data.contracts, given.last_day, first_given=cut or given.first_day is not None)
    return reach(data.orders, first_given=cut or given.first_day is not None, last_given=cut or given.last_day is not None)


def masked(count: int, least: int) -> int | str:
    """A count of people, or that it is too small to be shown.

    Examples
    --------
    >>> masked(0, 5), masked(3, 5), masked(12, 5)
    (0, 'under 5', 12)
    """
    return f"under {least}" if 0 < count < least else count


class Margin(NamedTuple):
    """Gross margin as a share of spend: how much, where it is from, and on which share of revenue it rests.

    Attributes
    ----------
    share : float
        1 where no margin is known: then money is revenue, and pages call it so.
    source : str
        ``"given"`` (a parameter, or ``margin`` in the data set's file), ``"costs"`` (unit costs of products), ``"gifts"`` (nothing is
        sold, so that all is kept), ``"revenue"`` (not known), or ``"loss"``: by the unit costs nothing is left, which no value can be
        made of.
    covered : float
        Share of revenue on which it rests.
    goods : bool
        Whether there may be products, whose unit costs would tell it: a test in one file has none.
    """

    share: float
    source: str
    covered: float
    goods: bool = True

    @property
    def known(self) -> bool:
        """Whether there is a margin; without one, nothing may be said to earn or to pay."""
        return self.source in ("given", "costs", "gifts")

    @property
    def word(self) -> str:
        """What the money is: ``"margin"``, ``"gifts"``, or ``"revenue"`` where no margin is known."""
        return "gifts" if self.source == "gifts" else "margin" if self.known else "revenue"

    def kind(self, form: Format) -> str:
        """What the money is, with the share of spend that it is: "gross margin (40% of spend)", "revenue" or "gifts"."""
        return f"gross margin ({form.share(self.share)} of spend)" if self.word == "margin" else self.word

    def told(self, form: Format) -> str:
        """Where the margin is from, as a sentence of the method."""
        share, covered = form.share(self.share), form.share(self.covered)
        return {
            "given": f"Gross margin: {share}, as given.",
            "costs": f"Gross margin: {share}, from the unit costs of products with {covered} of revenue.",
            "gifts": "No costs are deducted from gifts.",
            "revenue": f"Gross margin: not known, so money is revenue. To give one: {self.needed}.",
            "loss": f"Gross margin: not above 0 by the unit costs of what was sold, so money is revenue. To give one: {self.needed}.",
        }[self.source]

    @property
    def needed(self) -> str:
        """What to write so that a margin is known, as a clause without a full stop."""
        write = "write a margin (margin = 0.4, say) into the data set’s file"
        if self.source == "loss":
            return f"check the costs, or {write}"
        return f"{write}, or the unit costs of products" if self.goods else write

    @property
    def lacking(self) -> str:
        """Why no margin is known, and what follows, as a sentence without a full stop."""
        cost = "By their unit costs, products cost more than their sales brought in"
        return f"{cost if self.source == 'loss' else 'The cost of goods is not known'}, so every sum of money here is revenue"

    def wanted(self, to_see: str = "") -> list[str]:
        """That a margin should be given, as a warning of a page, whose readers write no files; nothing where one is known.

        Parameters
        ----------
        to_see : str
            What a margin would tell, as in "to see what contacting earns".

        Examples
        --------
        >>> Margin(1.0, "revenue", 0.0).wanted("to see profit")[0].split(". ")[1]
        'Ask your analyst to give a margin, to see profit.'
        >>> Margin(0.4, "given", 1.0).wanted("to see profit")
        []
        """
        return [] if self.known else [f"{self.lacking}. Ask your analyst to give a margin{', ' if to_see else ''}{to_see}."]

    def advice(self, to_see: str) -> list[str]:
        """The same for who writes the file of the data set: what to write there.

        Examples
        --------
        >>> print(Margin(1.0, "revenue", 0.0).advice("to see profit")[0].split(". ", 1)[1])
        Write a margin (margin = 0.4, say) into the data set’s file, or the unit costs of products, to see profit.
        """
        return [] if self.known else [f"{self.lacking}. {self.needed[0].upper()}{self.needed[1:]}, {to_see}."]


def margin_known(data: Dataset, end: dt.date | None, given: float | None) -> Margin:
    """Gross margin of a data set: a parameter's, else the one that its file gives, else that of the unit costs, else none.

    Where people give, and no margin is given, all of a gift is kept.

    Examples
    --------
    >>> import datetime as dt, crmlab
    >>> found = margin_known(crmlab.open_dataset("cdnow_sample"), dt.date(1998, 6, 30), 0.4)
    >>> found.share, found.source
    (0.4, 'given')
    """
    given = given if given is not None else data.descriptor.margin
    if given is not None:
        return Margin(float(given), "given", 1.0)
    if data.descriptor.rounds == "year":
        return Margin(1.0, "gifts", 1.0)
    if "order_lines" in data.tables and "products" in data.tables:
        found = gross_margin(data.order_lines, data.products, end)
        if found is not None:
            covered = min(found[1], 1.0)
            return Margin(min(found[0], 1.0), "costs", covered) if found[0] > 0 else Margin(1.0, "loss", covered)
    return Margin(1.0, "revenue", 0.0, goods="test" not in data.tables)


def gross_margin(order_lines: Any, products: Any, as_of: dt.date | None = None) -> tuple[float, float] | None:
    """Gross margin of all that was sold, from the unit costs of products.

    Parameters
    ----------
    order_lines, products : table
        Canonical tables; order lines as :func:`~crmlab.history.orders.as_lines` takes them, with amount.
    as_of : datetime.date, optional
        Last day of history.

    Returns
    -------
    (margin, covered) or None
        Share of revenue that is left after the cost of goods, returns taken off both; and the share of revenue whose products'
        costs are known, on which it rests. None where no cost is known, or revenue is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"customer_id": ["a", "b"], "ordered_at": ["2024-01-01", "2024-01-02"], "product_id": ["tea", "cup"],
    ...                       "quantity": [2, 1], "amount": [10.0, 10.0]})
    >>> gross_margin(lines, pd.DataFrame({"product_id": ["tea"], "unit_cost": [3.0]}))
    (0.4, 0.5)
    """
    products = as_ibis(products, "products", DataError)
    if "unit_cost" not in products.columns:
        return None
    lines = between(as_lines(order_lines), None, as_of)
    costs = products.select("product_id", "unit_cost")
    joined = lines.left_join(costs, "product_id")
    known = joined["unit_cost"].notnull()
    found = joined.aggregate(
        revenue=joined["amount"].sum().cast("float64"),
        known=joined["amount"].sum(where=known).cast("float64"),
        # Exact until it is summed: a sum of floats depends on the order in which an engine adds them.
        cost=(joined["quantity"].cast(EXACT) * joined["unit_cost"].cast(EXACT)).sum(where=known).cast("float64"),
    )
    row = collect_row(found)
    if not row["known"] or row["known"] <= 0 or not row["revenue"] or row["revenue"] <= 0:
        return None
    return 1 - row["cost"] / row["known"], row["known"] / row["revenue"]
