"""Fitted models as JSON files: parameters, posterior and clock in numbers that anybody can read, and no code that runs on loading.

A file holds no customers: of those a model was fitted to it has a hash, by which they are recognised.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import platform
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import scipy

from crmlab.errors import ModelError, shown
from crmlab.models.btyd.clock import Clock
from crmlab.models.btyd.covariates import Covariates, Design
from crmlab.models.btyd.fitting import Coordinates
from crmlab.models.btyd.posterior import Posterior
from crmlab.models.btyd.priors import checked_priors
from crmlab.models.btyd.special import Array

__all__ = ["FORMAT", "VERSION", "described", "of_class", "read", "restored", "whole", "write"]


FORMAT = "crmlab purchase model"
VERSION = 1  # of the format: a file of a newer one is refused
_Made = TypeVar("_Made")


# Files.


def write(who: str, path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write what describes a model to a file: all of it or nothing, so that whoever reads meanwhile finds the old one whole.

    Parameters
    ----------
    who : str
        Name of the class, for the file and for messages.
    path : path
    content : dict
        As of :func:`described`.

    Raises
    ------
    ModelError
        The file cannot be written.
    """
    head = {"format": FORMAT, "version": VERSION, "class": who, "made_with": _versions()}
    text = json.dumps({**head, **content}, indent=1, allow_nan=False)
    place = Path(path)
    beside = place.with_name(f".{place.name}.{secrets.token_hex(6)}.part")
    try:
        with beside.open("x", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise ModelError.cannot(_file(who, path), "be written", error.strerror) from None


def read(who: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what describes a model from a file.

    Raises
    ------
    ModelError
        The file cannot be read, is none of :func:`write`, or of a newer format.
    """
    file = _file(who, path)
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError.cannot(file, "be read", error.strerror, "Write it with save(path).") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ModelError.must_be(file, "a model that was saved by save(path)", "something else", "Is it another file?")
    version = found.get("version")
    if not isinstance(version, int) or version < 1:
        raise ModelError.must_be(file, f"of format {VERSION}", version)
    if version > VERSION:
        made = found.get("made_with")
        by = made.get("crmlab", "a newer one") if isinstance(made, dict) else "a newer one"
        raise ModelError.must_be(file, f"of format {VERSION}", version, f"Load it with a newer crmlab: it was written by {by}.")
    return found


def whole(who: str, path: str | os.PathLike[str], make: Callable[[], _Made]) -> _Made:
    """Make a model of what was read; say so where a part of the file is missing or is not what it should be."""
    try:
        return make()
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        missing = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise ModelError(
            f"{_file(who, path)} is not whole. Expected what save(path) writes. Found: {missing}. Save the model again."
        ) from None


def of_class(who: str, path: str | os.PathLike[str], found: dict[str, Any]) -> dict[str, Any]:
    """What was read, where it describes a model of the class that asks; else an error that says of which it is."""
    if found.get("class") != who:
        hint = "load_model(path) loads a model of any class."
        raise ModelError.must_be(_file(who, path), f"a saved {who}", found.get("class"), hint)
    return found


def _file(who: str, path: str | os.PathLike[str]) -> str:
    return f"{who}: the file {shown(Path(path).name)}"


def _versions() -> dict[str, str]:
    return {
        "crmlab": sys.modules["crmlab"].__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


# Models.


def described(model: Any) -> dict[str, Any]:
    """Describe a model of purchases or spend by its options, its parameters and, where it was fitted, what the fit has told.

    Raises
    ------
    NotFittedError
        There are no parameters.
    """
    given = dict(zip(model.all_names, model.parameters().tolist(), strict=True))
    options = {name: _told(value) for name, value in model.get_params(deep=False).items()}
    found = {"options": options, "params": given, "boundary": model.boundary_, "lesser_optima": list(model.lesser_optima_)}
    if getattr(model, "design_", None) is not None:
        found["covariates"] = model.design_.told()
    if also := {name: _told(getattr(model, f"{name}_")) for name in model.also_saved if hasattr(model, f"{name}_")}:
        found["also"] = also
    if model.has_posterior:
        found["fit"] = _fit(model)
    return found


def _told(value: Any) -> Any:
    """An option, a number or a row of numbers as JSON has it; what is not finite is None, or the word for infinity."""
    if isinstance(value, Clock | Covariates):
        return {field.name: _told(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _told(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_told(part) for part in value]
    if isinstance(value, np.ndarray):
        return (
            [_told(part) for part in value] if value.ndim > 1 else [None if part != part else part for part in value.tolist()]
        )
    if isinstance(value, np.integer | np.floating | np.bool_):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None if value != value else ("inf" if value > 0 else "-inf")
    return value.isoformat() if isinstance(value, dt.date) else value


def _fit(model: Any) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "log_likelihood": model.log_likelihood_,
        "customers": model.n_customers_,
        "states": model.n_states_,
        "aic": model.aic_,
        "bic": model.bic_,
        "covariance": _told(model.covariance_.to_numpy(float)),
        "standard_errors_reason": model.standard_errors_reason_,
        "summary_hash": model.summary_hash_,
        "unit": float(model.coordinates_.unit),
    }
    try:
        kept["posterior"] = _posterior(model.posterior())
    except ModelError as error:  # not usable: so it is after loading
        kept["posterior"] = {"unusable": str(error)}
    return kept


def _posterior(posterior: Posterior) -> dict[str, Any]:
    if posterior.normal:
        return {"draws": len(posterior.weight), "mean": posterior.mean.tolist(), "root": posterior.root.tolist()}
    return {"share": posterior.share, "eta": posterior.eta.tolist(), "weight": posterior.weight.tolist()}


def restored(kind: type[Any], content: dict[str, Any]) -> Any:
    """Make the model again that :func:`described` described.

    Parameters
    ----------
    kind : type
        Of the model.
    content : dict

    Raises
    ------
    ModelError, KeyError, TypeError, ValueError
        Something is missing, or is not what it should be; see :func:`whole`.
    """
    options = dict(content["options"])
    if options.get("clock") is not None:
        options["clock"] = _clock(options["clock"])
    if isinstance(options.get("priors"), dict):
        options["priors"] = {name: tuple(pair) for name, pair in options["priors"].items()}
    if isinstance(options.get("covariates"), dict):
        options["covariates"] = Covariates(**options["covariates"])
    model = kind(**options)
    if "covariates" in content:
        model.design_ = Design.of(content["covariates"])
    checked_priors(kind.__name__, model.priors, kind.parameter_names)
    model.params_ = {name: float(content["params"][name]) for name in model.all_names}
    if not all(0 < model.params_[name] < np.inf for name in kind.parameter_names):
        raise ValueError("parameters that are not positive")
    if not np.isfinite(list(model.params_.values())).all():
        raise ValueError("coefficients that are no numbers")
    model.boundary_, model.lesser_optima_ = content["boundary"], tuple(content["lesser_optima"])
    for name in model.also_saved:
        if name in content.get("also", {}):
            setattr(model, f"{name}_", _untold(content["also"][name]))
    if "fit" in content:
        _refit(model, content["fit"])
    return model


def _untold(value: Any) -> Any:
    """What :func:`_told` told, with its words for what is not finite as numbers again."""
    if isinstance(value, list):
        return [_untold(part) for part in value]
    return float(value) if value in ("inf", "-inf") else value


def _refit(model: Any, kept: dict[str, Any]) -> None:
    names = list(model.all_names)
    model.log_likelihood_, model.aic_, model.bic_ = (float(kept[name]) for name in ("log_likelihood", "aic", "bic"))
    model.n_customers_, model.n_states_ = int(kept["customers"]), int(kept["states"])
    model.summary_hash_ = str(kept["summary_hash"])
    model.standard_errors_reason_ = kept["standard_errors_reason"]
    model.covariance_ = pd.DataFrame(_numbers(kept["covariance"], (len(names), len(names))), index=names, columns=names)
    errors = np.sqrt(np.diag(model.covariance_.to_numpy()))
    model.standard_errors_ = pd.Series(errors, index=names, name="standard_error")
    model.standard_errors_.attrs["reason"] = model.standard_errors_reason_
    model.coordinates_ = model.coordinates_of(float(kept["unit"]))
    told = kept["posterior"]
    model.unusable_ = told.get("unusable")
    model.kept_ = None if "unusable" in told else _made(told, model.coordinates_, len(names), model.seed)
    if model.kept_ is not None:
        model.effective_sample_size_ = model.kept_.share * len(model.kept_.weight)


def _made(told: dict[str, Any], where: Coordinates, d: int, seed: int) -> Posterior:
    if "root" in told:
        return Posterior.of_normal(
            _numbers(told["mean"], (d,)), _numbers(told["root"], (d, d)), where, int(told["draws"]), seed
        )
    weight = _numbers(told["weight"], (len(told["weight"]),))
    if not abs(weight.sum() - 1) < 1e-9:
        raise ValueError("weights that do not add up to 1")
    return Posterior(_numbers(told["eta"], (len(weight), d)), weight, float(told["share"]), where)


def _clock(told: dict[str, Any]) -> Clock:
    """A clock, from what was told of it."""
    plain = dict(told)
    end = dt.date.fromisoformat(plain.pop("end"))
    special = {dt.date.fromisoformat(day): float(factor) for day, factor in plain.pop("special").items()}
    numbers = {name: np.array(value, dtype=float) if isinstance(value, list) else float(value) for name, value in plain.items()}
    return Clock(end=end, special=special, **numbers)  # type: ignore[arg-type]


def _numbers(told: Any, shape: tuple[int, ...]) -> Array:
    found = np.array(told, dtype=float)
    if found.shape != shape:
        raise ValueError(f"numbers of shape {found.shape} instead of {shape}")
    return found
