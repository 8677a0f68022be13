"""Digests of files and of JSON contents; small JSON files that tell whether they are as they were written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["content_digest", "file_sha256", "seal", "unseal"]


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def seal(content: Any) -> bytes:
    """Return the bytes of a file that holds a content and its digest.

    Parameters
    ----------
    content : object
        Whatever JSON can hold; keys of mappings are texts.

    Examples
    --------
    >>> unseal(seal({"rows": 3}))
    {'rows': 3}
    """
    return json.dumps({"sha256": content_digest(content), "content": content}, indent=1).encode()


def unseal(data: bytes) -> Any:
    """Return the content of a sealed file.

    Raises
    ------
    ValueError
        The file is not as it was written.

    Examples
    --------
    >>> unseal(seal({"rows": 3}).replace(b"3", b"4"))
    Traceback (most recent call last):
    ValueError: The content is not as it was written.
    """
    try:
        whole = json.loads(data)
        content, digest = whole["content"], whole["sha256"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError("The content is not as it was written.") from error
    if digest != content_digest(content):
        raise ValueError("The content is not as it was written.")
    return content


def content_digest(content: Any) -> str:
    """Return the sha256 of what JSON can hold, however it is laid out.

    Examples
    --------
    >>> content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
