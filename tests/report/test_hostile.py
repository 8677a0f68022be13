"""Hostile data: whatever names, ids, texts and parameters hold, pages stay valid, nothing runs, and secrets stay secret."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .helpers import (
    ROOT,
    Nursery,
    broken_links,
    cells,
    crmlab,
    environment,
    files_of,
    history_of,
    is_number,
    made,
    new_project,
    pages_of,
    read_page,
    shown,
)
from .test_pages import CHARTS, PROBE

pytestmark = pytest.mark.proof
SCRIPT = "<script>window.hacked=1</script>"
HANDLER = '"><img src=x onerror=window.hacked=1>'
# What templates, formats, spreadsheets, terminals and layouts trip over.
HOSTILE = [
    SCRIPT,
    HANDLER,
    "'><svg/onload=window.hacked=1>",
    "</td></table></main></body><!--",
    "]]><![CDATA[ --> &amp;lt; &#60;b&#62;",
    "javascript:window.hacked=1",
    "{{1234*5678}}",
    "{{7*7}}",
    "{x}",
    "{0.__class__}",
    "%s %(x)s %d",
    "{% raw %}",
    "{% endraw %}{{ resources }}",
    "$\\frac{x$ and $",
    "\\x1b[31m\x1b[31m",
    "\u202eright to left\u202c \u2067\u0627\u0644\u0639\u0645\u064a\u0644\u2069",
    "x" * 10_000,
    "long words " * 900,
    "=cmd()",
    '=HYPERLINK("http://127.0.0.1:9/","click")',
    "+1",
    "-1",
    "@x",
    "\t=1+2",  # ids are read without the space around them
    "  =1+3",
    "\r=1+4",
    "-2+3+cmd|' /C calc'!A0",
    "a,b;c\td\"e'f",
    "line\nbreak",
    "\ufeffbom",
    "x\u00a0y",  # alone it is no text to the data layer
    "nil",
    "nan.",
    "../../../etc/passwd",
    "C:\\Windows\\System32",
    "'; DROP TABLE orders; --",
    "\U0001f6d2 \U0001f469\u200d\U0001f680",
    "Zalgo\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308",
    "01",
    "0x10",
]
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
TOML = """\
title = {title}
description = {text}
licence = {text}
customer = {text}
currency = "EUR"

[report]
title = {report}
contact = {text}

[orders]
file = "orders.parquet"

[order_lines]
file = "order_lines.parquet"

[products]
file = "products.parquet"

[customers]
file = "customers.parquet"
"""


def tables(values: list[str]) -> dict[str, dict[str, list[Any]]]:
    """Orders, their lines, products and customers, whose every text is hostile; each customer buys a few times."""
    import datetime as dt

    start = dt.datetime(2024, 1, 1, 9)
    orders: dict[str, list[Any]] = {"order_id": [], "customer_id": [], "ordered_at": [], "amount": [], "channel": []}
    lines: dict[str, list[Any]] = {
        "order_id": [],
        "customer_id": [],
        "ordered_at": [],
        "product_id": [],
        "quantity": [],
        "amount": [],
    }
    count = len(values)
    for i, customer in enumerate(values):
        for k in range(1 + i % 5):
            day = start + dt.timedelta(days=(i * 37 + k * 61) % 420)
            # The largest orders are shown with their ids.
            amount = float(10 + (i * 13 + k * 7) % 90 + (5_000 if k == 0 and i % 5 == 0 else 0))
            order = values[i] if k == 0 else f"{k}-{i}"
            row = {"order_id": order, "customer_id": customer, "ordered_at": day}
            for name, value in {**row, "amount": amount, "channel": values[(i + k) % count]}.items():
                orders[name].append(value)
            for part in range(2):
                product = values[(i + k + part) % count]
                for name, value in {**row, "product_id": product, "quantity": 1.0, "amount": amount / 2}.items():
                    lines[name].append(value)
    # A customer whom rules find fault with, so that examples are shown.
    orders["order_id"].append(HANDLER + "2"), orders["customer_id"].append(SCRIPT)
    (
        orders["ordered_at"].append(start + dt.timedelta(days=3)),
        orders["amount"].append(-7_000.0),
        orders["channel"].append(HANDLER),
    )
    products = {"product_id": values, "name": values[::-1], "category": [values[(i * 7) % count] for i in range(count)]}
    customers = {"customer_id": values, "country": values[::-1]}
    return {"orders": orders, "order_lines": lines, "products": products, "customers": customers}


def write_dataset(folder: Path, name: str, values: list[str], text: str) -> Path:
    """A data set of Parquet files and its TOML file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    for table, columns in tables(values).items():
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")
    words = {"title": f"{SCRIPT}{{{{1234*5678}}}}", "report": f"{HANDLER}{{% raw %}} {text}", "text": text}
    toml = folder / f"{name}.toml"
    toml.write_text(TOML.format(**{key: json.dumps(value) for key, value in words.items()}), encoding="utf-8")
    return toml


