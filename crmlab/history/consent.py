"""How many of some customers may be contacted, and the sentence that says so wherever a page singles them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crmlab.page.format import Format

__all__ = ["COMPLAINED", "REFUSED", "Consent"]

REFUSED, COMPLAINED = "has not consented", "has complained"  # why somebody must not be contacted


class Consent(NamedTuple):
    """How many of some customers may be contacted, must not be, and of how many the data do not say.

    Of those who must not be, ``complained`` gave consent, or were not asked, and have complained.
    """

    yes: int
    no: int
    unknown: int
    complained: int = 0

    @classmethod
    def of(cls, answers: Iterable[str], refusals: Iterable[str]) -> Consent:
        """Count a list's columns ``contactable`` and ``refusal``.

        Examples
        --------
        >>> Consent.of(["yes", "no", "yes"], ["", COMPLAINED, ""])
        Consent(yes=2, no=1, unknown=0, complained=1)
        """
        given, why = list(answers), list(refusals)
        return cls(given.count("yes"), given.count("no"), given.count("not known"), why.count(COMPLAINED))

    @property
    def told(self) -> bool:
        """Whether the data say of anybody whether they may be contacted."""
        return bool(self.yes or self.no)

    def said(self, form: Format) -> str:
        """How many of them may be contacted, as a sentence that follows one that singles them out.

        Examples
        --------
        >>> from crmlab.page.format import Format
        >>> Consent(332, 65, 0).said(Format())
        '332 of them may be contacted; 65 must not be (no consent).'
        >>> Consent(332, 65, 0, complained=3).said(Format())
        '332 of them may be contacted; 65 must not be (no consent, or a complaint).'
        >>> Consent(0, 0, 20).said(Format())
        'The data do not say whether they may be contacted.'
        >>> Consent(12, 0, 0).said(Format())
        'All of them may be contacted.'
        """
        if self.yes + self.no + self.unknown == 0:
            return ""
        if not self.told:
            return "The data do not say whether they may be contacted."
        if not self.no and not self.unknown:
            return "All of them may be contacted."
        if not self.yes and not self.unknown:
            return "None of them may be contacted."
        parts = [f"{form.count(self.yes)} of them may be contacted"]
        if self.no:
            refused, complained = self.no > self.complained, self.complained > 0
            why = ", or ".join(["no consent"] * refused + ["a complaint"] * complained)
            parts.append(f"{form.count(self.no)} must not be ({why})")
        if self.unknown:
            parts.append(f"for {form.count(self.unknown)} it is not known")
        return f"{'; '.join(parts)}."
