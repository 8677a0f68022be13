"""Decides which column of a user's file is which canonical column, and what table it makes.

The name makes a candidate and the values must not contradict it: an amount is a number, a date can be read, a person's
name is never an id. Where no name helps, the values speak alone, and that is a doubt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from crmlab.data.guess.date_columns import as_counted
from crmlab.data.guess.profiles import Profile, decimal_sign, profile
from crmlab.data.guess.questions import Question
from crmlab.data.guess.sniff import Sample
from crmlab.data.personal import holds_contact, is_bare_name
from crmlab.data.tables import TABLES

__all__ = ["NUMBERS", "TIMES", "Roles", "assign", "complete", "is_possible", "name_score"]

NUMBERS = ("amount", "quantity", "unit_price", "unit_cost", "refund", "discount")
TIMES = ("ordered_at", "acquired_at", "follow_up_at")

# For each role: sets of concepts with a score; concepts that rule it out; concepts that count against it.
_RULES: dict[str, tuple[dict[str, float], str, dict[str, float]]] = {
    "customer_id": (
        {"customer+id": 1.0, "customer": 0.8},
        "name personal birth date other_date amount total price category order sale quantity product sku text line "
        "currency country kind status channel joined household contactable cost not_revenue discount refund",
        {},
    ),
    "order_id": (
        {"order+id": 1.0, "sale+id": 0.9, "order": 0.8},
        "name personal birth date other_date amount total price category quantity product sku text line currency "
        "country kind status channel joined cost not_revenue discount refund unit",
        {"customer": 0.2},
    ),
    "ordered_at": (
        {"date+order": 1.0, "date+sale": 1.0, "date": 0.85, "order": 0.4, "sale": 0.4, "other_date": 0.6},
        "birth name id",
        {"other_date": 0.2, "period": 0.5, "joined": 0.4, "customer": 0.3, "product": 0.3},
    ),
    "amount": (
        {"amount+total": 1.0, "price+total": 1.0, "sale+total": 1.0, "line+total": 1.0, "order+total": 1.0,
         "amount+line": 1.0, "amount+order": 1.0, "amount+sale": 1.0, "amount": 0.9, "total": 0.85, "sale": 0.8},
        "id date other_date name personal birth quantity category kind status channel unit text refund",
        {"not_revenue": 0.5, "discount": 0.5, "cost": 0.5, "customer": 0.3, "product": 0.1},
    ),
    "quantity": (
        {"quantity": 1.0},
        "price amount id date other_date name personal birth customer cost category kind status not_revenue discount refund",
        {},
    ),
    "unit_price": (
        {"price+unit": 1.0, "price+product": 0.9, "price": 0.85, "amount+unit": 0.8},
        "total id date other_date customer category cost not_revenue discount refund kind status name",
        {},
    ),
    "product_id": (
        {"sku": 1.0, "id+product": 1.0, "product": 0.75},
        "customer order name personal category date other_date price amount total quantity kind status text cost channel",
        {"line": 0.2},
    ),
    "product_name": (
        {"name+product": 1.0, "product+text": 1.0, "text": 0.85, "product": 0.45},
        "customer personal birth category channel id date other_date order amount total price quantity kind status sku",
        {},
    ),
    "product_category": (
        {"category+product": 1.0, "category": 0.9, "kind+product": 0.7},
        "customer personal birth channel date other_date order amount total price quantity text",
        {"id": 0.2},
    ),
    "channel": (
        {"channel": 1.0},
        "customer personal birth date other_date amount total price quantity category cost",
        {"id": 0.2},
    ),
    "household_id": ({"household": 0.9, "household+id": 1.0}, "name date amount quantity", {}),
    "contactable": ({"contactable": 0.9}, "date other_date", {}),
    "acquired_at": ({"joined": 0.9, "date+joined": 1.0}, "birth other_date id", {}),
    # Known by their own names alone.
    "follow_up_at": ({}, "", {}),
    "referred_by": ({}, "", {}),
    "unit_cost": ({"cost": 0.5, "cost+unit": 1.0, "cost+price": 1.0}, "id date total", {}),
}  # fmt: skip


_OF_PEOPLE = {"acquired_at", "household_id", "contactable", "follow_up_at", "referred_by"}


@dataclass
class Roles:
    """The mapping found.

    Attributes
    ----------
    table : str
        The canonical table.
    columns : dict
        For each canonical column the source's.
    decimal : str
        The decimal sign.
    personal : tuple of Profile
        Columns that tell who somebody is.
    near : dict
        For each role the names that come close to the one chosen.
    hidden : set
        Roles whose values must not be shown.
    zero_is_guest : bool
        Whether a customer 0 is known to be guests.
    doubts : list of (key, sentence)
        What is not sure.
    questions : list of Question
        Those of the doubts that somebody can decide.
    without : list of str
        What the file does not tell: amount, customer_id.
    known : bool
        Whether the file is a known export: which column is which is declared.
    """

    table: str
    columns: dict[str, Profile]
    decimal: str
    personal: tuple[Profile, ...] = ()
    near: dict[str, list[str]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    zero_is_guest: bool = False
    doubts: list[tuple[str, str]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    known: bool = False

    def tells_who(self, text: str) -> bool:
        """Whether a text must not be written or shown: it holds a contact, or stands in a column that tells who somebody is."""
        return holds_contact(text) or any(text in map(str, set(item.values)) for item in self.personal)

    def doubt(self, key: str, sentence: str) -> None:
        """Note what is not sure about a line of the TOML file."""
        self.doubts.append((key, sentence))

    def ask(self, question: Question) -> None:
        """Note a question: unanswered, it is a doubt."""
        self.questions.append(question)
        self.doubt(question.key, question.sentence)


def name_score(role: str, item: Profile) -> float:
    """Say how well a column's name fits a role: 0 not at all, 1 fully, more where it is the canonical name.

    Examples
    --------
    >>> name_score("amount", profile("Gesamtbetrag", [])), name_score("amount", profile("Bestelldatum", []))
    (1.0, 0.0)
    """
    if item.name.lower() == role:
        return 1.5  # the reader takes a column of this name without being told
    sets, forbidden, against = _RULES[role]
    found = frozenset(concept.replace(" ", "_") for concept in item.concepts)
    if found & set(forbidden.split()) or (role == "amount" and "price" in found and not found & {"total", "line"}):
        return 0.0
    best = max((score for needed, score in sets.items() if set(needed.split("+")) <= found), default=0.0)
    return max(best - sum(against.get(concept, 0.0) for concept in found) - 0.12 * ("?" in found), 0.0)


def is_possible(role: str, item: Profile) -> bool:
    """Say whether the values of a column allow a role.

    Examples
    --------
    >>> is_possible("amount", profile("total", ["12.50", "7"])), is_possible("amount", profile("total", ["many"]))
    (True, False)
    """
    if item.filled == 0:
        return False
    if role in NUMBERS:
        return item.numbers.loose >= 0.8 and item.dates.share < 0.9
    if role in TIMES:
        return item.dates.share >= 0.8
    if role.endswith("_id"):
        coded = role == "product_id" and "sku" in item.concepts  # a code may look like 90.750
        return item.dates.share < 0.9 and (coded or item.numbers.fractions < 0.05)
    if role == "contactable":
        return item.distinct <= 4
    words = item.numbers.share < 0.9 and item.dates.share < 0.9
    if role == "channel":
        return words and item.distinct <= 50
    return words or (role == "product_category" and item.distinct <= 200)


def assign(sample: Sample) -> tuple[Roles, list[Profile]]:
    """Decide the table and the mapping of a file.

    Parameters
    ----------
    sample : Sample
        Its first rows.

    Returns
    -------
    (Roles, list of Profile)
        The mapping, and all columns of the file.
    """
    profiles = [profile(n, v, sample.header) for n, v in zip(sample.names, sample.columns, strict=True)]
    decimal, unclear = decimal_sign(profiles)
    roles = Roles("orders", {}, decimal)
    if unclear:
        roles.doubt("decimal", unclear)
    _by_name(roles, profiles)
    _bare_names(roles, profiles)
    mapped = [item.name for item in roles.columns.values()]
    roles.personal = tuple(item for item in profiles if item.personal and item.name not in mapped)
    roles.table = sample.table or _table(roles)
    if roles.table in ("orders", "order_lines"):
        _by_values(roles, profiles, sample.header)
        roles.table = sample.table or _table(roles)
    return roles, profiles


def _by_name(roles: Roles, profiles: list[Profile]) -> None:
    """Give each role the column whose name fits best and whose values allow it; note the runners-up."""
    pairs: list[tuple[float, int, str]] = []
    for i, item in enumerate(profiles):
        for role in _RULES:
            score = name_score(role, item)
            if score >= 0.35 and is_possible(role, item) and (not item.personal or item.name.lower() == role):
                # Of equals, the one with fewer gaps.
                pairs.append((score - 0.1 * (1 - item.filled / len(item.values)), i, role))
    used: dict[int, str] = {}
    close: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for score, i, role in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
        if role not in roles.columns and i not in used:
            roles.columns[role] = profiles[i]
            used[i] = role
            if score > 1.2:
                close[role] = []  # the canonical name itself leaves no question
        close[role].append((score, i))
    for role, candidates in close.items():
        bar = max(0.6, min(candidates[0][0], 1.0) - 0.25)
        free = [profiles[i].name for score, i in candidates if i not in used and score >= bar]
        if candidates[0][0] <= 1.2 and free:
            roles.near[role] = free


def _bare_names(roles: Roles, profiles: list[Profile]) -> None:
    """A column that is just called "name" is a person's, unless it holds codes or goes with the product."""
    product, customer = roles.columns.get("product_id"), roles.columns.get("customer_id")
    coded = next((item for item in profiles if is_bare_name(item.concepts) and item.codes), None)
    if coded is not None and "order_id" not in roles.columns and "ordered_at" in roles.columns:
        roles.columns["order_id"] = coded
        roles.doubt("order_id", f"'{coded.name}' holds codes and is taken as the number of the order.")
    if product is None or "product_name" in roles.columns:
        return
    for item in profiles:
        if not is_bare_name(item.concepts) or item.contacts > 0.3 or not is_possible("product_name", item):
            continue
        alone = customer is None and product.unique
        if alone or (product.decides(item) >= 0.9 and customer is not None and customer.decides(item) < 0.5):
            roles.columns["product_name"] = item
            roles.hidden.add("product_name")
            roles.doubt("product_name", f"'{item.name}' is taken as the name of the product, since it goes with the product.")
            return