@dataclass(frozen=True)
class Attack:
    """Reports on hostile data."""

    toml: Path
    folder: Path
    env: dict[str, str]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Attack:
    base = tmp_path_factory.mktemp("hostile")
    name = "we{{7*7}}ird {x} <b>&'"
    toml = write_dataset(base / "da{t}a %s", name, HOSTILE, f"{HANDLER} {{x}} \u202e {'x' * 10_000}")
    env = environment(cache)
    made(crmlab("run", "--data", toml, "--out", base / "reports", env=env))
    return Attack(toml, base / "reports" / name, env)


# --- pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_nothing_runs_and_pages_stay_valid(attack: Attack, browser: Any) -> None:
    pages = pages_of(attack.folder)
    assert {"index", "rfm", "data_quality"} <= set(pages)
    problems: dict[str, list[str]] = {}
    for name, page in pages.items():
        for width in (1280, 380):
            with shown(browser, page, viewport={"width": width, "height": 900}) as (tab, seen):
                found = tab.evaluate(PROBE) + [f"in a chart, {what}" for what in tab.evaluate(CHARTS)]
                found += seen.requests + seen.complaints
                tab.wait_for_timeout(100)
                if tab.evaluate("() => window.hacked") is not None:
                    found.append("a script ran")
                # What was meant to be shown is shown as it is.
                if name == "index" and tab.locator("h1").inner_text().startswith(HANDLER) is False:
                    found.append(f"heading: {tab.locator('h1').inner_text()[:80]}")
            if found:
                problems[f"{name} at {width} px"] = found
    assert problems == {}


@pytest.mark.browser
def test_nothing_runs_even_without_a_policy(attack: Attack, browser: Any) -> None:
    # The policy is the second wall: the first, escaping, must hold alone.
    for name, page in pages_of(attack.folder).items():
        with shown(browser, page, bypass_csp=True) as (tab, seen):
            tab.wait_for_timeout(100)
            assert tab.evaluate("() => window.hacked") is None, name
            assert seen.requests == [], name


def test_hostile_texts_stay_texts(attack: Attack) -> None:
    for name, page in pages_of(attack.folder).items():
        text = page.read_text(encoding="utf-8")
        reader = read_page(page)
        assert "7006652" not in text, f"{name}: a template was filled in"
        assert not {"script", "iframe", "object", "embed"} & set(reader.tags), name
        assert "&lt;script&gt;" in text, f"{name} shows nothing of the data set's title"
        assert page.stat().st_size < 500_000, name
        assert "\0" not in text, name
        assert not [link for link in reader.links if link.lower().startswith(("javascript:", "http:", "https:"))], name
    assert broken_links(attack.folder) == []


