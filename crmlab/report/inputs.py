"""What a run reads: the data set's tables, their fingerprint, and addresses that must not get out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

from crmlab.collecting import collect_value
from crmlab.data import cache, dataset
from crmlab.data.catalog import load
from crmlab.data.descriptor import Descriptor
from crmlab.data.kept import VERDICT, verdict
from crmlab.data.memory import addresses, taken
from crmlab.data.reading import building
from crmlab.data.redaction import Redaction
from crmlab.page.declarations import Input
from crmlab.report.registry import readers

__all__ = ["Inputs", "fingerprint_of", "inspect", "secrets_of", "with_sections"]


@dataclass(frozen=True)
class Inputs:
    """The input of a run: data set, fingerprint of its contents (None: cannot be told), rows by table, key in the cache (or None)."""

    descriptor: Descriptor
    fingerprint: str | None
    rows: dict[str, int]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    key: str | None = None

    @property
    def holds(self) -> tuple[str, ...]:
        """The tables that are present, and what the orders tell: what a report may need."""
        return (*self.rows, *self.descriptor.told)

    def verdict(self) -> dict[str, str]:
        """Verify the tables that kernels will read, and return the environment that tells it to them; see :mod:`crmlab.data.kept`.

        Raises
        ------
        CrmlabError
            The tables were damaged, and cannot be made again because the source has changed since.
        """
        if self.key is None:
            return {}
        return {VERDICT: verdict(self.descriptor, building.materialise(self.descriptor, self.key))}

    @cached_property
    def hide(self) -> Redaction:
        """What takes addresses of databases and their passwords out of all that a run writes."""
        return Redaction.of_environment(self.secrets)

    def redact(self, text: str) -> str:
        """Take addresses of databases and their passwords out of a message."""
        return self.hide.text(text)


def inspect(data: str) -> Inputs:
    """Look at a data set; makes its canonical tables first where the cache does not hold them.

    Where the cache does, no engine is loaded and no table is read: this is what makes "nothing changed" quick.

    Parameters
    ----------
    data : str
        Name of a data set, or the path of a TOML file.

    Raises
    ------
    CrmlabError
        It cannot be opened.
    """
    descriptor = load(data, readers())
    if descriptor.kind in ("postgres", "spark"):
        opened = dataset.open_dataset(data, "spark" if descriptor.kind == "spark" else None)
        rows = {name: collect_value(opened.table(name).count()) for name in opened.tables}
        return Inputs(descriptor, None, rows, secrets_of(descriptor))
    kept = building.materialise(descriptor, verified=False)
    fingerprint, rows = _with_looks(kept.key, descriptor), kept.manifest.rows
    beside = taken(descriptor)
    if beside is not None:
        fingerprint = hashlib.sha256(f"{fingerprint}\x1f{beside.digest}".encode()).hexdigest()
        if set(beside.rows) & set(rows):  # what is in both is counted once, which takes an engine
            opened = dataset.open_dataset(data)
            rows = {name: collect_value(opened.table(name).count()) for name in opened.tables}
        else:
            rows = {**rows, **beside.rows}
    return Inputs(descriptor, fingerprint, rows, secrets_of(descriptor), kept.key)


def _with_looks(key: str, descriptor: Descriptor) -> str:
    """The fingerprint of a data set's contents and of what its pages say of it."""
    looks = {name: value for name, value in asdict(descriptor).items() if name in cache.LOOKS}
    logo = descriptor.folder / descriptor.report.logo
    digest = cache.file_digest(logo) if descriptor.report.logo else ""
    return hashlib.sha256(json.dumps([key, looks, digest], sort_keys=True).encode()).hexdigest()


def with_sections(fingerprint: str | None, module: object, descriptor: Descriptor) -> str | None:
    """Return the fingerprint of what a report reads: that of the data, and of the sections of the TOML file that it reads too.

    A report says so with ``SECTIONS``, a tuple of names. Then it is made again when one of them changes, and no other report is.
    """
    names = getattr(module, "SECTIONS", ())
    if fingerprint is None or not names:
        return fingerprint
    content = {name: descriptor.sections[name].content for name in names if name in descriptor.sections}
    return hashlib.sha256(f"{fingerprint}\x1f{json.dumps(content, sort_keys=True, default=str)}".encode()).hexdigest()


def fingerprint_of(data: str | None, further: Sequence[str]) -> str | None:
    """Return the fingerprint of all that a report reads: that of the data set, and those of further inputs where it has some.

    None where that of the data set cannot be told.
    """
    if data is None or not further:
        return data
    return hashlib.sha256("\x1f".join([data, *further]).encode()).hexdigest()


def secrets_of(descriptor: Descriptor, further: Iterable[Input] = ()) -> tuple[str, ...]:
    """Return the addresses of databases: the data set's, that of the memory that is read with it, and those of further inputs."""
    own = os.environ.get(str(descriptor.source.get("url_env", "")), "")
    return tuple(sorted({url for url in (own, *addresses(), *(secret for one in further for secret in one.secrets())) if url}))
