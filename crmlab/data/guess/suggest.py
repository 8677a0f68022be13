"""Looks at a user's file and suggests how to read it: the table, the mapping, the options, and what is not sure."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from crmlab.data.exports import Part, recognised
from crmlab.data.guess.campaign_tables import campaign_table
from crmlab.data.guess.contract_tables import contract_table
from crmlab.data.guess.customers import ask_about_customers, person_column
from crmlab.data.guess.date_columns import Dates
from crmlab.data.guess.doubts import say_missing, say_unreadable, settle_money
from crmlab.data.guess.export_questions import ask_about_export
from crmlab.data.guess.exported import apply_export
from crmlab.data.guess.flags import find_flags
from crmlab.data.guess.number_columns import currencies, in_cents
from crmlab.data.guess.oddities import ask_about_oddities
from crmlab.data.guess.outcome_files import outcome_file
from crmlab.data.guess.profiles import Profile, decimal_sign, profile
from crmlab.data.guess.questions import Answer, Question
from crmlab.data.guess.roles import TIMES, Roles, assign, complete
from crmlab.data.guess.sales import find_sales, settle_status
from crmlab.data.guess.settings import choose_settings
from crmlab.data.guess.sniff import Sample, find, sample
from crmlab.data.guess.summaries import no_orders
from crmlab.data.guess.text import TABLE
from crmlab.data.personal import holds_contact, plain
from crmlab.data.reading.source import ENDINGS
from crmlab.data.reading.times import is_zone
from crmlab.errors import SourceError

__all__ = ["Guess", "dataset_name", "examples", "guesses", "look", "valid"]

_SALES = ("orders", "order_lines")
_TIMES = (*TIMES, "contacted_at", "responded_at", "opens_on", "started_at")

_COUNTED = {
    "epoch": "the numbers are seconds since 1970",
    "epoch_ms": "the numbers are milliseconds since 1970",
    "excel": "the numbers are days as spreadsheets count them",
}


@dataclass(frozen=True)
class Guess:
    """How a file may be read as a canonical table.

    Attributes
    ----------
    name : str
        The name of the data set, made from the file's.
    table : str
        The canonical table.
    path : Path
        The user's file.
    file : str
        The file as the TOML file names it; an absolute path until :func:`~crmlab.data.guess.write` places it.
    rows : int
        How many rows were looked at.
    complete : bool
        Whether these are all rows.
    columns : mapping
        For each canonical column the file's.
    options : mapping
        How the file is read: delimiter, encoding, decimal, date_format, …
    settings : mapping
        Values for the top of the TOML file; a key that begins with # is only suggested.
    remarks : mapping
        For each key what to say beside it.
    maybe : mapping
        For required columns that were not found, a name that may be meant.
    personal, unread : tuple of str
        Columns that tell who somebody is, and others, that are not read.
    unsure : tuple of (key, sentence)
        The doubts, with the line that each belongs to.
    questions : tuple of Question
        Those of the doubts that somebody can decide.
    export : str
        What the file looks like, "a Shopify order export"; empty where no export was recognised.
    notes : tuple of str
        What is to be known of such an export.
    """

    name: str
    table: str
    path: Path
    file: str
    rows: int
    complete: bool
    columns: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    maybe: Mapping[str, str] = field(default_factory=dict)
    personal: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unsure: tuple[tuple[str, str], ...] = ()
    questions: tuple[Question, ...] = ()
    export: str = ""
    notes: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is not sure, in plain sentences."""
        return tuple(sentence for _, sentence in self.unsure)

    def answered(self, question: Question, answer: Answer) -> Guess:
        """Return the guess with an answer written into it; its question is no doubt any more."""
        options = {**self.options, **answer.options}
        if {"keep", "drop"} & set(answer.options):
            for key in ("keep", "drop"):
                options[key] = [*self.options.get(key, self.options.get(f"#{key}", ())), *answer.options.get(key, ())]
                options[f"#{key}"] = None
        return replace(
            self,
            columns=_without_none({**self.columns, **answer.columns}),
            options=_without_none(options),
            settings=_without_none({**self.settings, **answer.settings}),
            unsure=tuple(doubt for doubt in self.unsure if doubt != (question.key, question.sentence)),
            questions=tuple(other for other in self.questions if other is not question),
        )


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def look(path: str | os.PathLike[str]) -> Guess:
    r"""Look at a file and guess how it is to be read.

    Only the first rows are read, and of a long text file some pieces further down.

    Parameters
    ----------
    path : str or path
        A csv, tsv, txt (packed with gzip or not), Parquet or workbook file; a relative one is also looked for in the
        folder of the user's own data.

    Returns
    -------
    Guess

    Raises
    ------
    SourceError
        No such file, an empty one, an unknown format, damaged or binary content.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "sales.csv")
    ...     _ = file.write_text("cust;date;total\n7;31.12.2024;1,50\n8;30.12.2024;2,00\n")
    ...     guess = look(file)
    >>> guess.table, dict(guess.columns)
    ('orders', {'customer_id': 'cust', 'ordered_at': 'date', 'amount': 'total'})
    >>> guess.options["decimal"], guess.options["date_format"]
    (',', '%d.%m.%Y')
    """
    return guesses(sample(valid(find(Path(path)))))[0]


