"""What an analysis may declare on its face beside ``NEEDS``, ``Params`` and ``run``.

That is ``INPUTS``, ``ANNOTATES``, ``NAMES_CUSTOMERS`` and ``readiness``. ``NAMES_CUSTOMERS = True`` says that the page itself shows ids of
customers: its whole folder is then for its owner only, as every list is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Annotation", "Input", "Readiness"]


def _nothing_seen(_: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    return {}, ()


@dataclass(frozen=True)
class Input:
    """Something that an analysis reads beside its data set; its report is made again when that changes.

    Parameters
    ----------
    name : str
        What it is, for people.
    fingerprint : callable
        A digest of its contents; raises a :class:`~crmlab.errors.CrmlabError` where it cannot be read.
    secrets : callable
        Addresses of databases, which must not get into anything that is written. None by default.
    witness : callable
        Given what the record of an earlier run keeps of it (empty: nothing), what the record of this run is to keep, as plain values; and
        sentences on what was lost or changed since then. Nothing by default.
    """

    name: str
    fingerprint: Callable[[], str]
    secrets: Callable[[], Sequence[str]] = tuple
    witness: Callable[[Mapping[str, Any]], tuple[dict[str, Any], tuple[str, ...]]] = _nothing_seen


@dataclass(frozen=True)
class Annotation:
    """Columns of an analysis that every list of customers shows, whichever report makes it.

    The other reports need not know of the analysis, nor it of them: the run joins the columns by ``customer_id``.

    Parameters
    ----------
    output : str
        One of the outputs of the analysis, with ``customer_id`` as its key.
    columns : tuple of str
        Columns of it, in the order in which they are joined.
    always : bool
        Whether the analysis is also run where only others are asked for. One that takes long is not: its last result of the same day is
        taken where it would be made the same again, and else the lists say that its columns are left out.
    counted : str
        One of the columns: beside each list the page says how many of its customers have which value of it. None by default.
    heading : str
        What these counts are, as the beginning of a line.
    """

    output: str
    columns: tuple[str, ...]
    always: bool = True
    counted: str = ""
    heading: str = ""


@dataclass(frozen=True)
class Readiness:
    """Whether a data set that has the tables of an analysis also holds what it asks of them, for ``crmlab check``.

    Parameters
    ----------
    why_not : str
        Why the analysis cannot answer, as a sentence; empty where it can.
    remarks : tuple of str
        What it will leave out, each as the end of a line.
    mend : bool
        Whether the file of the data set is why it cannot: something in it is to be corrected, and the data would do.
    """

    why_not: str = ""
    remarks: tuple[str, ...] = ()
    mend: bool = False
