"""Coverage-guided fuzzing of what reads users' files: csv, workbooks and TOML files.

An input is made from a seed, or by changing one that has reached lines of :mod:`crmlab.data` which none had before. Each is
tried in a process of its own kind, which is watched: whatever is no answer in words (a traceback, a hang, more than 1 GB)
is a finding, kept with the input that made it.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import random
import select
import subprocess
import sys
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.report.helpers import ROOT, environment

LEAST = 40  # inputs, also where a busy machine takes long over the first
HANG = 60.0  # seconds; the slowest sound input takes two
MEMORY = 2**30
TRACED = 0.3  # tracing makes reading five times as slow: some inputs tell enough of what is new


def number(rng: random.Random) -> str:
    """A small whole number, such as that of a customer."""
    return str(rng.randrange(1, 30))


def code(rng: random.Random) -> str:
    """The number of an order."""
    return f"A{rng.randrange(10_000)}"


def day(rng: random.Random, form: str = "%Y-%m-%d") -> str:
    """A day of five years."""
    return (dt.date(2019, 1, 1) + dt.timedelta(rng.randrange(1800))).strftime(form)


def amount(rng: random.Random) -> str:
    """An amount of money."""
    return f"{rng.uniform(1, 99):.2f}"


# Columns of a file and, for each, a maker of values that suit it.
HEADERS: tuple[dict[str, Callable[[random.Random], str]], ...] = (
    {"customer_id": number, "order_id": code, "ordered_at": day, "amount": amount, "currency": lambda _: "EUR"},
    {
        "Kundennummer": number,
        "Belegnr": code,
        "Datum": lambda r: day(r, "%d.%m.%Y"),
        "Umsatz": lambda r: amount(r).replace(".", ","),
        "Währung": lambda _: "EUR",
    },
    {
        "order_id": code,
        "customer": number,
        "date": lambda r: f"{day(r)} {r.randrange(24)}:{r.randrange(60):02d}",
        "product": code,
        "qty": number,
        "unit price": amount,
    },
    {"customer": number, "date": lambda r: str(r.randrange(43_000, 45_000)), "total": amount},
)
VALUES: tuple[Callable[[random.Random], str], ...] = (
    lambda r: str(r.randrange(10_000)),
    lambda r: f"{r.uniform(-99, 999):.2f}",
    lambda r: f"{r.randrange(1, 2000)},{r.randrange(100):02d}",
    lambda r: f"{r.randrange(1990, 2030)}-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d}",
    lambda r: f"{r.randrange(1, 32)}.{r.randrange(1, 13)}.{r.randrange(2000, 2030)}",
    lambda r: f"{r.randrange(1, 13)}/{r.randrange(1, 29)}/{r.randrange(0, 99):02d} {r.randrange(24)}:{r.randrange(60):02d}",
    lambda r: r.choice(("", "NULL", "n/a", "-", "€ 3,50", "(12.00)", "1.234,56", "1 234", "#N/A", "=1+1", "None", "0")),
    lambda r: r.choice(("Äpfel", "Müller & Co", "a\tb", "«x»", "日本", "\u202eabc", "O'Neil", '5" pipe', "é")),
    lambda r: str(r.choice((1_700_000_000, 1_700_000_000_000, 45_000, 45_000.5))),
)
SPLICES = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b'""', b"'", b"\r", b"\n", b"\r\n", b"\x1b[31m", b";", b",", b"\t", b"|", b"\\",
    b"9" * 400, b"1e308", b"-1e999", b"nan", b"inf", b"9999-12-31", b"0001-01-01", b"31/02/2020", b"2020-02-30T25:61:61Z",
    b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"x" * 70_000, b"," * 3000, b"\n" * 2000, b'"' * 501, b"sep=;\n", b"=cmd|' /C calc'!A0",
    "٣٤".encode(), b"1.2.3", b"--5", b"5-", b"1_000", b"0x1F", b"true", b"%s%n", b"${x}", b"../../x", b"[", b"]", b"{", b"}", b"#", b"= ",
)  # fmt: skip
TOML = """\
title = "Fuzz"
currency = "EUR"
timezone = "Europe/Berlin"