def guesses(source: Sample, *, alone: bool = True) -> list[Guess]:
    """Guess how a file is to be read: as one table, or as those that a known export makes.

    Parameters
    ----------
    source : Sample
        The file's first rows.
    alone : bool
        Whether it is the only file of the data set.

    Returns
    -------
    list of Guess
        At least one; that of the orders first.
    """
    export = recognised(source.names) if source.header else None
    made = apply_export(export, source) if export is not None else []
    if source.table is not None:
        made = [item for item in made if item.part.table == source.table]
    if export is not None and made:
        for item in made:
            item.roles.zero_is_guest = export.zero_is_guest
        found = [_known(source, item.roles, item.profiles, item.part, item.options) for item in made]
        asked = {key for key, _ in found[0].unsure}  # once, for all tables
        rest = [
            replace(
                guess,
                unsure=tuple(doubt for doubt in guess.unsure if doubt[0] not in asked),
                questions=tuple(question for question in guess.questions if question.key not in asked),
            )
            for guess in found[1:]
        ]
        first = replace(found[0], notes=export.notes)
        if {"orders", "order_lines"} <= {guess.table for guess in found}:
            # Discounts, shipping and refunds of an order are in its total, and in none of its lines.
            settings = {**first.settings, "accepted": ["Sums agree"]}
            remarks = {
                **first.remarks,
                "accepted": "what is charged or taken off for a whole order is in its total, not in its lines",
            }
            first = replace(first, settings=settings, remarks=remarks)
        return [replace(guess, export=export.name) for guess in (first, *rest)]
    return [_guessed(source, alone=alone)]


def _known(source: Sample, roles: Roles, profiles: list[Profile], part: Part, declared: dict[str, Any]) -> Guess:
    """The guess of one table of a known export."""
    _take_over(source, roles)
    say_unreadable(roles, declared.get("date_format"))
    options = (_read(source, roles) if "date_format" in declared else _options(source, roles, profiles)) | declared
    return _suggested(source, roles, profiles, options, part)


