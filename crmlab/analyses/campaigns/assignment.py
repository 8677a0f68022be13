"""Puts people into cells, and keeps a part of them out of everything, by hashes: the same on any machine and engine.

A hash of a secret salt and the household is as good as a draw, and can be drawn again by whoever knows the salt. People are in
the order of their hashes, and cells take their quotas from that order one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crmlab.analyses.campaigns.hashing import hash_keys, hash_pairs
from crmlab.analyses.campaigns.holdout import LEAST_SALT
from crmlab.collecting import collect_arrow
from crmlab.data.scratch import scratch_folder
from crmlab.data.tables import labels
from crmlab.errors import CampaignError, ParameterError
from crmlab.frames import as_pandas, is_ibis

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IntArray", "Take", "arm_of", "assign", "in_holdout", "quotas", "sample"]


IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Take:
    """How many of a list are taken: the best by a score, or a random sample of households.

    Attributes
    ----------
    n : int or None
        Customers; the last household is taken whole. None: all.
    score : str or None
        Column of the score, higher is better; ties go to the smaller hash. Missing scores come last.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"customer_id": ["a", "b", "c"], "value": [30.0, 10.0, 20.0]})
    >>> assign(people, {"gift": 1.0}, "spring 2025", take=Take(n=2, score="value"))["customer_id"].tolist()
    ['a', 'c']
    """

    n: int | None = None
    score: str | None = None


def assign(
    customers: Any,
    cells: Mapping[str, float],
    salt: str,
    *,
    by: str = "household_id",
    exact: bool = True,
    strata: str | None = None,
    take: int | Take | None = None,
) -> pd.DataFrame:
    """Assign everybody on a list to a cell.

    Parameters
    ----------
    customers : table
        Of pandas, Polars, PyArrow or Ibis:
        ``customer_id``, once each, and the columns named below. The order of rows plays no part.
    cells : mapping of str to float
        Share of each cell; they add up to 1.
    salt : str
        At least 8 characters, another one for each campaign: two campaigns with one salt would split people alike.
    by : str
        Column of what stays together; customers for whom it is missing stand alone. Where the list has no such column,
        everybody does.
    exact : bool
        Cells get their shares of households to the household (largest remainder, smaller names of cells first where remainders
        are equal). Otherwise each household falls into a cell by its hash alone, and sizes come out as they come; then the cell
        of a household does not depend on who else is on the list.
    strata : str, optional
        Column within whose values quotas are kept. A household is of the first stratum of its people.
    take : int or Take, optional
        Take only so many customers; a number alone is that of a random sample of households.

    Returns
    -------
    DataFrame
        ``customer_id``, ``cell_id``, ``household_id`` (what ``by`` held; missing where it was) of everybody taken, in the order of
        the list; that of a table in an engine is the order of customer_id.

    Raises
    ------
    CampaignError
        Shares do not add up to 1, a customer is there twice or without an id, a column is missing, or the salt is short.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"customer_id": [f"C{i}" for i in range(100)]})
    >>> assign(people, {"a": 0.5, "b": 0.3, "0": 0.2}, salt="spring 2025")["cell_id"].value_counts().to_dict()
    {'a': 50, 'b': 30, '0': 20}
    """
    import pandas as pd

    names, shares = _shares(cells)
    _check_salt(salt)
    some = take if isinstance(take, Take) else Take(n=take)
    frame = _list_of(customers, by, strata, some.score)
    homes = _households(frame, by, salt)
    taken = np.ones(homes.hashes.size, dtype=bool)
    if some.n is not None:
        taken = _taken(homes, frame[some.score].to_numpy(dtype=float, na_value=np.nan) if some.score else None, some.n)
    place = np.zeros(homes.hashes.size, dtype=np.int64)
    if exact:
        place[taken] = _by_quota(homes.least(_codes(frame, strata))[taken], shares)
    else:
        place = _arms(homes.hashes, shares)
    kept, cell = homes.by_row(taken), homes.by_row(place)
    household = frame[by] if by in frame.columns else pd.Series([None] * len(frame), dtype=object)
    table = pd.DataFrame({"customer_id": frame["customer_id"], "cell_id": labels(names, cell), "household_id": household})
    return table if kept.all() else table[kept].reset_index(drop=True)


def quotas(total: int, shares: Sequence[float] | NDArray[np.float64]) -> IntArray:
    """Split a whole number by shares: each gets its floor, and what is left goes to the largest remainders, first ones first.

    Examples
    --------
    >>> quotas(10, [1 / 3, 1 / 3, 1 / 3]).tolist()
    [4, 3, 3]
    """
    exact = np.asarray(shares, dtype=float) / np.sum(shares) * total
    # Rounding must not cost a share of 0.3 of 10 its third.
    whole = np.floor(np.round(exact, 9)).astype(np.int64)
    order = np.argsort(-np.round(exact - whole, 9), kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return whole


def sample(ids: Sequence[str], n: int, salt: str) -> NDArray[np.bool_]:
    """Choose ``n`` ids by their hashes: the n smallest. Whoever is chosen stays chosen for any larger ``n``.

    Examples
    --------
    >>> few, more = (sample(["a", "b", "c", "d"], n, "spring 2025") for n in (1, 3))
    >>> int(few.sum()), int(more.sum()), bool((few & ~more).any())
    (1, 3, False)
    """
    _check_salt(salt)
    chosen = np.zeros(len(ids), dtype=bool)
    chosen[np.lexsort(hash_pairs(ids, salt)[::-1])[:n]] = True
    return chosen


def in_holdout(ids: Sequence[str], share: float, salt: str) -> NDArray[np.bool_]:
    """Say who is held out of all campaigns: those whose hash is under a threshold.

    It depends on nothing but the id (of the household, so that its people are held out together), the share and a salt that
    never changes: whoever is held out at 5% is held out at 10%.

    Parameters
    ----------
    ids : sequence of str
    share : float
        In [0, 1].
    salt : str
        Permanent; not that of a campaign.

    Examples
    --------
    >>> bool(in_holdout(["H1", "H2"], 0.0, "for ever and ever").any())
    False
    """
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise ParameterError.expected("in_holdout", "share", "between 0 and 1", share)
    return arm_of(ids, {"held out": share, "others": 1 - share}, salt) == "held out"


def arm_of(ids: Sequence[str], arms: Mapping[str, float], salt: str) -> NDArray[np.object_]:
    """Draw an arm for each id by its hash alone: it depends on nobody else, and can be drawn for one id as for all.

    The hold-out, the arms of a rule and cells that are not drawn by quota are drawn like this.

    Parameters
    ----------
    ids : sequence of str
    arms : mapping of str to float
        Share of each arm; they add up to 1. Their order counts: whoever is in the first of them stays there if its share grows.
    salt : str
        At least 8 characters.

    Returns
    -------
    ndarray of str, shape (ids,)

    Raises
    ------
    CampaignError
        Shares do not add up to 1, or the salt is short.

    Examples
    --------
    >>> arm_of(["H1", "H2", "H3"], {"plain": 0.5, "gift": 0.5}, "for ever and ever").tolist()
    ['gift', 'plain', 'plain']
    """
    names = list(arms)
    _shares(arms)
    _check_salt(salt)
    places = _arms(hash_keys(ids, salt), np.array([float(arms[name]) for name in names]))
    return np.array(names, dtype=object)[places]


def _arms(hashes: NDArray[np.uint64], shares: NDArray[np.float64]) -> IntArray:
    """Place of the arm of each hash."""
    return np.asarray(np.searchsorted(np.cumsum(shares)[:-1], _uniform(hashes), side="right"), dtype=np.int64)


def _check_salt(salt: str) -> None:
    if not isinstance(salt, str) or len(salt.strip()) < LEAST_SALT:
        raise CampaignError.must_be("The salt", f"a text of at least {LEAST_SALT} characters", salt)


def _shares(cells: Mapping[str, float]) -> tuple[list[str], NDArray[np.float64]]:
    names = sorted(cells)
    shares = np.array([float(cells[name]) for name in names])
    if not names or not np.isfinite(shares).all() or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise CampaignError.must_be("The shares of cells", "numbers of at least 0 that add up to 1", dict(cells))
    return names, shares


def _list_of(customers: Any, by: str, strata: str | None, score: str | None) -> pd.DataFrame:
    """The columns of the list that are needed; ids are there, and of one person each."""
    if not is_ibis(customers):
        customers = as_pandas(customers, "The list", CampaignError)
        if "customer_id" not in customers.columns and "customer_id" in customers.index.names:
            customers = customers.reset_index()
    for column in ("customer_id", *filter(None, (strata, score))):
        if column not in customers.columns:
            raise CampaignError.lacks("The list", column, customers.columns)
    wanted = [name for name in dict.fromkeys(("customer_id", by, strata, score)) if name and name in customers.columns]
    if is_ibis(customers):
        frame: pd.DataFrame = collect_arrow(customers.select(wanted), "customer_id").to_pandas()
    else:
        frame = customers[wanted].reset_index(drop=True)
    if not len(frame):
        raise CampaignError.must_be("The list", "of at least one customer", "nobody")
    if frame["customer_id"].isna().any():
        raise CampaignError.must_be("customer_id of the list", "given for everybody", "an empty one")
    return frame.astype({name: "str" for name in ("customer_id", by) if name in frame.columns})


@dataclass(frozen=True, eq=False)
class _Households:
    """Households in the order of their hashes.

    ``hashes`` has one value per household; ``order`` holds the rows of the list by household, ``start`` where each begins there.
    """

    hashes: NDArray[np.uint64]
    order: IntArray
    start: IntArray

    @property
    def sizes(self) -> IntArray:
        return np.diff(self.start, append=self.order.size)

    def by_row(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of households as values of the rows of the list."""
        result = np.empty(self.order.size, dtype=values.dtype)
        result[self.order] = np.repeat(values, self.sizes)
        return result

    def least(self, values: NDArray[Any]) -> NDArray[Any]:
        """The least of each household's values."""
        return np.asarray(np.minimum.reduceat(values[self.order], self.start))


