"""Every exception of crmlab, and the wording of every message.

One grammar: what is wrong, what was expected, what was found, a hint. The constructors (class methods) are the only
places where messages are worded, so that the same mistake always reads the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


def _listing(names: Iterable[Any], limit: int = 12) -> str:
    """Join names with commas, cut after ``limit``."""
    items = [str(name) for name in names]
    more = f", … ({len(items)} in all)" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more if items else "nothing"


def _shown(value: Any, limit: int = 60) -> str:
    """Show a value for a message: short, on one line."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _hint(wrong: str, known: Iterable[str]) -> str:
    """Say what was probably meant."""
    options = [str(name) for name in known]
    close = get_close_matches(str(wrong), options, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {_listing(sorted(options))}."


class CrmlabError(Exception):
    """Base of every error that crmlab raises on purpose. Its text is meant for the user."""


class ParameterError(CrmlabError, ValueError):
    """A parameter of an analysis is unknown, of the wrong type or outside its range."""

    @classmethod
    def expected(cls, analysis: str, name: str, expectation: str, got: Any) -> ParameterError:
        """``The 'bins' parameter of rfm must be between 2 and 10. Got 40 instead.``"""
        return cls(f"The '{name}' parameter of {analysis} must be {expectation}. Got {_shown(got)} instead.")

    @classmethod
    def unknown(cls, analysis: str, name: str, known: Iterable[str]) -> ParameterError:
        """``Unknown parameter 'bin' for rfm. Did you mean 'bins'?``"""
        return cls(f"Unknown parameter {_shown(name)} for {analysis}. {_hint(name, known)}")

    @classmethod
    def not_an_assignment(cls, text: str) -> ParameterError:
        return cls(f"A parameter must be given as key=value. Got {_shown(text)} instead. For example: -p bins=4")

    @classmethod
    def as_of_outside(cls, as_of: Any, first: Any, last: Any, side: str) -> ParameterError:
        where = "before the first order" if side == "before" else "after the last order"
        return cls(
            f"The 'as_of' date {as_of} is {where}. Expected a day from {first} to {last}. "
            "Leave it out to use the day of the last order."
        )

    @classmethod
    def no_customer(cls, customer: str, known: Iterable[str]) -> ParameterError:
        return cls(
            f"The 'customer_id' parameter names {_shown(customer)}, whom the data set does not know. {_hint(customer, known)}"
        )

    @classmethod
    def compare_to_outside(cls, day: Any, first: Any, as_of: Any) -> ParameterError:
        return cls(
            f"The 'compare_to' date {day} is before the first order. Expected a day from {first} on, and before {as_of}. "
            "Leave it out to compare with 91 days before."
        )

    @classmethod
    def dates_out_of_order(cls, early: str, early_value: Any, late: str, late_value: Any) -> ParameterError:
        return cls(f"'{early}' must be before '{late}'. Got {early} {early_value} and {late} {late_value}.")


class MissingTableError(CrmlabError, LookupError):
    """A canonical table was asked for that the data set does not hold."""

    @classmethod
    def absent(cls, table: str, dataset: str, present: Iterable[str], where: str, known: bool = True) -> MissingTableError:
        if not known:
            return cls(f"There is no canonical table '{table}'. {_hint(table, present)}")
        return cls(
            f"The data set '{dataset}' has no table '{table}'. Found: {_listing(present)}. Add a section [{table}] to {where}."
        )


class DescriptorError(CrmlabError, ValueError):
    """The TOML file of a data set cannot be understood."""

    @classmethod
    def unknown_dataset(cls, name: str, known: Iterable[str]) -> DescriptorError:
        return cls(f"There is no data set {_shown(name)}. {_hint(name, known)} A path must end in .toml.")

    @classmethod
    def no_file(cls, path: Any) -> DescriptorError:
        return cls(f"There is no data set file {path}. Make one from your own file with: crmlab new orders.csv")

    @classmethod
    def not_toml(cls, path: Any, reason: Any) -> DescriptorError:
        return cls(f"{path} is not valid TOML. {reason}. Texts need quotes; sections look like [orders].")

    @classmethod
    def unknown_key(cls, where: str, section: str, key: str, known: Iterable[str]) -> DescriptorError:
        place = f"under [{section}]" if section else "at the top"
        return cls(f"{where}: unknown key '{key}' {place}. {_hint(key, known)}")

    @classmethod
    def expected(cls, where: str, section: str, key: str, expectation: str, got: Any) -> DescriptorError:
        place = f"[{section}] {key}" if section else key
        return cls(f"{where}: {place} must be {expectation}. Got {_shown(got)} instead.")

    @classmethod
    def unknown_goal(cls, where: str, measure: str, known: Iterable[str]) -> DescriptorError:
        return cls(f"{where}: a goal names the unknown measure {_shown(measure)}. {_hint(measure, known)}")

    @classmethod
    def goal_lacks(cls, where: str, measure: str, key: str, expectation: str) -> DescriptorError:
        return cls(f"{where}: the goal for '{measure}' has no '{key}'. Expected {expectation}.")

    @classmethod
    def goal_twice(cls, where: str, measure: str, by: str) -> DescriptorError:
        return cls(f"{where}: there are two goals for '{measure}' by {by}. Expected one. Take one out, or change its date.")

    @classmethod
    def no_tables(cls, where: str, tables: Iterable[str]) -> DescriptorError:
        return cls(f"{where}: no table is described. Expected at least one section of: {_listing(tables)}.")

    @classmethod
    def no_environment(cls, where: str, variable: str) -> DescriptorError:
        return cls(
            f"{where}: the environment variable {variable} is not set. It must hold the address of the database. "
            "Addresses and passwords are never written into the TOML file."
        )

    @classmethod
    def no_address(cls, where: str, variable: str) -> DescriptorError:
        return cls(
            f"{where}: the environment variable {variable} must hold an address such as postgresql://user@host/database. "
            "Got something else, which is not shown."
        )

    @classmethod
    def other_width(cls, table: str, names: int, width: int) -> DescriptorError:
        return cls(f"{table}: 'names' must name every column of the file, {width} of them. Got {names} names instead.")

    @classmethod
    def no_variable(cls, where: str) -> DescriptorError:
        # What was found there may be an address with a password.
        return cls(
            f"{where}: [source] url_env must be the name of an environment variable. Got something else, which is not shown. "
            "Addresses and passwords are never written into the TOML file."
        )

    @classmethod
    def personal_used(cls, where: str, section: str, name: str, column: str) -> DescriptorError:
        return cls(
            f"{where}: [{section}] personal must name columns that are not used. Found '{name}', which is mapped to '{column}'. "
            "Map another column, or take it off the list."
        )

    @classmethod
    def no_date_format(cls, where: str, section: str, form: str, reason: str) -> DescriptorError:
        return cls(
            f'{where}: [{section}] date_format must be a form of strptime, such as "%d/%m/%Y". '
            f"Got {_shown(form)} instead: {reason}"
        )

    @classmethod
    def cannot_read(cls, path: Any, reason: Any) -> DescriptorError:
        return cls(f"{path} cannot be read. {reason}. Expected the TOML file of a data set.")

    @classmethod
    def exists(cls, path: Any) -> DescriptorError:
        return cls(f"{path} exists already. Nothing was written. Delete it, or choose another name with --name.")

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> DescriptorError:
        return cls(f"{path} cannot be written. {reason}.")


class SourceError(CrmlabError, OSError):
    """A file or database cannot be opened or read."""

    @classmethod
    def no_file(cls, table: str, names: Sequence[str], looked: Sequence[Any]) -> SourceError:
        return cls(
            f"{table}: there is no file {' or '.join(names)}. Looked in: {_listing(looked)}. "
            "Put the file there, name its folder in CRMLAB_DATA, or correct 'file' in the TOML file."
        )

    @classmethod
    def empty(cls, table: str, name: str) -> SourceError:
        return cls(f"{table}: {name} is empty. Expected a header and at least one row.")

    @classmethod
    def no_rows(cls, table: str, name: str) -> SourceError:
        return cls(f"{table}: {name} has a header but no rows. Expected at least one row.")

    @classmethod
    def empty_folder(cls, table: str, name: str) -> SourceError:
        return cls(f"{table}: the folder {name} holds no .parquet file. Expected at least one. Name a file, or another folder.")

    @classmethod
    def other_columns(cls, table: str, name: str, found: Iterable[str], first: str, expected: Iterable[str]) -> SourceError:
        return cls(
            f"{table}: {name} has other columns than {first}. Expected: {_listing(expected)}. Found: {_listing(found)}. "
            "Files that are read together need the same columns in the same order."
        )

    @classmethod
    def bad_row(cls, table: str, name: str, row: str, reason: str, hint: str = "Correct the file.") -> SourceError:
        return cls(f"{table}: {row} of {name} cannot be read. {reason} {hint}")

    @classmethod
    def unreadable(cls, table: str, name: str, reason: str, hint: str = "") -> SourceError:
        return cls(f"{table}: {name} cannot be read. {reason}{' ' + hint if hint else ''}")

    @classmethod
    def unknown_format(cls, table: str, name: str, known: Iterable[str]) -> SourceError:
        return cls(f"{table}: the format of {name} is not known. Expected a name that ends in {_listing(known)}.")

    @classmethod
    def no_table(cls, table: str, name: str, source: str, found: Iterable[str]) -> SourceError:
        return cls(f"{table}: there is no table or sheet '{name}' in {source}. Found: {_listing(found)}.")

    @classmethod
    def no_cache(cls, path: Any, reason: Any) -> SourceError:
        return cls(f"The cache folder {path} cannot be written. {reason}. Name another in CRMLAB_CACHE.")

    @classmethod
    def no_engine(cls, engine: str, reason: str) -> SourceError:
        return cls(f"The engine '{engine}' cannot be used. {reason}")


class DataError(CrmlabError, ValueError):
    """The records are there but do not fit the canonical form."""

    @classmethod
    def missing_column(cls, table: str, column: str, found: Iterable[str], where: str) -> DataError:
        """``orders: missing column 'customer_id'. Found: cust, date. Map it in data/mine.toml under [orders].``"""
        return cls(f"{table}: missing column '{column}'. Found: {_listing(found)}. Map it in {where} under [{table}].")

    @classmethod
    def mapped_to_nothing(cls, table: str, column: str, mapped: str, found: Sequence[str], where: str) -> DataError:
        close = get_close_matches(mapped, list(found), n=1, cutoff=0.6)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return cls(
            f"{table}: column '{column}' is mapped to '{mapped}', which is not in the file. Found: {_listing(found)}."
            f"{hint} Correct it in {where} under [{table}]."
        )

    @classmethod
    def not_in_file(cls, table: str, name: str, found: Sequence[str], where: str) -> DataError:
        close = get_close_matches(name, list(found), n=1, cutoff=0.6)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return cls(
            f"{table}: '{name}' is listed in {where} under [{table}] but is not in the file. Found: {_listing(found)}.{hint}"
        )

    @classmethod
    def wrong_type(cls, table: str, column: str, expected: str, found: str, where: str) -> DataError:
        return cls(
            f"{table}: column '{column}' must hold {expected}. Found: {found}. Map another column in {where} under [{table}]."
        )

    @classmethod
    def frame_lacks(cls, table: str, column: str, found: Iterable[Any]) -> DataError:
        names = [str(name) for name in found]
        close = get_close_matches(column, names, n=1, cutoff=0.6)
        example = f"frame.rename(columns={{'{close[0] if close else 'old'}': '{column}'}})"
        return cls(f"{table}: missing column '{column}'. Found: {_listing(names)}. Rename a column of your frame: {example}.")

    @classmethod
    def frame_twice(cls, table: str, column: str, count: int) -> DataError:
        return cls(f"{table}: {count} columns of your frame are named '{column}'. Expected one. Drop or rename the others.")

    @classmethod
    def frame_type(cls, table: str, column: str, expected: str, found: str, hint: str) -> DataError:
        return cls(f"{table}: column '{column}' must hold {expected}. Found: {found}. {hint}")

    @classmethod
    def unparsable(
        cls, table: str, column: str, expected: str, count: int, read: int, row: int | str | None, value: Any, hint: str
    ) -> DataError:
        first = f", first in {f'row {row:,}' if isinstance(row, int) else row}" if row else ""
        rows = f"1 row of {read:,} holds" if count == 1 else f"{count:,} rows of {read:,} hold"
        found = "an empty cell" if value in (None, "an empty cell") else _shown(value)
        return cls(f"{table}: {rows} no {expected} in column '{column}'{first}. Found: {found}. {hint}")

    @classmethod
    def nothing_left(cls, table: str, read: int, reasons: Iterable[str]) -> DataError:
        return cls(
            f"{table}: none of {read:,} rows is left after cleaning. Dropped: {_listing(reasons)}. "
            "Check the mapping and the options of the TOML file."
        )

    @classmethod
    def not_canonical(cls, table: str, problem: str, count: int, example: Any) -> DataError:
        rows = "1 row" if count == 1 else f"{count:,} rows"
        return cls(f"{table}: {problem} in {rows}. Expected none. Found for example: {_shown(example)}.")

    @classmethod
    def too_little(cls, analysis: str, needed: str, found: str) -> TooLittleError:
        return TooLittleError(f"{analysis}: needs {needed}. Found: {found}.")


class TooLittleError(DataError):
    """The data set holds too little for an analysis; a run of all reports passes over it and says why."""


class ReportError(CrmlabError, RuntimeError):
    """A report cannot be run, rendered or written."""

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> ReportError:
        return cls(f"There is no report {_shown(name)}. {_hint(name, known)}")

    @classmethod
    def no_notebook(cls, name: str, path: Any) -> ReportError:
        return cls(f"The notebook of '{name}' is missing. Expected {path}.")

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> ReportError:
        return cls(f"The reports folder {path} cannot be written. {reason}. Choose another with --out.")

    @classmethod
    def no_record(cls, name: str) -> ReportError:
        return cls(f"{name} holds no record of a run. Expected a run.json, or the folder of a report.")

    @classmethod
    def no_browser(cls) -> ReportError:
        return cls(
            "No PDF was made: it needs Chromium or Chrome, and none was found. Install one, or name it in CRMLAB_BROWSER."
        )

    @classmethod
    def browser_failed(cls, reason: str) -> ReportError:
        return cls(f"No PDF was made: the browser failed. {reason} Try another browser in CRMLAB_BROWSER.")

    @classmethod
    def nothing_to_render(cls, path: Any) -> ReportError:
        return cls(f"There is no executed notebook under {path}. Make one with: crmlab run --data shop")

    @classmethod
    def not_saved(cls, name: str, found: Iterable[str]) -> ReportError:
        return cls(
            f"The notebook of '{name}' ran but saved no result. Expected one call of crmlab.run_notebook. "
            f"Found: {_listing(found)}."
        )

    @classmethod
    def too_large(cls, name: str, size: int, limit: int) -> ReportError:
        return cls(
            f"The page of '{name}' weighs {size // 1000} kB. Expected at most {limit // 1000} kB. "
            "Rasterise heavy chart layers or shorten its tables."
        )


class PlanError(CrmlabError, ValueError):
    """A plan of runs cannot be understood."""

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> PlanError:
        return cls(f"There is no plan {_shown(name)}. {_hint(name, known)} Plans are files plans/NAME.toml.")

    @classmethod
    def no_campaign(cls, path: Any) -> PlanError:
        return cls(f"There is no plan {path}. Expected a TOML file with campaign, salt and one [[cell]] for each cell.")

    @classmethod
    def not_toml(cls, path: Any, reason: Any, form: str = "[[run]]") -> PlanError:
        what = "Runs look" if form == "[[run]]" else "Cells look"
        return cls(f"{path} is not valid TOML. {reason}. {what} like {form}.")

    @classmethod
    def unknown_key(cls, where: str, section: str, key: str, known: Iterable[str]) -> PlanError:
        place = f"under {section}" if section else "at the top"
        return cls(f"{where}: unknown key '{key}' {place}. {_hint(key, known)}")

    @classmethod
    def expected(cls, where: str, key: str, expectation: str, got: Any) -> PlanError:
        return cls(f"{where}: {key} must be {expectation}. Got {_shown(got)} instead.")


class CampaignError(CrmlabError, ValueError):
    """Cells of a campaign do not make a test, or the campaign memory cannot take or give what was asked for."""

    @classmethod
    def cell_twice(cls, cell: str) -> CampaignError:
        return cls(
            f"Cell {_shown(cell)} is there twice. Expected one row per cell. Found 2 or more. Give each cell a name of its own."
        )

    @classmethod
    def own_control(cls, cell: str) -> CampaignError:
        return cls(f"Cell {_shown(cell)} is its own control. Expected another cell. Name one that is not contacted.")

    @classmethod
    def no_such_control(cls, cell: str, control: str, known: Iterable[str]) -> CampaignError:
        return cls(
            f"The control of cell {_shown(cell)} is no cell of its campaign. Got {_shown(control)}. {_hint(control, known)}"
        )

    @classmethod
    def foreign_control(cls, cell: str, control: str, campaign: str, other: str) -> CampaignError:
        return cls(
            f"The control of cell {_shown(cell)} must be of the same campaign, {_shown(campaign)}. "
            f"Got {_shown(control)} of {_shown(other)} instead. People of two lists cannot be compared."
        )

    @classmethod
    def without_control(cls, cell: str, campaign: str) -> CampaignError:
        return cls(
            f"Cell {_shown(cell)} of {_shown(campaign)} has no control and is nobody's. Expected a control, as other cells of the "
            "campaign have. Found none. Name one in control_cell_id."
        )

    @classmethod
    def code_twice(cls, code: str, cells: Iterable[str]) -> CampaignError:
        return cls(
            f"The response code {_shown(code)} is used twice. Expected a code of its own for each cell. Found it for: "
            f"{_listing(cells)}. Responses could not be told apart."
        )

    @classmethod
    def shares(cls, campaign: str, total: float) -> CampaignError:
        return cls(f"The planned shares of {_shown(campaign)} must add up to 1. Found {total:.6g}. Correct planned_share.")

    @classmethod
    def negative(cls, cell: str, column: str, value: Any) -> CampaignError:
        return cls(f"'{column}' of cell {_shown(cell)} must be at least 0. Got {_shown(value)} instead. Costs are positive.")

    @classmethod
    def window(cls, cell: str, opens: Any, closes: Any) -> CampaignError:
        return cls(
            f"The window of cell {_shown(cell)} ends before it begins. Expected opens_on on or before closes_on. "
            f"Got {opens} and {closes}. Are they the wrong way round?"
        )

    @classmethod
    def expected(cls, what: str, expectation: str, got: Any, hint: str = "") -> CampaignError:
        return cls(f"{what} must be {expectation}. Got {_shown(got)} instead.{' ' + hint if hint else ''}")

    @classmethod
    def missing_column(cls, what: str, column: str, found: Iterable[Any]) -> CampaignError:
        return cls(f"{what}: missing column '{column}'. Found: {_listing(found)}.")

    @classmethod
    def unknown_cells(cls, campaign: str, cells: Iterable[str], known: Iterable[str]) -> CampaignError:
        return cls(f"{campaign}: there is no cell {_listing(cells)}. Expected cells of the campaign: {_listing(known)}.")

    @classmethod
    def twice_assigned(cls, campaign: str, count: int, customer: str) -> CampaignError:
        customers = "1 customer is" if count == 1 else f"{count:,} customers are"
        return cls(f"{campaign}: {customers} assigned twice. Expected one cell for each. Found for example {_shown(customer)}.")

    @classmethod
    def code_changed(cls, cell: str, old: Any, new: Any) -> CampaignError:
        return cls(
            f"The response code of a launched cell cannot change. Expected {_shown(old)} for cell {_shown(cell)}. "
            f"Got {_shown(new)} instead. Codes are in people's hands: give a new cell a new name."
        )

    @classmethod
    def launched_already(cls, campaign: str, at: str) -> CampaignError:
        return cls(
            f"The campaign {_shown(campaign)} is launched and cannot change. Expected the cells and people of {at[:10]}. "
            "Found others. Plan a new campaign under another name."
        )

    @classmethod
    def no_list(cls, campaign: str) -> CampaignError:
        return cls(
            f"There is no list for {_shown(campaign)}. Expected criteria in its plan, or a csv file with customer_id. "
            'Found neither. Give one with --list FILE, or criteria = ["days_since_last <= 365"] in the plan.'
        )

    @classmethod
    def bad_list(cls, name: str, reason: str) -> CampaignError:
        return cls(f"The list {name} cannot be read. {reason}. Expected a csv file in UTF-8 with a column customer_id.")

    @classmethod
    def unknown_customers(cls, name: str, count: int, example: str) -> CampaignError:
        customers = "1 customer" if count == 1 else f"{count:,} customers"
        return cls(
            f"The list {name} holds {customers} who are not in the data set. Expected customers of it. Found for example "
            f"{_shown(example)}. Leading zeros count."
        )

    @classmethod
    def bad_condition(cls, text: str, operators: Iterable[str]) -> CampaignError:
        return cls(
            f"The condition {_shown(text)} cannot be read. Expected a column, one of {_listing(operators)}, and a value. "
            "For example: tier in A, B; state = slowing; churn >= 0.5"
        )

    @classmethod
    def unknown_column(cls, column: str, known: Iterable[str]) -> CampaignError:
        options = [str(name) for name in known]
        close = get_close_matches(str(column), options, n=1, cutoff=0.6)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {_listing(sorted(options), 40)}."
        return cls(f"Nothing is known of customers by the name {_shown(column)}. {hint}")

    @classmethod
    def unknown_value(cls, column: str, value: str, known: Iterable[str]) -> CampaignError:
        return cls(f"{_shown(value)} is no value of {_shown(column)}. {_hint(value, known)}")

    @classmethod
    def no_order(cls, column: str, operator: str) -> CampaignError:
        return cls(
            f"'{column}' has no order, and '{operator}' needs one. Expected =, !=, in or not in. "
            f"Name the values: {column} in …, …"
        )

    @classmethod
    def cannot_measure(cls, campaign: str, reason: str) -> CampaignError:
        return cls(f"{campaign} cannot be measured. {reason} Nothing was written.")

    @classmethod
    def lists_not_written(cls, path: Any, reason: Any) -> CampaignError:
        return cls(f"The lists cannot be written to {path}. {reason}. Nothing was launched. Choose another folder with --out.")

    @classmethod
    def list_not_placed(cls, path: Any, reason: Any) -> CampaignError:
        return cls(f"The campaign is launched, but {path} cannot be written. {reason}. Run the same command again to write it.")

    @classmethod
    def closed(cls, campaign: str) -> CampaignError:
        return cls(f"The campaign {_shown(campaign)} is closed. Expected no further results. Plan a new one.")

    @classmethod
    def unknown(cls, campaign: str, known: Iterable[str]) -> CampaignError:
        return cls(f"There is no campaign {_shown(campaign)} in the memory. {_hint(campaign, known)}")

    @classmethod
    def unreadable(cls, name: str, reason: str) -> CampaignError:
        return cls(
            f"{name} of the campaign memory cannot be read. Expected an event written by crmlab campaign. Found: {_shown(reason, 120)}. "
            "Nothing was changed. Restore it from a copy, or move it elsewhere."
        )

    @classmethod
    def foreign(cls, name: str) -> CampaignError:
        return cls(
            f"{name} in the campaign memory is no event. Expected files that crmlab campaign wrote, and nothing else. "
            "Nothing was changed. Move it elsewhere."
        )

    @classmethod
    def altered(cls, name: str) -> CampaignError:
        return cls(
            f"{name} of the campaign memory is not as it was written. Expected the content that its name stands for. Found another. "
            "Nothing was changed. Restore it from a copy."
        )

    @classmethod
    def newer(cls, name: str, known: int, found: Any) -> CampaignError:
        return cls(
            f"{name} of the campaign memory has another form. Expected form {known}. Found {_shown(found)}. "
            "Use the version of crmlab that wrote it."
        )

    @classmethod
    def cannot_write(cls, path: Any, reason: Any) -> CampaignError:
        return cls(f"The campaign memory {path} cannot be written. {reason}. Name another folder in CRMLAB_CAMPAIGNS.")

    @classmethod
    def no_address(cls, variable: str) -> CampaignError:
        return cls(
            f"The environment variable {variable} must hold an address such as postgresql://user@host/database. "
            "Got nothing or something else, which is not shown."
        )

    @classmethod
    def address_given(cls) -> CampaignError:
        # What was given may hold a password.
        return cls(
            "The campaign memory must be named by a folder. Got the address of a database, which is not shown. "
            "Put it into the environment variable CRMLAB_CAMPAIGNS: addresses are never written into files."
        )

    @classmethod
    def no_database(cls, variable: str, kind: str) -> CampaignError:
        return cls(f"The campaign memory that {variable} names does not answer or refuses ({kind}). Nothing was changed.")


class NotInProjectError(CrmlabError, RuntimeError):
    """The project's folders (notebooks, data) cannot be found."""

    @classmethod
    def nowhere(cls, start: Any) -> NotInProjectError:
        return cls(
            f"No crmlab project at {start} or above it. Expected a folder with notebooks/ and data/. "
            "Change into your clone, or name it in CRMLAB_HOME."
        )


class ModelError(CrmlabError, ValueError):
    """A model cannot be fitted to what it was given, or cannot answer what it was asked."""

    @classmethod
    def no_frame(cls, model: str, got: Any) -> ModelError:
        return cls(f"{model}: expected a pandas DataFrame. Got {_shown(type(got).__name__)} instead. Use to_pandas() first.")

    @classmethod
    def missing_column(cls, model: str, column: str, found: Iterable[Any]) -> ModelError:
        """``BGNBD: missing column 'recency'. Found: frequency, T. Make the frame with customer_summary.``"""
        return cls(f"{model}: missing column '{column}'. Found: {_listing(found)}. Make the frame with customer_summary.")

    @classmethod
    def empty(cls, model: str) -> ModelError:
        return cls(f"{model}: the frame is empty. Expected at least one customer. Found: 0 rows.")

    @classmethod
    def bad_rows(cls, model: str, expectation: str, count: int, rows: int, first: Any, hint: str = "") -> ModelError:
        """``BGNBD: recency must be at most T. Found 2 of 10 rows that are not so, the first at index 4. …``"""
        are = "1 row that is" if count == 1 else f"{count:,} rows that are"
        return cls(
            f"{model}: {expectation}. Found {are} not so, of {rows:,}; the first at index {_shown(first)}."
            f"{' ' + hint if hint else ''}"
        )

    @classmethod
    def not_identifiable(cls, model: str, needed: str, found: str, hint: str) -> NotIdentifiableError:
        return NotIdentifiableError(f"{model}: the parameters are not identifiable. Needs {needed}. Found: {found}. {hint}")

    @classmethod
    def expected(cls, model: str, name: str, expectation: str, got: Any) -> ModelError:
        return cls(f"{model}: '{name}' must be {expectation}. Got {_shown(got)} instead.")

    @classmethod
    def no_posterior(cls, model: str) -> ModelError:
        return cls(
            f"{model}: parameters that were given have no uncertainty. Expected a fitted model. "
            "Found one made by from_params. Use fit, or interval='outcome'."
        )

    @classmethod
    def low_sample_size(cls, model: str, share: float) -> ModelError:
        return cls(
            f"{model}: the posterior sample is not usable. Expected an effective sample size of at least 10 %. "
            f"Found {share:.1%}. Fit to more customers, or to a longer history."
        )

    @classmethod
    def infinite_mean(cls, model: str, q: float) -> InfiniteMeanError:
        return InfiniteMeanError(
            f"{model}: q must be above 1, or mean spend is infinite. Found q = {q:.4g}. "
            "A few huge amounts may dominate: check monetary_value, or set them apart."
        )

    @classmethod
    def frame_lacks(cls, model: str, column: str, found: Iterable[Any], hint: str) -> ModelError:
        return cls(f"{model}: missing column '{column}'. Found: {_listing(found)}. {hint}")

    @classmethod
    def no_part(cls, part: str) -> ModelError:
        return cls(
            f"rules: every part of a set of items needs its count. Found none for {part}. "
            "Give the itemsets whole, before anything is filtered."
        )

    @classmethod
    def margins_differ(cls, sold: int, held: int) -> ModelError:
        return cls(
            f"BasketNull: items and baskets must add up to the same. Found {sold:,} by the items' counts and {held:,} by the "
            "baskets' margins. Take both from one matrix."
        )

    @classmethod
    def not_comparable(cls, needed: str, found: str) -> ModelError:
        return cls(f"compare: needs {needed}. Found: {found}.")

    @classmethod
    def unknown_metric(cls, metric: str, known: Iterable[str], argument: str = "metrics") -> ModelError:
        return cls(f"Unknown metric {_shown(metric)} in {argument}. Expected one of the cell's. {_hint(metric, known)}")

    @classmethod
    def not_a_rate(cls, model: str, metric: str, mean: float) -> ModelError:
        return cls(
            f"{model}: '{metric}' is taken for a rate, whose mean must be from 0 to 1. Found {mean:.6g}. "
            "Give its sum of squares (or its variance) where its values are not 0 or 1."
        )

    @classmethod
    def impossible_square(cls, model: str, metric: str) -> ModelError:
        return cls(
            f"{model}: the sum of squares of '{metric}' is less than its sum allows. Expected at least sum² / n. "
            "Check that both are over the same customers."
        )

    @classmethod
    def no_product(cls, first: str, second: str) -> ModelError:
        return cls(
            f"The sum of products of '{first}' and '{second}' is not known. Expected it of each cell that they are used together in. "
            f"Give it in products, under ('{first}', '{second}')."
        )

    @classmethod
    def unknown_cell(cls, what: str, cell: str, known: Iterable[str]) -> ModelError:
        return cls(f"There is no {what} {_shown(cell)}. Expected the name of a cell. {_hint(cell, known)}")

    @classmethod
    def no_control(cls, cell: str) -> ModelError:
        return cls(
            f"Cell {_shown(cell)} has no control. Expected another cell that it is compared with. Found none. "
            "Name one in control."
        )

    @classmethod
    def own_control(cls, cell: str) -> ModelError:
        return cls(f"Cell {_shown(cell)} is its own control. Expected another cell. Name one that was not contacted.")

    @classmethod
    def does_not_vary(cls, metric: str, value: float) -> ModelError:
        return cls(
            f"'{metric}' does not vary: it is {value:.6g} for every customer of every cell. Expected some difference between "
            "customers, or no interval can be given. Leave it out, or wait for responses."
        )

    @classmethod
    def not_estimable(cls, effects: Iterable[str]) -> ModelError:
        return cls(
            f"These effects cannot be told apart in the cells that were sent: {_listing(effects)}. Expected a design that "
            "separates them. Ask for fewer interactions (order=1), or see the alias table."
        )


class InfiniteMeanError(ModelError):
    """Spend is so unequal that the model's mean would be infinite."""


class NotIdentifiableError(ModelError):
    """What was given says nothing of a parameter, however long one searches."""


class ConvergenceError(ModelError, RuntimeError):
    """The optimiser of a model did not reach an optimum."""

    @classmethod
    def not_reached(cls, model: str, tried: Sequence[str]) -> ConvergenceError:
        return cls(
            f"{model}: the fit did not converge. Expected a gradient of 0 at an optimum. Tried: {_listing(tried)}. "
            "Check the time unit and look for customers unlike all others."
        )


class PublishError(CrmlabError, RuntimeError):
    """A table cannot be published."""

    @classmethod
    def address_given(cls) -> PublishError:
        # What was given may hold a password: it is not shown.
        return cls(
            "An address of a database must not be given on the command line, where others can read it. Expected the name of an "
            "environment variable that holds it. Found an address, which is not shown. For example: --to env:CRM_DATABASE"
        )

    @classmethod
    def no_environment(cls, variable: str, found: str) -> PublishError:
        return cls(
            f"The environment variable {_shown(variable)} must hold an address such as postgresql://user@host/database. "
            f"Found {found}. Set it before the command, and never write it into a file."
        )

    @classmethod
    def unknown_target(cls, to: Any) -> PublishError:
        return cls(
            f"There is nothing to publish to in {_shown(to)}. Expected a path that ends in .duckdb, a folder for Parquet files, or "
            "env:NAME for Postgres."
        )

    @classmethod
    def not_ours(cls, place: str, found: Iterable[str]) -> PublishError:
        return cls(
            f"{place} holds what crmlab did not publish. Expected nothing, or what was published before. Found: {_listing(found)}. "
            "Choose another place: what is there would be lost."
        )

    @classmethod
    def cannot_write(cls, place: str, reason: str) -> PublishError:
        return cls(f"{place}: the tables could not be published ({reason}). What was published before is as it was. Try again.")

    @classmethod
    def unknown_column(cls, table: str, column: str, known: Iterable[str]) -> PublishError:
        return cls(f"{table}: the column {_shown(column)} is not in the data dictionary. {_hint(column, known)}")

    @classmethod
    def missing_column(cls, table: str, column: str, found: Iterable[Any]) -> PublishError:
        return cls(
            f"{table}: missing column '{column}', which must be published. Found: {_listing(found)}. Add it to the frame."
        )

    @classmethod
    def wrong_values(cls, table: str, column: str, expected: str, found: str) -> PublishError:
        return cls(f"{table}: column '{column}' must hold {expected}. Found {found}. Correct the frame.")