def _guessed(source: Sample, *, alone: bool) -> Guess:
    """The guess of a file that no known export explains."""
    profiles = [profile(n, v, source.header) for n, v in zip(source.names, source.columns, strict=True)]
    decimal = decimal_sign(profiles)[0]
    campaign = campaign_table(profiles, decimal) or contract_table(profiles, decimal) if source.header else None
    if campaign is not None and source.table in (None, campaign.table):
        if alone and campaign.table != "contracts":  # a data set may hold these alone
            campaign.doubt(
                campaign.table,
                f"The file seems to hold {campaign.table} and no orders. Put this section into the TOML file of your orders.",
            )
        _take_over(source, campaign)
        say_unreadable(campaign)
        made = _options(source, campaign, profiles)
        if (
            campaign.table != "cells"
            and "customer_id" not in campaign.columns
            and (mail := person_column(campaign)) is not None
        ):
            made["customer_hash"] = mail.name
        return _suggested(source, campaign, profiles, made, None)
    tested = (
        outcome_file(profiles, source.columns, decimal_sign(profiles)[0])
        if source.header and source.table is None and alone
        else None
    )
    if tested is not None:
        _take_over(source, tested[0])
        return _suggested(source, tested[0], profiles, {**_read(source, tested[0]), **tested[1]}, None)
    roles, profiles = assign(source)
    settle_money(roles, profiles)
    complete(roles, profiles)
    _take_over(source, roles)
    options: dict[str, Any] = {}
    none = no_orders(roles, profiles) if roles.table in _SALES else ""
    if none:
        roles.doubt("file", none)
    elif roles.table in _SALES:
        _find_zone(roles, profiles)
        find_sales(roles, profiles)
    if not none and roles.table != "products":
        if "customer_id" in roles.columns and roles.columns["customer_id"].personal:
            roles.personal = (roles.columns.pop("customer_id"), *roles.personal)
        if "customer_id" not in roles.columns and source.header and (person := person_column(roles)) is not None:
            options["customer_hash"] = _ask_person(roles, person)
    maybe = say_missing(roles, profiles, alone=alone, none=bool(none), hashed="customer_hash" in options)
    say_unreadable(roles)
    made = {**_options(source, roles, profiles), **options, **({"without": roles.without} if roles.without else {})}
    return _suggested(source, roles, profiles, made, None, maybe, sales=not none)


def _take_over(source: Sample, roles: Roles) -> None:
    """Take over what is not sure about the file; an encoding only where it changes what stands in the rows."""
    plain_text = all(str(value).isascii() for column in source.columns for value in set(column))
    for key, sentence in source.doubts:
        if key != "encoding" or not plain_text:
            roles.doubt(key, sentence)


def _ask_person(roles: Roles, person: Profile) -> str:
    """Take an e-mail address for who bought where there is no id, as a keyed hash."""
    alike = "" if person.contacts > 0.3 else " Two people with the same name would count as one customer."
    found = "No customer id column was found."
    sentence = f"{found} '{person.name}' identifies the buyer: a keyed hash of it is used as the id.{alike}"
    yes = Answer(label=f"yes, by '{person.name}'")
    roles.ask(
        Question(key="customer_hash", sentence=sentence, answers=(yes, Answer(label="no", options={"customer_hash": None})))
    )
    return person.name


def _suggested(
    source: Sample,
    roles: Roles,
    profiles: list[Profile],
    options: dict[str, Any],
    part: Part | None,
    maybe: Mapping[str, str] | None = None,
    *,
    sales: bool = True,
) -> Guess:
    """Complete a mapping: what holds for the data set, what is asked, what is said beside each line."""
    remarks: dict[str, str] = dict(source.remarks)
    if (form := options.get("date_format")) in _COUNTED:
        remarks["date_format"] = _COUNTED[form]
    settings = choose_settings(roles, profiles, remarks)
    hashed = options.get("customer_hash")
    if sales and roles.table in _SALES:
        settle_status(roles, part, options, remarks, complete=source.complete)
        if part is not None:
            ask_about_export(roles, profiles, part, options, remarks, complete=source.complete)
        find_flags(roles, profiles, options, remarks)
        ask_about_customers(roles, next((item for item in profiles if item.name == hashed), None), settings, remarks)
        ask_about_oddities(roles, profiles, options.get("date_format"), settings, remarks)
    for role, item in roles.columns.items():
        if shown := examples(roles, role, item):
            # The data set has a key of this name too.
            remarks[f"{roles.table}.{role}" if role == "currency" else role] = f"for example {', '.join(shown)}"
    mapped = {role: item.name for role, item in roles.columns.items()}
    personal = tuple(item.name for item in roles.personal if item.name != hashed)
    used = {*mapped.values(), *personal, hashed, options.get("only_where"), options.get("drop_where")}
    used |= {*options.get("outcomes", ()), *options.get("covariates", ())}
    unread = [item.name for item in profiles if item.name not in used]
    return Guess(
        name=dataset_name(source.path),
        table=roles.table,
        path=source.path,
        file=Path(os.path.abspath(source.path)).as_posix(),
        rows=source.rows,
        complete=source.complete,
        columns=mapped,
        options=options,
        settings=settings,
        remarks=remarks,
        maybe=maybe or {},
        personal=personal,
        # Where the header is not sure its cells may be values, which are not to be shown.
        unread=tuple(unread) if source.header_sure and source.header else (),
        unsure=tuple(dict.fromkeys(roles.doubts)),
        questions=tuple(roles.questions),
    )


