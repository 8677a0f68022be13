"""The campaign memory as a folder: one Parquet file per event, put into place whole and never overwritten."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crmlab.data.campaign_events import KINDS, Event, Header, read_header
from crmlab.errors import CampaignError

_NAME = re.compile(rf"({'|'.join(KINDS)})-[0-9a-f]{{32}}\.parquet")
_ASIDE = ".aside-"


class Folder:
    """Events as files of one folder.

    Parameters
    ----------
    path : Path
        Made with the first event. Hidden files are passed over: what a killed process leaves is one.
    """

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"Folder({self.path.name!r})"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers out, so that nothing changes between a check and what is written on the strength of it."""
        from filelock import FileLock

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(str(self.path / ".lock")):
                # The lock is ours: whatever was written aside was left by somebody who was killed.
                for rest in self.path.glob(f"{_ASIDE}*"):
                    rest.unlink(missing_ok=True)
                yield
        except OSError as error:
            raise CampaignError.cannot_write(self.path, error.strerror or error) from error

    def headers(self) -> list[Header]:
        """Return the headers of all events.

        Raises
        ------
        CampaignError
            A file is no event, or cannot be read.
        """
        if not self.path.exists():
            return []
        try:
            names = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise CampaignError.unreadable(str(self.path), error.strerror or str(error)) from error
        found = []
        for name in names:
            if not _NAME.fullmatch(name):
                raise CampaignError.foreign(name)
            header = read_header(self.path / name, name)
            if f"{header.slot}.parquet" != name:
                raise CampaignError.altered(name)
            found.append(header)
        return found

    def content(self, header: Header) -> tuple[Path, str]:
        """Return what holds an event, and its name."""
        return self.path / f"{header.slot}.parquet", f"{header.slot}.parquet"

    def put(self, event: Event) -> bool:
        """Write an event unless its place is taken; say whether it was written.

        The bytes go to a file of another name in the same folder and reach the disk; then a link puts the whole file into
        place, which fails where there is one already. A reader sees no file or a whole one.
        """
        target = self.path / f"{event.header.slot}.parquet"
        try:
            handle, aside = tempfile.mkstemp(dir=self.path, prefix=_ASIDE)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(event.to_bytes())
                    stream.flush()
                    os.fsync(stream.fileno())
                return _into_place(Path(aside), target)
            finally:
                Path(aside).unlink(missing_ok=True)
        except OSError as error:
            raise CampaignError.cannot_write(self.path, error.strerror or error) from error


def _into_place(aside: Path, target: Path) -> bool:
    try:
        os.link(aside, target)
    except FileExistsError:
        return False
    except OSError:
        # No links on this file system. The lock keeps other writers of ours out; on Windows rename never overwrites.
        if target.exists():
            return False
        try:
            aside.rename(target)
        except FileExistsError:
            return False
    folder = os.open(target.parent, os.O_RDONLY) if os.name == "posix" else None
    if folder is not None:
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True
