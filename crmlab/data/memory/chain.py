"""Whether the campaign memory is whole: the events of a campaign are linked, and a head says where the line ends.

Each event has a digest of all that it says, the time of recording included, and of its place: its number among the events of its
campaign, and the digest of the event before it. A line is that of one campaign, not of the whole memory: campaigns know nothing of
each other, a run tells which of them have changed, and damage to one is named with its campaign. Beside the events stand the
heads: how many events each campaign has, and the digest of the last. So an event that was altered, added by hand or deleted is found
out with every reading, headers as well as rows.

What is meant is damage and single edits: a flipped bit, a file that was deleted, a cost or a date that was corrected by hand. It is no
protection from somebody who writes everything anew, events, digests and heads: nothing here is signed. What runs have seen stands in their
records too (``run.json``), which such a person would have to change as well.

An event is written before its head. Whoever is killed between the two leaves one event more than the heads say; it is in its place, so
it counts, and the next writer brings the head up to it. Two at a time cannot be.

Memories of the form before digests have neither links nor heads. The first writer adopts them: under the lock, once, their identifiers
are checked against what they say, they are brought into line in the order of recording, and heads are written that hold the digest of
each. The events themselves stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmlab.data.memory.events import FORMAT, UNLINKED, Header, is_digest
from crmlab.data.sealed import content_digest
from crmlab.errors import CampaignError, shown

__all__ = ["Head", "Heads", "checked_heads", "heads_json", "heads_of", "in_line", "parse_heads", "unlinked"]


@dataclass(frozen=True)
class Head:
    """Where the line of a campaign ends.

    Parameters
    ----------
    count : int
        Events of the campaign.
    digest : str
        That of the last.
    adopted : tuple of (slot, digest)
        The first events, where they are of the form before links and hold no digest themselves.
    """

    count: int
    digest: str
    adopted: tuple[tuple[str, str], ...] = ()


Heads = Mapping[str, Head]


def unlinked(headers: Iterable[Header], heads: Heads | None) -> bool:
    """Say whether a memory is of the form before links and was not adopted yet."""
    found = list(headers)
    return heads is None and bool(found) and all(header.form == UNLINKED for header in found)


def in_line(headers: Sequence[Header], heads: Heads | None, ahead: int) -> list[Header]:
    """Check events against each other and against the heads.

    Parameters
    ----------
    headers : sequence of Header
        In any order.
    heads : mapping of campaigns to Head, or None
        None: there are none.
    ahead : int
        How many events there may be that the heads do not know yet: 1 where a writer may be killed between the two.

    Returns
    -------
    list of Header
        By campaign and sequence, each linked. Those of a memory that was not adopted yet are linked as it would be.

    Raises
    ------
    CampaignError
        An event is missing, was altered, or is in no place.
    """
    by_campaign: dict[str, list[Header]] = {name: [] for name in sorted({*(heads or ()), *(one.campaign for one in headers)})}
    for header in headers:
        by_campaign[header.campaign].append(header)
    if unlinked(headers, heads):
        return [header for mine in by_campaign.values() for header in _adopted(mine)]
    if heads is None and len(headers) > ahead:
        raise CampaignError.heads_gone(len(headers))
    found: list[Header] = []
    for name, mine in by_campaign.items():
        head = (heads or {}).get(name, Head(0, ""))
        line = _line(name, mine, head)
        ahead -= len(line) - head.count
        if ahead < 0:
            raise CampaignError(
                f"{line[-1].slot} of the campaign memory is beyond what its heads say. Expected {head.count} events of the campaign "
                f"{shown(name)}. Found {len(line)}: it was put there by hand, or the heads are those of an older copy. Nothing was "
                "changed. Restore the memory from a copy."
            )
        found += line
    return found


def heads_of(headers: Iterable[Header]) -> dict[str, Head]:
    """Return the heads of events that are in line."""
    found: dict[str, Head] = {}
    for header in headers:
        adopted = found[header.campaign].adopted if header.campaign in found else ()
        if header.form == UNLINKED:
            adopted = (*adopted, (header.slot, header.digest))
        found[header.campaign] = Head(header.sequence, header.digest, adopted)
    return found


def _adopted(mine: list[Header]) -> list[Header]:
    """The events of a campaign that were never linked, in the order of recording."""
    line: list[Header] = []
    for number, header in enumerate(sorted(mine, key=lambda one: (one.recorded_at, one.event_id)), start=1):
        line.append(header.linked(number, line[-1].digest if line else ""))
    return line


def _line(name: str, mine: list[Header], head: Head) -> list[Header]:
    """The events of one campaign in their order; raises for the first that is not in its place."""
    places = {slot: number for number, (slot, _) in enumerate(head.adopted, start=1)}
    placed: dict[int, Header] = {}
    for header in mine:
        if header.form == UNLINKED:
            number = places.get(header.slot, 0)
            if not number:
                raise CampaignError(
                    f"{header.slot} of the campaign memory has no link. Expected form {FORMAT}, as the memory was adopted. Found form "
                    f"{UNLINKED}: an older crmlab or somebody else put it there. Move it elsewhere, and say it again with this version."
                )
            header = header.linked(number, head.adopted[number - 2][1] if number > 1 else "")
            if header.digest != head.adopted[number - 1][1]:
                raise CampaignError.altered(header.slot)
        if header.sequence in placed:
            raise CampaignError.not_in_line(header.slot, name, header.sequence)
        placed[header.sequence] = header
    count = max(head.count, len(placed))
    before = ""
    for number in range(1, count + 1):
        if number not in placed:
            slot = head.adopted[number - 1][0] if number <= len(head.adopted) else ""
            raise CampaignError.event_gone(name, number, count, slot)
        here = placed[number]
        if here.before != before or (number == head.count and here.digest != head.digest):
            raise CampaignError.not_in_line(here.slot, name, number)
        before = here.digest
    return [placed[number] for number in range(1, count + 1)]


def heads_json(heads: Heads) -> str:
    """Return heads as a file holds them, with a digest of their own."""
    said = _plain(heads)
    return json.dumps({"format": FORMAT, "campaigns": said, "digest": content_digest(said)}, indent=1, sort_keys=True) + "\n"


def parse_heads(text: str | bytes, name: str) -> dict[str, Head]:
    """Read heads as a file holds them.

    Raises
    ------
    CampaignError
        They are not as they were written.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CampaignError.heads_wrong(name, error) from error
    if not isinstance(said, dict) or not isinstance(said.get("campaigns"), dict) or said.get("format") != FORMAT:
        raise CampaignError.heads_wrong(name, said if not isinstance(said, dict) else f"form {said.get('format')}")
    heads = checked_heads(said["campaigns"], name)
    if content_digest(_plain(heads)) != said.get("digest"):
        raise CampaignError.heads_wrong(name, "another digest than that of its content")
    return heads


def checked_heads(said: Mapping[str, Any], name: str) -> dict[str, Head]:
    """Check heads that were read: by campaign ``count``, ``digest`` and ``adopted``, pairs of slot and digest.

    Raises
    ------
    CampaignError
        A value is of another type.
    """
    heads = {}
    for campaign, one in said.items():
        if not isinstance(one, dict):
            raise CampaignError.heads_wrong(name, one)
        count, digest, adopted = one.get("count"), one.get("digest"), one.get("adopted", [])
        if isinstance(count, bool) or not isinstance(count, int) or count < 1 or not is_digest(digest):
            raise CampaignError.heads_wrong(name, one)
        if not isinstance(adopted, list) or len(adopted) > count or not all(map(_is_pair, adopted)):
            raise CampaignError.heads_wrong(name, one)
        heads[campaign] = Head(count, str(digest), tuple((slot, known) for slot, known in adopted))
    return heads


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and is_digest(value[1])


def _plain(heads: Heads) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, head in heads.items():
        said[name] = {"count": head.count, "digest": head.digest}
        if head.adopted:
            said[name]["adopted"] = [list(pair) for pair in head.adopted]
    return said