def _households(frame: pd.DataFrame, by: str, salt: str) -> _Households:
    """Who stays together, found by hashes alone: sorting numbers is much faster than sorting texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pa.array(frame["customer_id"], pa.large_string())
    customer, household, nothing = (pa.scalar(text, pa.large_string()) for text in ("c:", "h:", ""))
    keys = pc.binary_join_element_wise(customer, ids, nothing)
    if by in frame.columns:
        homes = pa.array(frame[by], pa.large_string(), from_pandas=True)
        keys = pc.coalesce(pc.binary_join_element_wise(household, homes, nothing), keys)
        _check_once(frame, ids)
    first, second = hash_pairs(keys, salt)
    order = np.argsort(first)
    sorted_first, sorted_second = first[order], second[order]
    new = np.diff(sorted_first) != 0
    if ((np.diff(sorted_second) != 0) & ~new).any():
        # Two households with the same 64 bits: the next 64 say which comes first.
        order = np.lexsort((second, first))
        sorted_first, sorted_second = first[order], second[order]
        new = (np.diff(sorted_first) != 0) | (np.diff(sorted_second) != 0)
    start = np.flatnonzero(np.concatenate([[True], new]))
    if by not in frame.columns and start.size < len(frame):
        _check_once(frame, ids)
    return _Households(sorted_first[start], order, start)


def _check_once(frame: pd.DataFrame, ids: Any) -> None:
    """Nobody is on the list twice."""
    if len(frame) >= 1_000_000:
        import duckdb
        import pyarrow as pa

        with scratch_folder() as scratch, duckdb.connect(config={"temp_directory": str(scratch)}) as con:
            con.register("given", pa.Table.from_batches(pa.table({"id": ids}).to_batches(max_chunksize=200_000)))
            codes = con.execute("select hash(id) as code from given").fetchnumpy()["code"]
        if not (np.diff(np.sort(np.asarray(codes))) == 0).any():
            return
    again = frame["customer_id"].duplicated()
    if again.any():
        raise CampaignError.twice_assigned("The list", int(again.sum()), str(frame.loc[again, "customer_id"].min()))


def _codes(frame: pd.DataFrame, strata: str | None) -> IntArray:
    """Place of each row's stratum among all; a missing one is a stratum of its own, before the others."""
    import pandas as pd

    if strata is None:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(pd.factorize(frame[strata], sort=True)[0]) + 1