def test_lists_hold_no_formula(attack: Attack) -> None:
    import pyarrow.parquet as pq

    files = sorted(attack.folder.glob("*/tables/*.csv")) + sorted(attack.folder.glob("*/outputs/*.csv"))
    assert len(files) > 8
    seen = set()
    for file in files:
        for cell in cells(file):
            assert not (cell.lstrip(" ").startswith(FORMULA) and not is_number(cell)), (file, cell[:80])
            seen.add(cell)
    assert {"'=cmd()", "'@x", "'+1", "'-1", "'=1+2", "'=1+3"} <= seen
    # The Parquet beside it is for programs: it holds every value as it is.
    kept = set(pq.read_table(next(iter(attack.folder.glob("rfm/outputs/*.parquet")))).column("customer_id").to_pylist())
    assert {"=cmd()", SCRIPT, "{{7*7}}", "x" * 10_000} <= kept


def test_records_are_whole(attack: Attack) -> None:
    records = history_of(attack.folder)
    assert {record["status"] for record in records} <= {"ok", "skipped"}
    assert sum(record["status"] == "ok" for record in records) >= 2
    listed = crmlab("history", "--data", attack.toml, "--out", attack.folder.parent, env=attack.env)
    assert listed.returncode == 0
    assert "rfm" in listed.stdout


# --- NUL, csv, parameters: a report, or a plain sentence ---------------------------------------------------------------------

NUL = ["a\0b", "\0", "plain", *(f"c{i}" for i in range(20))]


def assert_plain(status: int, said: str) -> None:
    """It went well, or it says in the words of crmlab what is wrong."""
    assert "Traceback" not in said
    assert status == 0 or "crmlab: " in said or "problem" in said, said
    assert status in (0, 1, 2), said


@pytest.mark.browser
def test_nul(tmp_path: Path, cache: Path, browser: Any) -> None:
    toml = write_dataset(tmp_path / "data", "nul", NUL, "a\0b")
    done = crmlab("run", "data_quality", "--data", toml, "--out", tmp_path / "reports", env=environment(cache))
    assert_plain(done.returncode, done.stdout + done.stderr)
    folder = tmp_path / "reports" / "nul"
    if done.returncode != 0:
        assert not list(folder.glob("*/report.html"))
        return
    for page in pages_of(folder).values():
        assert b"\0" not in page.read_bytes()
        with shown(browser, page) as (tab, seen):
            assert tab.evaluate(PROBE) == []
            assert seen.complaints == []
    for file in folder.rglob("*.csv"):
        assert b"\0" not in file.read_bytes(), file


@pytest.mark.parametrize("what", ["hostile", "nul"])
def test_csv(tmp_path: Path, cache: Path, nursery: Nursery, what: str) -> None:
    import csv

    values = {"hostile": HOSTILE, "nul": NUL}[what]
    columns = tables(values)["orders"]
    with (tmp_path / "orders.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    (tmp_path / "own.toml").write_text('[orders]\nfile = "orders.csv"\n')
    status, said = nursery.start("check", tmp_path / "own.toml", env=environment(cache)).end()
    assert_plain(status, said)
    status, said = nursery.start(
        "new",
        tmp_path / "orders.csv",
        "--name",
        f"hostile-{os.getpid()}",
        env=environment(cache, CRMLAB_HOME=str(new_home(tmp_path))),
    ).end()
    assert_plain(status, said)


def new_home(folder: Path) -> Path:
    """A project folder without anything in it."""
    home = folder / "home"
    (home / "notebooks").mkdir(parents=True, exist_ok=True)
    (home / "data").mkdir(exist_ok=True)
    return home


@pytest.mark.parametrize(
    "value", [SCRIPT, HANDLER, "{{7*7}}", "{x}", "%s", "\u202e", "x" * 10_000, "=cmd()", "'''\nimport os\n"]
)
def test_parameters(tmp_path: Path, cache: Path, nursery: Nursery, value: str) -> None:
    for assignment in (f"as_of={value}", f"{value}=1"):
        status, said = nursery.start(
            "run", "rfm", "--data", "cdnow_sample", "-p", assignment, "--out", tmp_path, env=environment(cache)
        ).end()
        assert status == 2, said
        assert said.startswith("crmlab: "), said
        assert "Traceback" not in said
        assert len(said) < 1_000, "a message shows a long value whole"
    assert not list(tmp_path.rglob("report.html"))


# --- secrets --------------------------------------------------------------------------------------------------------------

PASSWORDS = ["hunter2secret", "p%22w%5Cd%40%2Fx%C3%BC", "a<b>&c'd"]


def betrayals(password: str, said: str, *folders: Path) -> list[str]:
    """Where a password, as it is or as some format writes it, can be read."""
    from html import escape
    from urllib.parse import unquote

    import markupsafe

    plain = unquote(password)
    forms = {
        password,
        plain,
        escape(plain),
        escape(password),
        str(markupsafe.escape(plain)),
        json.dumps(plain)[1:-1],
        repr(plain)[1:-1],
    }
    forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in list(forms)}
    found = [f"said: {said}"] if any(form in said for form in forms) else []
    for folder in folders:
        for name, content in files_of(folder).items():
            if any(form.encode() in content for form in forms):
                found.append(name)
    return found