def _find_zone(roles: Roles, profiles: list[Profile]) -> None:
    """Map a column of time zones, without which times would be taken for those of one place."""
    taken = {item.name for item in roles.columns.values()}
    if "ordered_at" not in roles.columns:
        return
    for item in profiles:
        texts = {str(value).strip() for value in item.values if value is not None}
        named = re.search(r"zone|(?<![a-z])tz(?![a-z])|utc.?offset", item.name, re.IGNORECASE) is not None
        placed = all("/" in text or text == "UTC" for text in texts)  # Japan is a zone too, and a country more often
        if item.name not in taken and texts and (named or placed) and all(map(is_zone, texts)):
            roles.columns["time_zone"] = item
            return


def valid(path: Path) -> Path:
    """Return a path that can be written into a text; SourceError for another."""
    try:
        os.path.abspath(path).encode("utf-8")
    except UnicodeEncodeError as error:
        shown = path.name.encode("ascii", "replace").decode()
        raise SourceError.unreadable(TABLE, shown, "Its name or folder is no valid text.", "Rename it.") from error
    return path


def dataset_name(path: Path) -> str:
    """Make the name of a data set from the name of a file.

    Examples
    --------
    >>> dataset_name(Path("Bestellungen März 2024.csv.gz"))
    'bestellungen_marz_2024'
    """
    name = path.name
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return re.sub(r"[^\w-]+|_+", "_", plain(name)).strip("_-")[:60] or "orders"


def examples(roles: Roles, role: str, item: Profile) -> list[str]:
    """Return two or three values to show beside a line, none that tells who somebody is."""
    if role in roles.hidden:
        return []
    private = {str(value) for other in roles.personal for value in set(other.values)}
    shown: list[str] = []
    for value in item.values:
        text = _shown(value)
        if value is None or holds_contact(text) or str(value) in private or text in shown or text in private:
            continue
        if role in ("customer_id", "household_id") and not re.fullmatch(r"(?=.*[0-9])[^\s@]{1,40}", text):
            continue  # a name, perhaps
        shown.append(text)
        if len(shown) == 3:
            break
    return shown


def _shown(value: Any) -> str:
    if isinstance(value, (dt.date, dt.datetime)):
        text = value.isoformat(sep=" ") if isinstance(value, dt.datetime) else value.isoformat()
    elif isinstance(value, (float, Decimal)):
        text = f"{value:.12g}"
    else:
        text = str(value)
    return text if len(text) <= 30 else text[:29] + "…"


def _options(source: Sample, roles: Roles, profiles: list[Profile]) -> dict[str, Any]:
    """How the file is to be read: only what differs from what the reader would do anyway."""
    options = _read(source, roles)
    when = next((roles.columns[role] for role in _TIMES if role in roles.columns), None)
    if when is not None and (form := _date_format(source, roles, when, profiles)):
        options["date_format"] = form
    if when is not None and when.dates.language:
        options["month_language"] = when.dates.language
        if when.dates.rivals:
            others = " or ".join(when.dates.rivals[:3])
            roles.doubt("month_language", f"The same names are other months in {others} than in {when.dates.language}.")
    if _may_be_cents(roles, when):
        options["#amounts_in"] = "cents"
    return options


