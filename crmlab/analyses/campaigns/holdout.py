"""The universal control of a data set: households that nothing is ever sent to, as its file declares them once for all campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from crmlab.data.sections import Section
from crmlab.data.toml import STRICT, checked, holds, must
from crmlab.errors import CampaignError, DescriptorError, shown
from crmlab.errors.validation import Faults

if TYPE_CHECKING:
    from crmlab.data.dataset import Dataset

__all__ = ["LEAST_SALT", "SECTION", "Holdout", "holdout_for", "parse_holdout"]

LEAST_SALT = 8  # characters
SECTION = "holdout"
_Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), must("a number of at least 0 and under 1")]
_Salt = Annotated[str, holds(lambda text: len(text.strip()) >= LEAST_SALT), must(f"a text of at least {LEAST_SALT} characters")]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Holdout:
    """The universal control, as ``[holdout]`` declares it.

    Attributes
    ----------
    share : float
        Of households. Whoever is held out at a smaller share is held out at a larger one.
    salt : str
        Permanent: another salt is another control.
    """

    share: _Share
    salt: _Salt


def parse_holdout(section: Section, where: str) -> Holdout:
    """Check the universal control of a TOML file.

    Raises
    ------
    DescriptorError
        The share is no share, or the salt is short or not there.

    Examples
    --------
    >>> parse_holdout(Section("holdout", {"share": 0.05, "salt": "for ever and ever"}), "shop.toml")
    Holdout(share=0.05, salt='for ever and ever')
    """
    content, place = section.content, section.where(where)
    if not isinstance(content, dict):
        raise DescriptorError.expected(f"{place}: {SECTION}", f"given as [{SECTION}], once", content)
    faults = Faults(DescriptorError, place, {SECTION: content})
    made = checked(Holdout, content, faults, (SECTION,), f"[{SECTION}]")
    faults.tell()
    assert made is not None
    return made


def holdout_for(data: Dataset, share: float | None = None, salt: str | None = None) -> Holdout | None:
    """The households that a campaign leaves out: those of the data set's universal control, or of the campaign's own.

    Parameters
    ----------
    data : Dataset
    share, salt : float and str, optional
        What the campaign says itself. It may hold out more than the data set, never by another salt.

    Returns
    -------
    Holdout or None
        None where neither names any.

    Raises
    ------
    CampaignError
        The campaign names another salt than the data set: its people would not be those that nothing is ever sent to.
    """
    section = data.descriptor.sections.get(SECTION)
    own = None if share is None or salt is None else Holdout(share=share, salt=salt)
    if section is None:
        return own
    declared = parse_holdout(section, data.descriptor.where)
    if own is None:
        return declared
    if own.salt != declared.salt:
        raise CampaignError(
            f"holdout_salt must be that of [holdout] in {data.descriptor.where}, or left out. Got {shown(own.salt)} instead. Another salt "
            "would hold out other people."
        )
    return Holdout(share=max(own.share, declared.share), salt=own.salt)