def _table(roles: Roles) -> str:
    """The canonical table that the columns found make."""
    columns = roles.columns
    product, order = columns.get("product_id"), columns.get("order_id")
    mail = next((item for item in roles.personal if item.contacts > 0.3), None)  # tells who somebody is where no id does
    customer = columns.get("customer_id", mail)
    about_orders = customer or order or "ordered_at" in columns
    if product and about_orders and ("quantity" in columns or (order and order.repeats)):
        return "order_lines"
    if product and product.unique and not about_orders:
        return "products"
    about_people = len(roles.personal) > (customer is mail) or _OF_PEOPLE & set(columns)
    # Some ids may stand twice; the reader says so.
    once = customer is not None and customer.distinct >= 0.9 * len(customer.values)
    if once and about_people and not order and not product:
        return "orders" if "amount" in columns and "ordered_at" in columns else "customers"
    return "orders"


def _by_values(roles: Roles, profiles: list[Profile], header: bool) -> None:
    """Where no name helps, let the values speak. Each such choice is a doubt."""
    columns = roles.columns

    def free() -> list[Profile]:
        taken = [item.name for item in columns.values()]
        return [item for item in profiles if item.filled and not item.personal and item.name not in taken]

    def choose(role: str, options: list[Profile], why: str) -> None:
        if options:
            columns[role] = options[0]
            roles.doubt(role, f"'{options[0].name}' was chosen by its values alone: {why}.")

    if "ordered_at" not in columns:
        days = [item for item in free() if item.dates.share >= 0.9]
        choose("ordered_at", sorted(days, key=lambda item: (not item.nameless, -item.filled)), "they are dates")
    if "ordered_at" not in columns:
        counts = [replace(item, dates=as_counted(item.dates)) for item in free() if item.nameless and item.dates.counts == 1]
        seconds = [item for item in counts if item.dates.form != "excel" and item.distinct > 1]
        choose("ordered_at", seconds, "as seconds or milliseconds since 1970 they are days")
    unknown = [item for item in free() if item.nameless and item.dates.share < 0.9]
    if "ordered_at" in columns and not {"amount", "unit_price"} & set(columns):
        money = [item for item in unknown if item.numbers.loose >= 0.9 and item.numbers.fractions > 0.3]
        choose("amount", sorted(money, key=lambda item: -item.numbers.fractions), "they are numbers with decimals")
    if "customer_id" not in columns and not header:
        ids = [item for item in free() if item in unknown and item.numbers.fractions == 0 and item.repeats]
        many = [item for item in ids if item.distinct > max(1, 0.02 * item.filled)]  # few are a quantity or a flag
        choose("customer_id", many, "they look like ids that repeat")