[orders]
file = "input.csv"
customer_id = "customer"
order_id = "order_id"
ordered_at = "date"
amount = "amount"
delimiter = ";"
decimal = ","
date_format = "%d.%m.%Y"
encoding = "utf-8"
"""
TOML_VALUES = (
    '"customer"', '"amount"', '"date"', '"nope"', '""', '"\\u0000"', '"../../input.csv"', '"input.csv"', '"/etc/passwd"', "[]", "{}",
    "[1, 2]", '["a", "b"]', "true", "false", "0", "-1", "1e400", "nan", "inf", "0.5", "99999999999999999999", "2024-01-01",
    '"%d.%m.%Y"', '"%"', '"%Q"', '"utf-16"', '"nope-8"', '","', '";;"', '"\\n"', '"drop"', '"keep"', '"Europe/Berlin"', '"UTC"',
    "12:00:00", '{ a = 1, b = "c" }', '"whitespace"', "1979-05-27T07:32:00Z",
)  # fmt: skip
TOML_KEYS = (
    "file", "from", "delimiter", "decimal", "thousands", "encoding", "date_format", "header", "names", "sheet", "timezone", "currency",
    "bad_rows", "duplicates", "free_orders", "missing_customer", "quantity", "unit_price", "product_id", "customer_id", "kind", "name",
    "title", "category", "channel", "package", "value", "customers", "seed", "report", "[source]", "[order_lines]", "[customers]",
    "[products]", "[contacts]", "[responses]", "[cells]", "[goals]", "[report]", "[orders.map]",
)  # fmt: skip


@dataclass
class Findings:
    """What a fuzz found: how often each outcome came, distinct faults with the file that shows them, and the largest process."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Path] = field(default_factory=dict)
    lines: int = 0
    megabytes: int = 0


def fuzz(kind: str, seconds: float, seed: int, folder: Path) -> Findings:
    """Try inputs of a kind (csv, xlsx or toml) for some seconds, and so many as show something; inputs with a fault stay in the folder."""
    rng, found, corpus = random.Random(seed), Findings(), []
    until, watched, number = time.monotonic() + seconds, Watched(folder), 0
    reached: set[str] = set()
    try:
        while time.monotonic() < until or number < LEAST:
            content = changed(kind, rng.choice(corpus), rng) if corpus and rng.random() < 0.5 else fresh(kind, rng)
            number += 1
            place = folder / f"{kind}-{number}"
            said = watched.attempt(kind, content, place)
            found.outcomes[said["outcome"]] += 1
            found.megabytes = max(found.megabytes, watched.peak // 2**20)
            if said["outcome"] in ("read", "refused"):
                for path in sorted(place.rglob("*"), reverse=True):
                    path.unlink() if path.is_file() else path.rmdir()
                place.rmdir()
            else:
                found.faults.setdefault(said["what"], place)
            new = set(said.get("lines", ())) - reached
            if new:
                reached |= new
                corpus.append(content)
    finally:
        watched.close()
    found.lines = len(reached)
    return found


def fresh(kind: str, rng: random.Random) -> bytes:
    """An input that follows from the seed alone; most are nearly sound."""
    if kind == "toml":
        return changed("toml", TOML.encode(), rng) if rng.random() < 0.95 else TOML.encode()
    columns, odd = rng.choice(HEADERS), rng.choice((0.0, 0.0, 0.02, 0.3))
    rows = [tuple(columns)]
    for _ in range(rng.randrange(0, 60)):
        rows.append(tuple((rng.choice(VALUES) if rng.random() < odd else suits)(rng) for suits in columns.values()))
    if kind == "xlsx":
        return workbook(rows, rng)
    sign, end = rng.choice((",", ";", "\t", "|")), rng.choice(("\n", "\r\n", "\r"))
    quote = (lambda text: f'"{text}"') if rng.random() < 0.4 else (lambda text: text)
    text = end.join(sign.join(quote(value) for value in row) for row in rows)
    content = text.encode(rng.choice(("utf-8", "utf-8-sig", "cp1252", "utf-16", "latin-1")), errors="replace")
    return changed(kind, content, rng) if rng.random() < 0.3 else content


def workbook(rows: list[tuple[str, ...]], rng: random.Random) -> bytes:
    """A workbook with dates, numbers and texts."""
    import xlsxwriter

    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink, {"in_memory": True, "nan_inf_to_errors": True}) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                try:
                    sheet.write(i, j, float(value) if rng.random() < 0.8 else value)
                except ValueError:
                    sheet.write_string(i, j, value)
    return sink.getvalue()


def changed(kind: str, content: bytes, rng: random.Random) -> bytes:
    """An input with some of its bytes, or of the bytes of its parts, changed."""
    if kind == "xlsx" and rng.random() < 0.8:
        return _repacked(content, rng)
    if kind == "toml" and rng.random() < 0.7:
        return _other_toml(content, rng)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        place = rng.randrange(len(data) + 1)
        much = rng.randrange(1, 40)
        what = rng.randrange(6)
        if what == 0 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[place:place] = rng.choice(SPLICES)
        elif what == 2:
            del data[place : place + much]
        elif what == 3:
            data[place:place] = data[place : place + much] * rng.choice((1, 2, 50))
        elif what == 4:
            lines = bytes(data).split(b"\n")
            rng.shuffle(lines)
            data = bytearray(b"\n".join(lines))
        else:
            data[place : place + much] = rng.choice(SPLICES)
    return bytes(data[:2_000_000])


