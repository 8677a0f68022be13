"""Customers who are told apart by an e-mail: their ids are keyed hashes of it, and it goes no further than the source.

A section with ``customer_hash = "Email"`` takes its ``customer_id`` from a personal column. The id is an HMAC-SHA256 of the value, made
with the key of the project: who holds a list but not the key can neither read the e-mails in it nor try out e-mails that they know. The
same person gets the same id in every table, file and run, as long as the key is the same. With another key everybody would get another
id, another cell of a campaign and a second letter: so every id carries the mark of its key, the digest of the key is part of the key of
the cache, and the campaign memory keeps it with each launch.

**Ids.** ``c``, four hexadecimal digits that mark the key, and twenty of the hash: 80 bits. The odds that any two of a million customers
share an id are 1 to 2 × 10¹², those of 100 million 1 to 2 × 10⁸. The letter keeps spreadsheets from taking an id for a number.

**Values.** Blanks around a value go, runs of them inside become one, characters that nobody sees go, and it is brought into Unicode's
form NFC and into lower case. It is not case-folded: that would make one of ``Strauß`` and ``Strauss``, who may be two. Of a phone number
that begins with + only the digits count, without a (0): ``+49 (0)176-1234567`` is ``+491761234567``. Other numbers stay as they are
written, since without a country nobody knows which are the same.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.data.descriptor import Descriptor
from crmlab.data.guests import NUMBERED_GUEST, guests_of
from crmlab.data.personal import plain
from crmlab.data.private import private_folder
from crmlab.data.project import home
from crmlab.data.table_section import TableSection
from crmlab.errors import CustomerKeyError, NewKeyWarning

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "SHORT",
    "VARIABLE",
    "CustomerKey",
    "check_marks",
    "customer_key",
    "existing_key",
    "has_hashed_ids",
    "hashed_ids",
    "key_digest",
    "mapped_columns",
    "mark_of",
    "normalised",
]

VARIABLE = "CRMLAB_KEY"
_BYTES = 32
_MARK, _HASH = 4, 20  # hexadecimal digits of an id
_ID = re.compile(rf"c([0-9a-f]{{{_MARK}}})[0-9a-f]{{{_HASH}}}")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,}")
SHORT = 12  # digits of a digest, where a message names it
_OTHERS = 0o077


def normalised(value: str) -> str:
    """Return a value as it is hashed: what one person's e-mail, phone number or name comes to, however it was written.

    Parameters
    ----------
    value : str

    Returns
    -------
    str
        Empty where nothing is left.

    Examples
    --------
    >>> normalised(" Anna@Shop.Example "), normalised("+49 (0)176-123 45 67"), normalised("Zoe\\u0308  M.") == "zo\\u00eb m."
    ('anna@shop.example', '+491761234567', True)
    """
    text = value.lower()
    if not text.isascii():
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
        text = unicodedata.normalize("NFC", text)
    text = " ".join(text.split())
    if text.startswith("+") and _PHONE.fullmatch(text):
        return "+" + re.sub("[^0-9]", "", text.replace("(0)", ""))
    return text


def mark_of(customer_id: str) -> str | None:
    """Return the mark of the key that an id was made with; None where it is no id of this form.

    Examples
    --------
    >>> mark_of("c3f9a0123456789abcdef0123"), mark_of("17850")
    ('3f9a', None)
    """
    found = _ID.fullmatch(customer_id)
    return found[1] if found else None


@dataclass(frozen=True)
class CustomerKey:
    """The key of a project, with which personal values become ids.

    Parameters
    ----------
    secret : bytes
        At least 32 random bytes.

    Examples
    --------
    >>> key = CustomerKey(bytes(range(32)))
    >>> key.id_of("Anna@Shop.example ") == key.id_of("anna@shop.example"), key.id_of(" ")
    (True, None)
    """

    secret: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """The sha256 that tells keys apart, and tells nothing of them."""
        return hashlib.sha256(b"a key of customers\0" + self.secret).hexdigest()

    @cached_property
    def mark(self) -> str:
        """The beginning of the digest that every id carries."""
        return self.digest[:_MARK]

    def id_of(self, value: str) -> str | None:
        """Return the id of whom a value names; None where the value is empty."""
        text = normalised(value)
        if not text:
            return None
        digest = self._keyed.copy()  # two fifths quicker than to begin with the key for each value
        digest.update(text.encode("utf-8", "surrogatepass"))
        return f"c{self.mark}{digest.hexdigest()[:_HASH]}"

    @cached_property
    def _keyed(self) -> hmac.HMAC:
        return hmac.new(self.secret, digestmod="sha256")


def has_hashed_ids(descriptor: Descriptor) -> bool:
    """Say whether any table of a data set takes its customers from a personal column."""
    return any(part.customer_hash is not None for section in descriptor.tables.values() for part in section.parts)


def mapped_columns(section: TableSection, found: Collection[str]) -> Mapping[str, str]:
    """Return for each canonical column that a section maps the source's, customer_id included where it is made of another."""
    return {**section.named(found), **({} if section.customer_hash is None else {"customer_id": section.customer_hash})}


