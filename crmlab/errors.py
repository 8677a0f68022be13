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
    def not_toml(cls, path: Any, reason: Any) -> PlanError:
        return cls(f"{path} is not valid TOML. {reason}. Runs look like [[run]].")

    @classmethod
    def unknown_key(cls, where: str, section: str, key: str, known: Iterable[str]) -> PlanError:
        place = f"under {section}" if section else "at the top"
        return cls(f"{where}: unknown key '{key}' {place}. {_hint(key, known)}")

    @classmethod
    def expected(cls, where: str, key: str, expectation: str, got: Any) -> PlanError:
        return cls(f"{where}: {key} must be {expectation}. Got {_shown(got)} instead.")


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
    def not_comparable(cls, needed: str, found: str) -> ModelError:
        return cls(f"compare: needs {needed}. Found: {found}.")


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
