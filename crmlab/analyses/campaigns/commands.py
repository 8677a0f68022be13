"""The launch of a campaign, as the command line takes it: draw the list, assign it, write the files to send from."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlab.analyses.campaigns.holdout import Holdout, holdout_for
from crmlab.analyses.campaigns.ids import check_ids, launch_details
from crmlab.collecting import collect, collect_arrow
from crmlab.data.identity import check_marks
from crmlab.data.naming import path_part
from crmlab.data.private import close_to_others, private_folder
from crmlab.errors import CampaignError, shown
from crmlab.history.sending import sends
from crmlab.page.sheets import column_as_it_was, read_csv, write_csv

if TYPE_CHECKING:
    import pandas as pd

    from crmlab.data.dataset import Dataset
    from crmlab.data.memory.campaigns import CampaignMemory

__all__ = ["Launched", "launch_campaign", "list_names"]


FILE_COLUMNS = ("customer_id", "response_code", "offer", "creative")


@dataclass(frozen=True, eq=False)
class Launched:
    """A launched campaign: how many went into each cell, what was left out and why, and the files that were written."""

    sizes: Mapping[str, int]
    left_out: Mapping[str, int]
    files: tuple[Path, ...]
    again: bool  # it had been launched before; the files were written again from the memory
    consent_unknown: int = 0  # how many of them it is not known of whether they may be contacted


def launch_campaign(
    name: str,
    data: Dataset,
    memory: CampaignMemory,
    out: Path,
    *,
    list_file: Path | None = None,
    columns: Sequence[str] = (),
    consent_not_known: bool = False,
) -> Launched:
    """Assign the list of a planned campaign for ever, and write one file per channel.

    A campaign that is launched already is read back: nobody changes cells, and the files are written again.

    Parameters
    ----------
    name : str
        A campaign that was planned.
    data : Dataset
        Where the list is drawn from.
    memory : CampaignMemory
    out : Path
        Folder of the files ``<campaign>-<channel>.csv``, one for each channel: customer id, response code, offer, creative, then
        ``columns``. People of cells that nothing is sent of are in none of them. Files and a new folder are for their owner only.
    list_file : Path, optional
        A csv file with ``customer_id``: the list, ready made.
    columns : sequence of str
        Further columns of the list or of the customers table.
    consent_not_known : bool
        Launch although neither data set nor list says of anybody whether they may be contacted.

    Raises
    ------
    CampaignError
        The campaign was not planned, or was withdrawn; the list cannot be read or is empty; a column is missing; nobody is known to have
        consented; or a file cannot be written. Then nothing is launched.
    CustomerKeyError
        Ids of the data set are made with another key than those of a campaign that was launched from it, or of the list.
    """
    check_ids(memory, data.descriptor)
    cells, details = memory.cells(name), memory.plan_details(name)
    again = bool(len(memory.headers(name, "launched")))
    customers = _customers(data)
    pulled: pd.DataFrame | None = None
    left_out: dict[str, int] = {}
    if list_file is not None:
        pulled = _read_list(list_file, data)
    elif not again:
        pulled, left_out = _pull(name, data, details, memory)
    unknown = 0
    if again:
        people, left_out = memory.assignments(name), {}
    else:
        allowed, unknown, later = _allowed(pulled, customers, data)
        if not consent_not_known and len(allowed) and len(allowed) == unknown:
            raise CampaignError(
                f"Whether anybody on the list of {shown(name)} may be contacted is not known. Expected a column contactable among the "
                f"customers of '{data.name}' or in the list. Found none that says so. Map it under [customers] in {data.descriptor.where}, "
                "or if consent is known elsewhere, launch with --consent-not-known."
            )
        holdout = holdout_for(data, details.get("holdout"), details.get("holdout_salt"))
        people, last = _assigned(allowed, customers, cells, details, holdout)
        left_out |= later | last
    files = _files(people, cells, pulled, customers, columns)
    names = list_names(name, memory)
    written = tuple(out / names[channel] for channel in files)
    with _aside(out, files.values()) as ready:
        if not again:
            memory.launch(name, cells, people, launch_details(data.descriptor))
        for place, target in zip(ready, written, strict=True):
            try:
                place.replace(target)
            except OSError as error:
                raise CampaignError.cannot(
                    f"The campaign is launched, but {target}",
                    "be written",
                    error.strerror or error,
                    "Run the same command again to write it.",
                ) from error
    sizes = people["cell_id"].value_counts().reindex(sorted(cells["cell_id"]), fill_value=0)
    return Launched({str(cell): int(n) for cell, n in sizes.items()}, left_out, written, again, unknown)


def list_names(campaign: str, memory: CampaignMemory) -> dict[str | None, str]:
    """Return the name of the file of each channel of a campaign: no two the same on any system, nor one that an older campaign has.

    Parameters
    ----------
    campaign : str
    memory : CampaignMemory

    Returns
    -------
    dict of channel to str
        The channel is None where a cell names none.
    """
    known, names = memory.cells(), dict[str | None, str]()
    used: set[str] = set()
    for other in dict.fromkeys(one.campaign for one in memory.headers()):  # the oldest first
        cells = known[known["campaign_id"] == other]
        given = {_channel(value) for value in cells.loc[sends(cells), "channel"]}
        names = {}
        for channel in sorted(given, key=lambda one: (one is None, one != (one or "").casefold(), one or "")):
            name = f"{path_part(other)}-{path_part('any' if channel is None else channel)}"
            if name.casefold() in used:
                name = f"{name}-{hashlib.sha256(repr((other, channel)).encode()).hexdigest()[:8]}"
            used.add(name.casefold())
            names[channel] = f"{name}.csv"
        if other == campaign:
            return names
    return names


def _channel(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _pull(name: str, data: Dataset, details: Mapping[str, Any], memory: CampaignMemory) -> tuple[pd.DataFrame, dict[str, int]]:
    """The list that the criteria of the plan choose from the data set, and how many went at each step."""
    from crmlab.analyses.campaigns.lists import PULLING, ListRules, pull_list
    from crmlab.analyses.campaigns.planning import column_problems
    from crmlab.analyses.customers import known_columns

    if "criteria" not in details:
        raise CampaignError(
            f"There is no list for {shown(name)}. Expected criteria in its plan, or a csv file with customer_id. "
            'Found neither. Give one with --list FILE, or criteria = ["days_since_last <= 365"] in the plan.'
        )
    known = known_columns(data)
    wanted = [details[key] for key in ("strata", "score") if details.get(key) in known]
    rules = ListRules(**{key: details[key] for key in PULLING if key in details})
    contacts = _launched_before(name, memory, data.descriptor.timezone)
    try:
        pulled = pull_list(data, tuple(details["criteria"]), rules=rules, columns=wanted, contacts=contacts)
    except CampaignError as error:  # the first of what is wrong: all of it is told
        raise CampaignError("\n".join(map(str, column_problems(data, details))) or str(error)) from error
    steps = pulled.ledger[pulled.ledger["removed"] > 0]
    said = (step[:1].lower() + step[1:] for step in steps["step"])
    return pulled.frame, dict(zip(said, steps["removed"].astype(int), strict=True))


def _launched_before(name: str, memory: CampaignMemory, timezone: str) -> pd.DataFrame:
    """Who was sent something by other campaigns of the memory, on the first day of the cell's window, else of the launch."""
    import pandas as pd

    frames = [pd.DataFrame({"customer_id": pd.Series(dtype="str"), "contacted_at": pd.Series(dtype="datetime64[ns]")})]
    known = memory.cells()
    for header, people in memory.launched(timezone):
        if header.campaign == name:
            continue
        cells = known[known["campaign_id"] == header.campaign]
        frames.append(people.loc[people["cell_id"].isin(cells.loc[sends(cells), "cell_id"]), ["customer_id", "contacted_at"]])
    return pd.concat(frames, ignore_index=True)