def key_digest(descriptor: Descriptor) -> str:
    """Return the digest of the key that a data set's ids are made with; an empty text where they are no hashes.

    Raises
    ------
    CustomerKeyError
        As of :func:`customer_key`.
    """
    return customer_key(descriptor).digest if has_hashed_ids(descriptor) else ""


def customer_key(descriptor: Descriptor) -> CustomerKey:
    """Return the key of a data set's ids; makes it where there is none yet.

    Its file is the one that ``CRMLAB_KEY`` names (in the folder of the project, unless it begins with / or ~), else the ``key_file`` of
    the TOML file, else ``data/private/customers.key`` of the project. Of several processes that find none, one makes it and the others
    take that.

    Parameters
    ----------
    descriptor : Descriptor

    Warns
    -----
    NewKeyWarning
        It was made just now; the sentence says to back it up.

    Raises
    ------
    CustomerKeyError
        The file cannot be read or made, is open to others, or does not hold a key; or it is gone, and campaigns were launched with it.
    """
    path = _place(descriptor)
    return _read(path) or _made(path, descriptor)


def existing_key(descriptor: Descriptor) -> CustomerKey:
    """Return the key of a data set's ids, and make none.

    Raises
    ------
    CustomerKeyError
        As of :func:`customer_key`, and where there is none.
    """
    path = _place(descriptor)
    found = _read(path)
    if found is None:
        raise CustomerKeyError.gone(_named(path), VARIABLE)
    return found


def _place(descriptor: Descriptor) -> Path:
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return home() / Path(named).expanduser()  # not the working folder: elsewhere it would be another key
    if descriptor.key_file:
        return descriptor.folder / Path(descriptor.key_file).expanduser()
    return home() / "data" / "private" / "customers.key"


