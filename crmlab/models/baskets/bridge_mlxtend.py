"""Frames of mlxtend and back, so that people keep their tools. mlxtend itself is not needed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crmlab.errors import ModelError
from crmlab.models.checked import checked_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_mlxtend", "to_mlxtend"]


def from_mlxtend(frame: pd.DataFrame, n: int) -> pd.DataFrame:
    """Turn the itemsets of ``fpgrowth`` or ``apriori`` into ours.

    Parameters
    ----------
    frame : DataFrame
        support and itemsets.
    n : int
        Number of baskets.

    Returns
    -------
    DataFrame
        items and count, as :func:`~crmlab.models.baskets.frequent.itemsets` returns them. Sizes of baskets are not known from supports:
        :func:`~crmlab.models.baskets.association.rules` then keeps the items' counts only, unless its ``margins`` are given.

    Examples
    --------
    >>> import pandas as pd
    >>> from_mlxtend(pd.DataFrame({"support": [0.28], "itemsets": [frozenset({"b", "a"})]}), 25).values.tolist()
    [[('a', 'b'), 7]]
    """
    import pandas as pd

    frame = checked_frame("from_mlxtend", frame, ("support", "itemsets"), "fpgrowth or apriori")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ModelError.expected("from_mlxtend", "n", "a whole number of baskets of at least 1", n)
    try:
        items = pd.Series([tuple(sorted(items)) for items in frame["itemsets"]], dtype=object)
    except TypeError as error:
        raise ModelError.expected("from_mlxtend", "itemsets", "items of one type", "items that cannot be sorted") from error
    share = frame["support"].to_numpy(dtype=float)
    if not ((share >= 0) & (share <= 1)).all():
        raise ModelError.must_hold(
            "from_mlxtend", "support", "shares from 0 to 1", f"{share[~((share >= 0) & (share <= 1))][0]}"
        )
    counts = np.rint(share * n).astype(np.int64)
    made = pd.DataFrame({"items": items, "count": counts})
    keyed = made.assign(_length=made["items"].map(len), _less=-made["count"])
    made = keyed.sort_values(["_length", "_less", "items"], kind="stable", ignore_index=True)[["items", "count"]]
    made.attrs = {"n": n}
    return made


def to_mlxtend(frame: pd.DataFrame, n: int | None = None) -> pd.DataFrame:
    """Turn our itemsets or rules into frames as mlxtend has them.

    Parameters
    ----------
    frame : DataFrame
        Of :func:`~crmlab.models.baskets.frequent.itemsets` or :func:`~crmlab.models.baskets.association.rules`.
    n : int, optional
        Number of baskets, for itemsets; default: what ``frame.attrs`` says.

    Returns
    -------
    DataFrame
        support and itemsets; or antecedents, consequents, antecedent support, consequent support, support, confidence, lift,
        leverage, conviction. mlxtend gives a conviction without end to every rule of confidence 1; ours is 1 where every basket holds
        the consequent, and is kept so.

    Examples
    --------
    >>> import pandas as pd
    >>> to_mlxtend(pd.DataFrame({"items": [("a", "b")], "count": [7]}), 25)["support"].tolist()
    [0.28]
    """
    import pandas as pd

    frame = checked_frame("to_mlxtend", frame, (), "itemsets or rules")
    if "antecedent" in frame.columns:
        return pd.DataFrame(
            {
                "antecedents": frame["antecedent"].map(frozenset),
                "consequents": [frozenset([item]) for item in frame["consequent"]],
                "antecedent support": frame["n_antecedent"] / frame["n"],
                "consequent support": frame["n_consequent"] / frame["n"],
                **{name: frame[name] for name in ("support", "confidence", "lift", "leverage", "conviction")},
            }
        )
    for column in ("items", "count"):
        if column not in frame.columns:
            raise ModelError.lacks("to_mlxtend", column, frame.columns, "Give the frame of itemsets or of rules.")
    n = frame.attrs.get("n") if n is None else n
    if n is None:
        raise ModelError.expected("to_mlxtend", "n", "the number of baskets, where frame.attrs does not say it", None)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or (n < 1 and len(frame)):
        raise ModelError.expected("to_mlxtend", "n", "a whole number of baskets of at least 1", n)
    return pd.DataFrame({"support": frame["count"] / n, "itemsets": frame["items"].map(frozenset)})