@pytest.mark.parametrize("password", PASSWORDS)
def test_password_of_a_database_that_cannot_be_reached(tmp_path: Path, cache: Path, nursery: Nursery, password: str) -> None:
    (tmp_path / "own.toml").write_text(
        '[source]\nkind = "postgres"\nurl_env = "OWN_DATABASE"\n\n[orders]\nfrom_table = "orders"\n'
    )
    mine = tmp_path / "cache"
    env = environment(
        cache, CRMLAB_CACHE=str(mine), OWN_DATABASE=f"postgresql://clerk:{password}@127.0.0.1:1/shop?connect_timeout=5"
    )
    for command in (("run", "--out", tmp_path / "reports", "--data"), ("check",)):
        status, said = nursery.start(*command, tmp_path / "own.toml", env=env).end()
        assert status == 2, said
        assert said.startswith("crmlab: "), said
        assert "Traceback" not in said
        mine.mkdir(exist_ok=True)
        assert betrayals(password, said, tmp_path) == []


OPENED = """
import dataclasses
import crmlab.report.runner as runner
real = runner.inspect
def inspect(data):
    inputs = real(data)
    descriptor = dataclasses.replace(inputs.descriptor, source={**inputs.descriptor.source, "url_env": "OWN_DATABASE"})
    from crmlab.report.inputs import secrets_of
    return dataclasses.replace(inputs, descriptor=descriptor, secrets=secrets_of(descriptor))
runner.inspect = inspect
"""
TELLS = (
    "url = os.environ['OWN_DATABASE']\nfrom urllib.parse import unquote, urlsplit\npassword = unquote(urlsplit(url).password)\n"
)


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("way", ["raised", "shown"])
def test_password_that_a_notebook_tells(
    tmp_path: Path, cache: Path, saved: Path, nursery: Nursery, password: str, way: str
) -> None:
    # A driver's message may hold the address: here the notebook itself does its worst.
    project = new_project(tmp_path, cache, saved, nursery)
    shows = "from IPython.display import HTML, display\nprint(url, password)\ndisplay(password)\ndisplay(HTML(f'<p>{url}</p>'))\nurl"
    project.write(TELLS + {"raised": "raise RuntimeError(f'cannot connect to {url} with {password}')", "shown": shows}[way])
    env = {**project.env, "OWN_DATABASE": f"postgresql://clerk:{password}@127.0.0.1:1/shop"}
    prepare = f"{OPENED}\nimport crmlab.report.kernels as kernels\nkernels.available = lambda: False"
    runner = nursery.start("run", "rfm", "--data", "cdnow_sample", "--out", project.out, env=env, prepare=prepare)
    status, said = runner.end()
    assert status == (1 if way == "raised" else 0), said
    assert betrayals(password, said, project.out) == []
    place = project.folder / "failed" / "rfm" if way == "raised" else project.rfm
    assert "[not shown]" in (place / "notebook.ipynb").read_text(encoding="utf-8")


def test_there_are_no_secrets_in_this_project() -> None:
    # Addresses of databases come from the environment: no shipped data set holds one.
    for toml in (ROOT / "data").glob("*.toml"):
        assert "://" not in toml.read_text(encoding="utf-8") or "postgres" not in toml.read_text(encoding="utf-8")
