"""Reads responses to a launched campaign from a file: orders taken elsewhere, clicks, complaints."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crmlab.data.codes import normalised
from crmlab.data.tables import RESPONSES
from crmlab.errors import CampaignError, listing
from crmlab.page.sheets import column_as_it_was, read_csv

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.memory.campaigns import CampaignMemory
    from crmlab.data.memory.launched import Remembered

__all__ = ["answers_counted", "answers_told", "read_responses"]


def answers_counted(found: Remembered | None, campaign: str) -> pd.DataFrame | None:
    """Return the recorded orders that count as responses beside those of the data set; None where there are none.

    Cells and controls are treated alike. Where nobody of a control is among those who answered, controls could not answer there, and
    what the others answered would make a difference that is none.
    """
    answers = None if found is None else found.answers(campaign)
    return answers if answers is not None and answers["control"].any() else None


def answers_told(found: Remembered | None, campaign: str) -> str:
    """Say in a sentence what was recorded and whether it counts; nothing where nothing was recorded."""
    answers = None if found is None else found.answers(campaign)
    if answers is None or not len(answers):
        return ""
    who = answers.drop_duplicates("customer_id")
    held = int(who["control"].sum())
    people = "1 person has" if len(who) - held == 1 else f"{len(who) - held:,} people have"
    if held:
        return (
            f"By recorded responses, {people} answered, and {held:,} in controls: they count as having bought. Amounts are those of the "
            "orders alone."
        )
    return (
        f"By recorded responses, {people} answered, and nobody in a control: that is not a gain, because controls may have had no way to "
        "answer. Rates are those of the orders. To have recorded responses counted, record those of controls as well."
    )


def read_responses(campaign: str, path: Path, memory: CampaignMemory, timezone: str = "UTC") -> tuple[pd.DataFrame, int]:
    """Read a file of responses to a campaign.

    Parameters
    ----------
    campaign : str
        One that was launched.
    path : Path
        A csv file with ``customer_id`` and ``responded_at``, and where known ``kind`` (unless said a request
        where it asks for a day, else an order), ``response_code``,
        ``order_id`` and ``follow_up_at`` (the day for which the customer asked to be contacted again).
    memory : CampaignMemory
    timezone : str
        Into which times with an offset are brought: that of the data set.

    Returns
    -------
    (responses, strangers)
        Rows of the canonical table of people who are in the campaign, and how many rows are of others.

    Raises
    ------
    CampaignError
        The campaign is not launched, the file cannot be read, or everything that is wrong in it, a line each.
    """
    import pandas as pd

    people = set(memory.assignments(campaign)["customer_id"])
    try:
        frame = read_csv(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        hint = "Expected a csv file in UTF-8 with columns customer_id and responded_at."
        raise CampaignError.cannot(f"The file {path.name}", "be read", reason, hint) from error
    found: list[CampaignError] = [
        CampaignError.lacks(path.name, name, frame.columns)
        for name in ("customer_id", "responded_at")
        if name not in frame.columns
    ]
    if found:
        raise CampaignError("\n".join(map(str, found)))
    given = frame.apply(column_as_it_was)
    rows = pd.DataFrame({"customer_id": given["customer_id"]})
    rows["customer_id"] = rows["customer_id"].where(rows["customer_id"].isin(people), frame["customer_id"])
    rows["responded_at"] = _moments(given["responded_at"], ZoneInfo(timezone))
    asked = _texts(given, "follow_up_at")
    # Who asks to be contacted again has not bought with that.
    rows["kind"] = (
        _texts(given, "kind").fillna(asked.map(lambda day: "request", na_action="ignore")).fillna("order").str.lower()
    )
    rows["response_code"] = _texts(given, "response_code").map(normalised, na_action="ignore")
    rows["order_id"] = _texts(given, "order_id")
    rows["follow_up_at"] = _moments(asked, ZoneInfo(timezone)).dt.normalize()
    given = given.assign(follow_up_at=asked)
    found += _faults(path.name, rows, given)
    if found:
        raise CampaignError("\n".join(map(str, found)))
    known = rows["customer_id"].isin(people)
    kept = rows[known].dropna(axis="columns", how="all").reset_index(drop=True)
    return kept, int((~known).sum())


def _moments(column: pd.Series, zone: ZoneInfo) -> pd.Series:
    """ISO days or times, local; missing where they are none."""

    def moment(text: object) -> dt.datetime | None:
        try:
            read = dt.datetime.fromisoformat(str(text).strip())
            return read if read.tzinfo is None else read.astimezone(zone).replace(tzinfo=None)
        except (ValueError, OverflowError):
            return None

    return column.map(moment).astype("datetime64[us]")


def _texts(frame: pd.DataFrame, name: str) -> pd.Series:
    import pandas as pd

    if name not in frame.columns:
        return pd.Series([None] * len(frame), dtype=object)
    column = frame[name].astype(object).where(frame[name].notna(), None)
    return column.map(lambda text: str(text).strip() or None, na_action="ignore")


def _faults(name: str, rows: pd.DataFrame, given: pd.DataFrame) -> list[CampaignError]:
    found = []
    kind = RESPONSES.column("kind")
    assert kind is not None
    assert kind.one_of is not None
    checks = (
        ("customer_id", rows["customer_id"].isna(), "given in every row"),
        ("responded_at", rows["responded_at"].isna(), "a day or time such as 2026-03-01 or 2026-03-01 14:30"),
        ("follow_up_at", given["follow_up_at"].notna() & rows["follow_up_at"].isna(), "a day such as 2026-03-01, or empty"),
        ("kind", ~rows["kind"].isin(kind.one_of), f"one of {listing(kind.one_of)}"),
    )
    for column, wrong, expected in checks:
        if wrong.any():
            first = int(wrong.to_numpy().argmax())
            value = given[column].iloc[first]
            what = f"{column} of {name}, line {first + 2}"
            many = int(wrong.sum()) - 1
            more = f"So are {many:,} more." if many > 1 else "So is 1 more." if many else ""
            found.append(CampaignError.must_be(what, expected, "nothing" if value is None or value != value else value, more))
    return found