def _read_list(path: Path, data: Dataset) -> pd.DataFrame:
    try:
        frame = read_csv(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise CampaignError.cannot(
            f"The list {path.name}", "be read", reason, "Expected a csv file in UTF-8 with a column customer_id."
        ) from error
    if "customer_id" not in frame.columns:
        raise CampaignError.lacks(f"The list {path.name}", "customer_id", frame.columns)
    as_read = frame["customer_id"]
    table = data.table("customers" if "customers" in data.tables else "orders")
    known = set(collect(table.select("customer_id").distinct(), "customer_id")["customer_id"])
    frame = frame.apply(column_as_it_was)
    frame["customer_id"] = frame["customer_id"].where(frame["customer_id"].isin(known), as_read)
    strangers = [who for who in frame["customer_id"] if who not in known]
    if strangers:
        check_marks(strangers, f"the list {path.name}", data.descriptor)
        customers = "a customer who is" if len(strangers) == 1 else f"{len(strangers):,} customers who are"
        raise CampaignError(
            f"The list {path.name} contains {customers} not in the data set. Found for example: {shown(str(strangers[0]))}. "
            "Leading zeros matter."
        )
    return frame


def _customers(data: Dataset) -> pd.DataFrame:
    """The customers table, or nothing but a column of ids."""
    import pandas as pd

    if "customers" not in data.tables:
        return pd.DataFrame({"customer_id": pd.Series(dtype="str")})
    frame: pd.DataFrame = collect_arrow(data.customers, "customer_id").to_pandas()
    return frame


def _allowed(pulled: Any, customers: pd.DataFrame, data: Dataset) -> tuple[pd.DataFrame, int, dict[str, int]]:
    """Who of the list may be contacted as far as is known, of how many of them it is not known, and how many may not be and why.

    Both the data set and the list may say so; a no of either counts.
    """
    import pandas as pd

    says = [pulled["contactable"].map(_consented)] if "contactable" in pulled.columns else []
    if "contactable" in customers.columns:
        said = customers.set_index("customer_id")["contactable"].astype(object)
        says.append(pulled["customer_id"].map(said).map(_consented))
    refused, known = (pd.Series(False, pulled.index) for _ in range(2))
    for one in says:
        refused |= one.eq(False).fillna(False).astype(bool)
        known |= one.notna()
    complained = pd.Series(False, pulled.index)
    if "responses" in data.tables:
        some = data.responses.filter(data.responses["kind"] == "complaint").select("customer_id").distinct()
        complained = pulled["customer_id"].isin(collect(some, "customer_id")["customer_id"]) & ~refused
    out = refused | complained
    reasons = {"may not be contacted": int(refused.sum()), "has complained": int(complained.sum())}
    people = pulled[~out].drop(columns="contactable", errors="ignore").reset_index(drop=True)
    return people, int((~known & ~out).sum()), {reason: count for reason, count in reasons.items() if count}


def _consented(flag: Any) -> bool | None:
    """What a flag says, as a table or a file has it; None where it says nothing."""
    word = str(flag).strip().casefold()
    return True if word in ("true", "yes", "y", "1", "1.0") else False if word in ("false", "no", "n", "0", "0.0") else None


def _assigned(
    pulled: pd.DataFrame, customers: pd.DataFrame, cells: pd.DataFrame, details: Mapping[str, Any], holdout: Holdout | None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Everybody's cell, and how many of the list were left out and why."""
    from crmlab.analyses.campaigns.assignment import Take, assign, in_holdout

    by = str(details.get("by", "household_id"))
    wanted = [name for name in (by, details.get("strata")) if name and name not in pulled.columns]
    about = customers[["customer_id", *(name for name in dict.fromkeys(wanted) if name in customers.columns)]]
    people = pulled.merge(about, on="customer_id", how="left")
    left_out = {}
    if holdout is not None and holdout.share:
        key = people[by].where(people[by].notna(), people["customer_id"]) if by in people else people["customer_id"]
        held = in_holdout(key.astype("str").to_numpy(), holdout.share, holdout.salt)
        left_out["held out of all campaigns"] = int(held.sum())
        people = people[~held]
    score = details.get("score")
    if score in people.columns:
        try:
            people = people.assign(**{str(score): people[score].astype(float)})
        except (TypeError, ValueError) as error:
            raise CampaignError.must_be("score", "a column of numbers", score) from error
    planned = cells["planned_share"].astype(float)
    shares = dict(zip(cells["cell_id"], planned / planned.sum(), strict=True))  # written with a few digits: .333, .333, .333
    options = {key: details[key] for key in ("exact", "strata") if key in details}
    take = Take(n=details.get("sample"), score=score)
    assigned = assign(people.reset_index(drop=True), shares, str(details["salt"]), by=by, take=take, **options)
    left_out["not among those taken"] = len(people) - len(assigned)
    return assigned, {reason: count for reason, count in left_out.items() if count}


def _files(
    people: pd.DataFrame, cells: pd.DataFrame, pulled: pd.DataFrame | None, customers: pd.DataFrame, columns: Sequence[str]
) -> dict[str | None, pd.DataFrame]:
    """What is sent, by channel; None is that of cells that name none."""
    about = cells[sends(cells)].set_index("cell_id")
    whole = people[["customer_id", "cell_id"]].merge(about[list(FILE_COLUMNS[1:])], left_on="cell_id", right_index=True)
    for column in dict.fromkeys(columns):
        source = next((frame for frame in (pulled, customers) if frame is not None and column in frame.columns), None)
        if source is None:
            known = [*([] if pulled is None else pulled.columns), *customers.columns]
            raise CampaignError.lacks("The list", column, dict.fromkeys(known))
        if column not in whole.columns:
            whole = whole.merge(source[["customer_id", column]].drop_duplicates("customer_id"), on="customer_id", how="left")
    channel = whole["cell_id"].map(about["channel"].map(_channel).astype(object))
    whole = whole.drop(columns="cell_id").sort_values("customer_id")
    return {_channel(name): mine for name, mine in whole.groupby(channel.loc[whole.index], dropna=False)}


class _aside:  # noqa: N801  (used like contextlib's functions)
    """Files written beside their place, and gone again where they were not moved there."""

    def __init__(self, out: Path, frames: Any):
        self.out, self.frames = out, list(frames)

    def __enter__(self) -> list[Path]:
        try:
            private_folder(self.out)
            self.folder = Path(tempfile.mkdtemp(dir=self.out, prefix=".aside-"))
            places = [self.folder / f"{number}.csv" for number in range(len(self.frames))]
            for place, frame in zip(places, self.frames, strict=True):
                write_csv(frame, place)
            close_to_others(self.folder)
        except OSError as error:
            self.__exit__()
            raise CampaignError.cannot(
                "The lists",
                f"be written to {self.out}",
                error.strerror or error,
                "Nothing was launched. Choose another folder with --out.",
            ) from error
        return places

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)
