"""A saved model is made again, of whichever class it is."""

from __future__ import annotations

import os
from typing import Any

from crmlab.models.btyd.customer_value import CustomerValue
from crmlab.models.btyd.named import made_again
from crmlab.models.btyd.saving import read, whole

__all__ = ["load_model"]


def load_model(path: str | os.PathLike[str]) -> Any:
    """Load a model of purchases, of spend or of value from the file that its ``save`` has written.

    Parameters
    ----------
    path : path

    Returns
    -------
    BGNBD, MBGNBD, ParetoNBD, BGBB, SBG, BDW, GammaGamma or CustomerValue
        It answers as the one that was saved did, intervals included. It has no customers: ``was_fitted_to`` recognises them.

    Raises
    ------
    ModelError
        The file cannot be read, is no saved model, was changed, or is of a newer format.

    Examples
    --------
    >>> import tempfile
    >>> from crmlab.models import BGNBD
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     BGNBD.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426).save(f"{folder}/model.json")
    ...     load_model(f"{folder}/model.json").params_
    {'r': 0.243, 'alpha': 4.414, 'a': 0.793, 'b': 2.426}
    """
    found = read("load_model", path)
    if found.get("class") == CustomerValue.__name__:
        return CustomerValue.load(path)
    return whole("load_model", path, lambda: made_again(found))
