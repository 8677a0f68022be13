"""Small matrices in one thread: several cost more than they save, and on busy cores wait for each other."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import cast

import scipy.linalg  # noqa: F401  its library of linear algebra is one of those that are held to one thread
from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@cache
def _libraries() -> ThreadpoolController:
    # Looking for them takes milliseconds, limiting those that were found none.
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[None]:
    """Hold NumPy's and SciPy's linear algebra to one thread inside a block.

    Examples
    --------
    >>> with one_thread():
    ...     pass
    """
    return cast(AbstractContextManager[None], _libraries().limit(limits=1, user_api="blas"))