def complete(roles: Roles, profiles: list[Profile]) -> None:
    """Take the last steps: a column called "id", the names that the table uses, the order of its columns."""
    own = {"orders": "order_id", "customers": "customer_id", "products": "product_id"}.get(roles.table)
    bare = next((item for item in profiles if item.concepts == {"id"} and item.filled and item.dates.share < 0.9), None)
    if own == "order_id" and bare and bare.repeats and "customer_id" not in roles.columns:
        own = "customer_id"
        roles.doubt(own, f"'{bare.name}' repeats, so it is taken as the customer's and not the order's.")
    if own and bare and own not in roles.columns and all(bare is not item for item in roles.columns.values()):
        roles.columns[own] = bare
    columns: Mapping[str, Profile] = roles.columns
    if roles.table == "products":
        renamed = {"product_name": "name", "product_category": "category"}
        columns = {renamed.get(role, role): item for role, item in columns.items()}
        roles.hidden = {renamed.get(role, role) for role in roles.hidden}
    if roles.table == "customers" and "acquired_at" not in columns and "ordered_at" in columns:
        columns = {**columns, "acquired_at": columns["ordered_at"]}
        roles.doubt("acquired_at", f"'{columns['acquired_at'].name}' is taken as the day on which the customer was won.")
    names = [column.name for column in TABLES[roles.table].columns]
    roles.columns = {name: columns[name] for name in names if name in columns}