def _read(source: Sample, roles: Roles) -> dict[str, Any]:
    """The options that do not depend on dates."""
    options: dict[str, Any] = {}
    if source.sheet is not None:
        options["sheet"] = source.sheet
    if source.delimiter is not None:
        options["delimiter"] = source.delimiter
    if source.encoding is not None:
        options["encoding"] = source.encoding
    if source.escape is not None:
        options["escape"] = source.escape
    if source.skip_rows:
        options["skip_rows"] = source.skip_rows
    if source.header_row != (1,):
        options["header_row"] = list(source.header_row)
    if source.footer_rows:
        options["footer_rows"] = source.footer_rows
    if not source.header:
        options |= {"header": False, "names": list(source.names)}
    if roles.decimal == "," or any(key == "decimal" for key, _ in roles.doubts):
        options["decimal"] = roles.decimal
    return options


def _may_be_cents(roles: Roles, when: Profile | None) -> bool:
    """Ask whether amounts are cents: their name says so, or they are whole in a file with seconds since 1970."""
    money = [roles.columns[role] for role in ("amount", "unit_price", "unit_cost") if role in roles.columns]
    named = next((item for item in money if in_cents(item.name, item.numbers)), None)
    if named is not None:
        why = f"The name of '{named.name}' suggests that its amounts are in cents"
    elif money and when is not None and (when.dates.form or "").startswith("epoch") and _are_whole(money, roles.decimal):
        why = f"'{money[0].name}' holds whole numbers and the times are seconds since 1970: such amounts are often in cents"
    else:
        return False
    roles.doubt("amounts_in", f'{why}. If so, write amounts_in = "cents" under [{roles.table}]: 2946 is then read as 29.46.')
    return True


def _are_whole(money: list[Profile], decimal: str) -> bool:
    values = sorted(abs(value) for item in money for value in item.read(decimal) if value)
    return bool(values) and all(item.numbers.fractions == 0 for item in money) and values[len(values) // 2] >= 100


def _date_format(source: Sample, roles: Roles, when: Profile, profiles: list[Profile]) -> str | None:
    """The strptime form of the dates; settles which is the day and which the month."""
    found = when.dates
    form, clearly = found.form, None
    if found.both:
        roles.doubt("date_format", f"In some values of '{when.name}' the day comes first, in others the month.")
    if found.unclear and found.other is not None:
        clearly = _elsewhere(found, when, profiles)
        if clearly is not None:
            form, why = clearly, "another column of the file has that form"
        elif found.sorted_as is not None:
            form, why = found.sorted_as, "so the rows are in order of time"
        elif _american(source, roles, found):
            form, why = found.other, "the file looks American"
        else:
            why = "a guess"
        rival = found.other if form == found.form else found.form
        _ask_form(roles, f"Day and month of '{when.name}' could be exchanged ({rival}); {form} is taken: {why}.", form, rival)
    if found.exchanged:
        why = "those that are dates have no day after the 12th, and those that are texts have the day first"
        roles.doubt("ordered_at", f"A spreadsheet may have exchanged day and month in '{when.name}': {why}.")
    if found.turned and not roles.known:
        roles.doubt("date_format", f"The years of '{when.name}' have two digits: 69 to 99 are read as 1969 to 1999.")
    return form


def _ask_form(roles: Roles, sentence: str, form: str | None, rival: str | None) -> None:
    answers = tuple(Answer(label=f"{one}", options={"date_format": one}) for one in (form, rival))
    roles.ask(Question(key="date_format", sentence=sentence, answers=answers))


def _elsewhere(found: Dates, when: Profile, profiles: list[Profile]) -> str | None:
    """The form, of the two that a column may have, that another column shows for sure."""
    for item in profiles:
        other = item.dates
        if item is not when and other.share >= 0.8 and not other.unclear and other.form:
            day_first = other.form.startswith("%d")
            for form in (found.form, found.other):
                if form and other.form[:2] in ("%d", "%m") and form.startswith("%d") == day_first:
                    return form
    return None


def _american(source: Sample, roles: Roles, found: Dates) -> bool:
    """Whether a file of the form 05/06/2024 rather has the month first: commas between fields, points in numbers."""
    signs = set().union(*(currencies(item.values) for item in roles.columns.values())) & {"EUR", "GBP", "CHF"}
    slashes = found.form is not None and "/" in found.form
    points = any(item.numbers.decimal == "." for item in roles.columns.values())
    return slashes and not signs and (found.half or (source.delimiter == "," and points))