def _uniform(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The top 53 bits as a share: exactly representable, so that every machine compares the same numbers."""
    return np.asarray((hashes >> np.uint64(11)).astype(float) * 2.0**-53)


def _taken(homes: _Households, scores: NDArray[np.float64] | None, n: int) -> NDArray[np.bool_]:
    """Whole households until there are n customers: the smallest hashes, or the best scores first."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ParameterError.expected("assign", "n", "a whole number of at least 1", n)
    order = np.arange(homes.hashes.size)
    if scores is not None:
        order = np.argsort(homes.least(np.where(np.isnan(scores), np.inf, -scores)), kind="stable")
    size = homes.sizes[order]
    chosen = np.zeros(order.size, dtype=bool)
    chosen[order[np.cumsum(size) - size < n]] = True
    return chosen


def _by_quota(stratum: IntArray, shares: NDArray[np.float64]) -> IntArray:
    """Cell of each household, given in the order of hashes: in a stratum the first go to the first cell, and so on."""
    order = np.argsort(stratum, kind="stable")
    count = [quotas(int(size), shares) for size in np.bincount(stratum)]
    cell = np.empty(stratum.size, dtype=np.int64)
    cell[order] = np.concatenate([np.repeat(np.arange(shares.size), row) for row in count])
    return cell
