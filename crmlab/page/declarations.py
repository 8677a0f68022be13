"""What an analysis may declare on its face beside ``NEEDS``, ``Params`` and ``run``: ``INPUTS`` and ``ANNOTATES``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Annotation", "Input"]


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
    """

    name: str
    fingerprint: Callable[[], str]
    secrets: Callable[[], Sequence[str]] = tuple


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
    """

    output: str
    columns: tuple[str, ...]
