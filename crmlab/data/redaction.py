"""Addresses of databases and their passwords, taken out of whatever is written or shown.

What is hidden, and what never is:

- an address itself, wherever it stands and however it is written (quoted, escaped, percent-encoded);
- a password that is known from an address, wherever it stands where a password does: ``//user:HERE@``, ``password=HERE``,
  ``"password": "HERE"``, ``option("password", "HERE")``;
- a known password that stands alone, where no word, name, number or code looks like it: at least eight characters, letters along
  with digits or signs, and not a word that a number follows.

Everything else stays: a password such as ``metadata``, ``a`` or ``AB-12345`` is hidden where it is a password, and no other "metadata",
"a" or "AB-12345" is touched, in data least of all. Structures are searched value by value; their keys, and the text of a file as a
whole, are never changed.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import markupsafe

if TYPE_CHECKING:
    import pandas as pd
    from nbformat import NotebookNode

__all__ = ["NOT_SHOWN", "Redaction", "passwords_in"]

NOT_SHOWN = "[not shown]"
_SHORTEST = 8  # characters of a password that is hidden where it stands alone
_CODE = re.compile(r"[^\W\d_]*[-_./ ]?\d*")  # a word, a number, or a word that a number follows
# How a password is called, whatever stands before.
_KEY = r"(?:(?:password|passwd|passphrase|pwd|secret|token|api_?key)\w{0,20}|(?:pass|pw)(?![A-Za-z]))"
_VARIABLE = re.compile(
    r"(?i).*password|(?:.*_)(?:passwd|passphrase|pass|pwd|secret|token|api_?key)"
)  # a variable that holds one
# An address with its user's password; libpq and JDBC also take key=value, in the query or alone.
_USER = re.compile(r"://[^/\s:@?#\"'<>]*:(?P<value>[^\s\"'<>/?#]*)@|://[^/\s:@?#\"'<>]*:(?P<odd>[^\s]*)@")
_PAIR = re.compile(rf"(?i){_KEY}\s*(?:=|%3D)\s*(?:'(?P<quoted>(?:\\.|[^'\\])*)'|\"(?P<double>[^\"]*)\"|(?P<bare>[^\s&;,'\"]+))")
_BARE = re.compile(rf"(?i){_KEY}\s*=\s*(?P<value>[^\s'\"]\S*)")  # libpq ends a value at a blank and nowhere else
_TOKEN = re.compile(r"(?i)https?://(?P<value>[^/\s:@?#\"'<>]+)@")  # of the web: what stands for a name alone is a secret
_ADDRESS = re.compile(
    r"(?i)(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|sqlserver|oracle|redshift|snowflake|mongodb(?:\+srv)?)\S*://"
)


def passwords_in(address: str) -> set[str]:
    """Return the passwords that an address holds, as they are written there and as they are meant.

    Examples
    --------
    >>> sorted(passwords_in("postgresql://clerk:p%2Fw@host/db?sslpassword=x+y"))
    ['p%2Fw', 'p/w', 'x y', 'x+y']
    >>> sorted(passwords_in("host=db user=clerk password='it\\\\'s'"))
    ["it's", "it\\\\'s"]
    >>> passwords_in("jdbc:sqlserver://host;user=clerk;password=metadata")
    {'metadata'}
    """
    found: set[str] = set()
    forms = (_USER, _PAIR, _TOKEN) if "://" in address else (_PAIR, _BARE)
    for match in (match for form in forms for match in form.finditer(address)):
        value = next((group for group in match.groups() if group), "")
        found |= {value, unquote(value), unquote_plus(value), re.sub(r"\\(.)", r"\1", value)}
    return {value for value in found if value}


def _written(text: str) -> set[str]:
    """A text as it is, and as tracebacks, pages and notebooks write it."""
    found = {text, quote(text, safe=""), quote_plus(text), quote(text)}
    for escaped in (
        lambda text: repr(text)[1:-1],
        html.escape,
        lambda text: str(markupsafe.escape(text)),
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: json.dumps(text)[1:-1],
    ):
        found |= {escaped(text) for text in found}
    return found


def _is_telling(password: str) -> bool:
    """Whether no word, name, number or code looks like it."""
    signs = any(not ch.isalnum() and ch not in "_-./ " for ch in password)
    mixed = any(ch.isalpha() for ch in password) and (signs or any(ch.isdigit() for ch in password))
    return len(password) >= _SHORTEST and mixed and not _CODE.fullmatch(password)


@dataclass(frozen=True)
class Redaction:
    """Hides addresses and their passwords; without any, everything is returned as it is.

    Parameters
    ----------
    addresses : tuple of str
        As they are used: URLs, or ``key=value`` pairs. One that is neither is taken for a password.
    passwords : tuple of str
        Passwords that are given beside an address.

    Examples
    --------
    >>> hide = Redaction(("postgresql://clerk:metadata@host/db",))
    >>> hide.text("postgresql://clerk:metadata@host/db does not answer")
    '[not shown] does not answer'
    >>> hide.tree({"metadata": ["metadata of user clerk", "password=metadata"]})
    {'metadata': ['metadata of user clerk', 'password=[not shown]']}
    """

    addresses: tuple[str, ...] = ()
    passwords: tuple[str, ...] = ()

    @classmethod
    def of_environment(cls, addresses: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Redaction:
        """Return what hides these addresses, and those that environment variables hold: there, and nowhere else, they are given.

        Parameters
        ----------
        addresses : iterable of str
        environment : mapping, optional
            Default: that of this process.
        """
        found, passwords = {one for one in addresses if one.strip()}, set()
        for name, value in (os.environ if environment is None else environment).items():
            if _VARIABLE.fullmatch(name):
                passwords |= {value}
            elif passwords_in(value) or _ADDRESS.match(value):
                found.add(value)
        return cls(tuple(sorted(found)), tuple(sorted(value for value in passwords if value)))

    def __bool__(self) -> bool:
        return bool(self.addresses or self.passwords)

    @cached_property
    def _whole(self) -> re.Pattern[str] | None:
        """Addresses, longest first."""
        found = {text for one in self.addresses if _is_address(one) for text in (one, one.strip(), unquote(one))}
        return _any(text for one in found for text in _written(one))

    @cached_property
    def _secrets(self) -> set[str]:
        found = set(self.passwords)
        for one in self.addresses:
            found |= passwords_in(one) if _is_address(one) else {one.strip()}
        return found

    @cached_property
    def _placed(self) -> re.Pattern[str] | None:
        """Passwords where a password stands."""
        values = _any(text for one in self._secrets for text in _written(one))
        if values is None:
            return None
        between = r"(?:[\"'\s]|\\[\"']|&quot;|&\#(?:34|39|x27);|\x1b\[[\d;]*m)*"
        user = rf"(?P<user>//(?:[^\s/@]*:)?|%2F%2F(?:[^\s/@]*%3A)?){values.pattern}(?=@|%40)"
        pair = rf"(?P<pair>{_KEY}{between}(?:=>|=|:|,|%3D){between}){values.pattern}(?!\w)"
        return re.compile(f"(?i:{user})|(?i:{pair})")

    @cached_property
    def _alone(self) -> re.Pattern[str] | None:
        """Passwords that are hidden wherever they stand alone."""
        values = _any(text for one in self._secrets if _is_telling(one) for text in _written(one))
        # Before it there may be the end of a colour's code, or of an escaped line end.
        return None if values is None else re.compile(rf"(?:(?<!\w)|(?<=\dm)|(?<=\\[nrt])){values.pattern}(?!\w)")

    def text(self, text: str) -> str:
        """Hide in a text: a message, a traceback, a cell of a table."""
        if self._whole is not None:
            text = self._whole.sub(NOT_SHOWN, text)
        if self._placed is not None:
            text = self._placed.sub(lambda found: f"{found['user'] or found['pair']}{NOT_SHOWN}", text)
        return text if self._alone is None else self._alone.sub(NOT_SHOWN, text)

    def tree(self, content: Any) -> Any:
        """Hide in the values of lists and mappings; their keys stay.

        A mapping's value is hidden, too, where its key says that it is a password and it is one that is known.
        """
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, Mapping):
            return {key: self._under(str(key), value) for key, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.tree(value) for value in content]
        return content

    def _under(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and value in self._secrets and re.search(f"(?i){_KEY}", key):
            return NOT_SHOWN
        return self.tree(value)

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Hide in the texts of a frame; the same frame where there is nothing to hide."""
        if not self:
            return frame
        changed = {}
        for i in range(frame.shape[1]):
            column = frame.iloc[:, i]
            if frame.dtypes.iloc[i].kind in "iufbM":
                continue
            texts = {text for text in column if isinstance(text, str)}
            hidden = {text: new for text in texts if (new := self._under(str(frame.columns[i]), text)) != text}
            if hidden:
                changed[i] = column.map(
                    lambda value, hidden=hidden: hidden.get(value, value) if isinstance(value, str) else value
                )
        if not changed:
            return frame
        safe = frame.copy()
        for i, column in changed.items():
            safe.isetitem(i, column)
        return safe

    def notebook(self, notebook: NotebookNode) -> NotebookNode:
        """Hide in what a notebook shows, changing it in place: sources and outputs, not the form of the file."""
        if not self:
            return notebook
        for cell in notebook.cells:
            cell["source"] = self.text(cell.source)
            for output in cell.get("outputs", []):
                for part in ("text", "ename", "evalue", "traceback"):
                    if part in output:
                        output[part] = self.tree(output[part])
                for kind, content in output.get("data", {}).items():
                    if not kind.startswith(("image/", "application/pdf")) or kind == "image/svg+xml":
                        output["data"][kind] = self.tree(content)
        return notebook


def _is_address(text: str) -> bool:
    return "://" in text or bool(_PAIR.search(text))


def _any(texts: Iterable[str]) -> re.Pattern[str] | None:
    """What finds any of some texts, the longest first."""
    found: Iterator[str] = iter(sorted({text for text in texts if text}, key=lambda text: (-len(text), text)))
    joined = "|".join(map(re.escape, found))
    return re.compile(f"(?:{joined})") if joined else None