def _other_toml(content: bytes, rng: random.Random) -> bytes:
    """A TOML file with other values, other keys, or lines more and fewer."""
    lines = content.decode("utf-8", errors="replace").split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(lines))
        key, equals, value = lines[place].partition(" = ")
        what = rng.randrange(4)
        if what == 0 and equals:
            lines[place] = f"{key} = {rng.choice(TOML_VALUES)}"
        elif what == 1:
            word = rng.choice(TOML_KEYS)
            lines.insert(place, word if word.startswith("[") else f"{word} = {rng.choice(TOML_VALUES)}")
        elif what == 2 and len(lines) > 1:
            del lines[place]
        elif equals:
            lines[place] = f"{rng.choice(TOML_KEYS).strip('[]')} = {value}"
    return "\n".join(lines).encode("utf-8", errors="replace")


def _repacked(content: bytes, rng: random.Random) -> bytes:
    """A workbook of which one part has other bytes; where it is no archive any more, other bytes as they are."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, zipfile.zlib.error, EOFError, ValueError):
        return changed("raw", content, rng)
    if not parts:
        return content
    sheets = [name for name in parts if "sheet" in name or "Strings" in name or "styles" in name]
    victim = rng.choice(sheets or list(parts))
    parts[victim] = changed("raw", parts[victim], rng)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return sink.getvalue()


class Watched:
    """The process that tries inputs, begun anew when it died; its memory and its time are watched."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._process, self.peak = folder, None, 0
        self._tried = 0

    def _begin(self) -> subprocess.Popen[str]:
        home = self._folder / "home"
        (home / "notebooks").mkdir(parents=True, exist_ok=True)
        (home / "data").mkdir(exist_ok=True)
        env = environment(self._folder / "cache", CRMLAB_HOME=str(home), CRMLAB_DATA=str(self._folder))
        return subprocess.Popen(
            [sys.executable, "-m", "tests.attack.fuzzing"],
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def attempt(self, kind: str, content: bytes, place: Path) -> dict[str, Any]:
        place.mkdir()
        (place / ("input.csv" if kind == "toml" else f"input.{kind}")).write_bytes(CSV if kind == "toml" else content)
        if kind == "toml":
            (place / "fuzz.toml").write_bytes(content)
        if self._process is None or self._process.poll() is not None or self._tried > 400:
            self.close()
            self._process, self._tried = self._begin(), 0
        self._tried += 1
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([kind, str(place)]) + "\n")
        process.stdin.flush()
        until, life = time.monotonic() + HANG, psutil.Process(process.pid)
        while not select.select([process.stdout], [], [], 0.02)[0]:
            try:
                size = life.memory_info().rss + sum(child.memory_info().rss for child in life.children())
            except psutil.Error:
                size = 0
            self.peak = max(self.peak, size)
            if size > MEMORY or time.monotonic() > until:
                process.kill()
                process.wait()
                what = "more than 1 GB" if size > MEMORY else f"more than {HANG:g} s"
                return {"outcome": what, "what": what}
        line = process.stdout.readline()
        if not line:
            return {"outcome": "died", "what": f"the process died with status {process.wait()}"}
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


CSV = b"customer;order_id;date;amount\n1;a;01.02.2024;3,50\n2;b;02.02.2024;4,00\n1;c;03.03.2024;1.234,50\n"


def main() -> None:
    """Try inputs as they are named on stdin; answer with outcomes and with lines of crmlab.data that were new to this process."""
    from crmlab.collecting import collect_value
    from crmlab.data import guess
    from crmlab.data.catalog import load
    from crmlab.data.dataset import check_source, open_dataset
    from crmlab.errors import CrmlabError
    from crmlab.report.registry import readers

    rng = random.Random(len(sys.argv))
    watched, seen, lines = str(ROOT / "crmlab" / "data"), set[str](), list[str]()

    def trace(frame: Any, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(watched):
            return None

        def local(frame: Any, event: str, _: Any) -> Any:
            key = f"{name}:{frame.f_lineno}"
            if key not in seen:
                seen.add(key)
                lines.append(key)
            return local

        return local

    def attempt(kind: str, place: Path) -> None:
        if kind == "toml":
            path = place / "fuzz.toml"
        else:
            path = guess.write(place / f"input.{kind}", name="fuzz", folder=place)
        descriptor = load(str(path), readers())
        _, _, problems = check_source(descriptor)
        for problem in problems:
            str(problem)
        data = open_dataset(str(path))
        for name in data.tables:
            collect_value(data.table(name).count())

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    while line := sys.stdin.readline():
        kind, place = json.loads(line)
        lines.clear()
        said: dict[str, Any] = {"outcome": "read"}
        if rng.random() < TRACED:
            sys.settrace(trace)
        try:
            attempt(kind, Path(place))
        except CrmlabError as error:
            said = {"outcome": "refused", "what": str(error)}
        except BaseException as error:
            sys.settrace(None)
            frames = [
                frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT / "crmlab"))
            ]
            where = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "?"
            said = {"outcome": "traceback", "what": f"{type(error).__name__} in {where}: {str(error)[:160]}"}
        finally:
            sys.settrace(None)
        out.write(json.dumps({**said, "lines": lines}) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