def _named(path: Path) -> str:
    """A key file as messages name it: shortly where it lies in the project or the working folder."""
    for base in (Path.cwd(), home()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return str(path)


def _read(path: Path) -> CustomerKey | None:
    """The key in a file, None where there is no such file."""
    try:
        with path.open("rb") as stream:
            rights = os.fstat(stream.fileno()).st_mode
            content = stream.read(4096)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CustomerKeyError.cannot(f"The key file {_named(path)}", "be read", error.strerror or error) from error
    if sys.platform != "win32" and rights & _OTHERS:
        raise CustomerKeyError.open_to_others(_named(path), rights & 0o777)
    text = content.strip()
    if not re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", text) or len(text) < 2 * _BYTES:
        raise CustomerKeyError.no_key(_named(path), len(text), 2 * _BYTES)
    return CustomerKey(bytes.fromhex(text.decode("ascii")))


def _made(path: Path, descriptor: Descriptor) -> CustomerKey:
    """Make a key, or take the one that another process has made meanwhile."""
    _refuse_a_second(path, descriptor)
    key = CustomerKey(secrets.token_bytes(_BYTES))
    try:
        private_folder(path.parent)
        mine = _published(path, key.secret.hex().encode() + b"\n")
    except OSError as error:
        raise CustomerKeyError.cannot(
            f"The key file {_named(path)}", "be written", error.strerror or error, f"Name another place in {VARIABLE}."
        ) from error
    if mine:
        warnings.warn(
            f"Customers of '{descriptor.name}' are identified by personal data, so their IDs are hashes made with a new secret key, "
            f"{_named(path)}. Keep it secret and back it up away from the data: a different key would change every ID.",
            NewKeyWarning,
            stacklevel=3,
        )
        return key
    return _read(path) or key


def _published(path: Path, content: bytes) -> bool:
    """Write a file aside and link it to its place in one step; False where another process was first."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".aside-")  # for its owner only
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                    stream.write(content)
            except FileExistsError:
                return False
    finally:
        Path(aside).unlink()
    return True


def _refuse_a_second(path: Path, descriptor: Descriptor) -> None:
    """Make no new key where the campaign memory knows that there was one: it is lost, or looked for in the wrong place."""
    from crmlab.data.memory import open_memory

    for header in open_memory().headers(kind="launched"):
        digest = header.details.get("key")
        if isinstance(digest, str) and header.details.get("data") == descriptor.name:
            raise CustomerKeyError.lost(_named(path), digest[:SHORT], header.campaign, VARIABLE)


def check_marks(ids: Iterable[str], what: str, descriptor: Descriptor) -> None:
    """Refuse ids that were made with another key than that of a data set; ids of any other form are passed over.

    Parameters
    ----------
    ids : iterable of str
    what : str
        Whose ids they are, for the message: ``"the list spring.csv"``.
    descriptor : Descriptor

    Raises
    ------
    CustomerKeyError
        An id bears the mark of another key, or there is no key.
    """
    if not has_hashed_ids(descriptor):
        return
    mine = existing_key(descriptor).mark
    for mark in (mark_of(one) for one in ids):
        if mark is not None and mark != mine:
            raise CustomerKeyError.another(what, mark, mine, VARIABLE)


def hashed_ids(value: ir.Value, descriptor: Descriptor) -> ir.Value:
    """Return the ids of a column of texts, worked out inside a scratch DuckDB.

    Values pass through Python in pieces and each keeps its row, so nothing is held but a piece. What the data set takes for guests is
    no secret and stays the word that it is, so that it is still known.

    Parameters
    ----------
    value : ibis text column
        Null where nothing is given.
    descriptor : Descriptor
        Says where the key is, and who are guests.

    Returns
    -------
    ibis text column
        Null where nothing is given.
    """
    import ibis

    key = customer_key(descriptor)
    udf: Any = ibis.udf.scalar.pyarrow(
        _hasher(key, guests_of(descriptor.guests)),
        name=f"customer_id_{key.mark}",
        signature=(("string",), "string"),
    )
    return udf(value)


def _hasher(key: CustomerKey, guests: Sequence[str]) -> Callable[[Any], Any]:
    """What makes ids of a piece of a column, an Arrow array. (DuckDB evaluates its annotations, where Arrow is not imported.)"""
    words = {plain(word.strip()): word for word in guests}

    def id_of(value: str) -> str | None:
        found = value.strip().lower() if value.isascii() else plain(value.strip())
        return words.get(found) or (found if words and re.search(NUMBERED_GUEST, found) else key.id_of(value))

    def hashed(values: Any) -> Any:
        import pyarrow as pa

        distinct = values.dictionary_encode()
        if isinstance(distinct, pa.ChunkedArray):
            distinct = distinct.combine_chunks()
        made = [None if value is None else id_of(value) for value in distinct.dictionary.to_pylist()]
        return pa.array(made, pa.string()).take(distinct.indices)

    return hashed
