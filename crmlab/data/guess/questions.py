"""What `crmlab new` asks: a sentence, the answers that there are, and what each writes into the TOML file.

The same sentence stands in the file where nobody answered, after ``# unsure:``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Question"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer to a question.

    Attributes
    ----------
    label : str
        The answer in a few words.
    columns : mapping
        Canonical column → the file's; None: it is not mapped.
    options : mapping
        Keys of the table's section; None: the key goes. Statuses are added to those that ``keep`` and ``drop`` have.
    settings : mapping
        Keys at the top of the file; None: the key goes. A key that begins with # is only suggested.
    otherwise : mapping
        Of a question with several answers, what is written into the table's section where this one is not given.
    rates : tuple of str
        Currencies of which it is asked next what one unit is worth.
    """

    label: str
    columns: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    otherwise: Mapping[str, Any] = field(default_factory=dict)
    rates: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a file.

    Attributes
    ----------
    key : str
        The line of the TOML file that it is about.
    sentence : str
        What was found, and what is to be decided.
    answers : tuple of Answer
    default : int or None
        The answer of somebody who only presses Enter; None where several answers may be given: none of them.
    """

    key: str
    sentence: str
    answers: tuple[Answer, ...]
    default: int | None = 0

    @property
    def several(self) -> bool:
        """Whether more than one answer may be given."""
        return self.default is None

    def written(self, chosen: Sequence[int]) -> Answer:
        """Return what the chosen answers write, taken together.

        Examples
        --------
        >>> hold = Answer(label="on-hold", options={"keep": ["on-hold"]}, otherwise={"drop": ["on-hold"]})
        >>> late = Answer(label="late", options={"keep": ["late"]}, otherwise={"drop": ["late"]})
        >>> Question(key="status", sentence="Which are sales?", answers=(hold, late), default=None).written([1]).options
        {'drop': ['on-hold'], 'keep': ['late']}
        """
        if not self.several:
            return self.answers[chosen[0]]
        options: dict[str, list[Any]] = {}
        for place, answer in enumerate(self.answers):
            for key, value in (answer.options if place in chosen else answer.otherwise).items():
                options[key] = [*options.get(key, []), *value]
        return Answer(label=", ".join(self.answers[place].label for place in chosen), options=options)
