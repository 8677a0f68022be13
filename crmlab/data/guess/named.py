"""Guesses where somebody has said which column is which: a file is looked at under these names, and told of under its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crmlab.data.guess.questions import Question
from crmlab.data.guess.sniff import Sample
from crmlab.data.guess.suggest import Guess
from crmlab.data.tables import TABLES

__all__ = ["own_names", "with_names"]

_NAMING = ("customer_hash", "only_where", "drop_where")  # options that name a column of the source


def with_names(source: Sample, columns: Mapping[str, str]) -> Sample:
    """Return a file as if its columns had the names that somebody gives them: then they leave no question.

    Parameters
    ----------
    source : Sample
        The file's first rows.
    columns : mapping
        Canonical column → the file's. Those that the file lacks are passed over.

    Returns
    -------
    Sample
        A column that has one of these names already, and is not meant, gets a name that means nothing.
    """
    wanted = {own: name for name, own in columns.items() if own in source.names}
    names = [
        wanted.get(own, f"column_{place}" if own.lower() in wanted.values() else own)
        for place, own in enumerate(source.names, 1)
    ]
    return replace(source, names=tuple(names))


def own_names(guess: Guess, source: Sample, columns: Mapping[str, str]) -> Guess:
    """Return the guess of what :func:`with_names` made, with the columns that somebody named, under the file's own names.

    Parameters
    ----------
    guess : Guess
    source : Sample
        The file's first rows, as they are.
    columns : mapping
        As for :func:`with_names`.
    """
    seen = with_names(source, columns).names
    own = {new: old for new, old in zip(seen, source.names, strict=True) if new != old}
    if not columns:
        return guess
    kept = {column.name for column in TABLES[guess.table].columns}
    given = {name: column for name, column in columns.items() if name in kept and column in source.names}
    found = {name: own.get(column, column) for name, column in guess.columns.items()}
    mapped = {**{name: column for name, column in found.items() if column not in given.values()}, **given}
    options = _options(guess.options, own)
    hashed = options.get("customer_hash")
    if hashed is not None and given.get("customer_id", hashed) == hashed:
        mapped.pop("customer_id", None)  # what is named tells who somebody is: the id is its hash
    else:
        options.pop("customer_hash", None)
    if "without" in options:
        options["without"] = [name for name in options["without"] if name not in given]
        if not options["without"]:
            del options["without"]
    return replace(
        guess,
        columns={column.name: mapped[column.name] for column in TABLES[guess.table].columns if column.name in mapped},
        options=options,
        maybe={name: own.get(column, column) for name, column in guess.maybe.items() if name not in given},
        personal=tuple(own.get(name, name) for name in guess.personal),
        unread=tuple(own.get(name, name) for name in guess.unread if own.get(name, name) not in mapped.values()),
        unsure=tuple((key, _sentence(text, own)) for key, text in guess.unsure),
        questions=tuple(_question(one, own) for one in guess.questions),
    )


def _options(options: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    made = {key: own.get(value, value) if key in _NAMING and value is not None else value for key, value in options.items()}
    if "names" in made:
        made["names"] = [own.get(name, name) for name in made["names"]]
    return made


def _question(question: Question, own: Mapping[str, str]) -> Question:
    answers = tuple(
        replace(
            answer,
            label=_sentence(answer.label, own),
            columns={key: own.get(name or "", name) for key, name in answer.columns.items()},
            options=_options(answer.options, own),
        )
        for answer in question.answers
    )
    return Question(key=question.key, sentence=_sentence(question.sentence, own), answers=answers, default=question.default)


def _sentence(text: str, own: Mapping[str, str]) -> str:
    return re.sub("'([^']*)'", lambda found: f"'{own.get(found[1], found[1])}'", text)
