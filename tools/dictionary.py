"""Write the data dictionary of ``data/README.md`` anew from the canonical tables."""

from __future__ import annotations

from pathlib import Path

from crmlab.data.tables import KIND_WORDS, TABLES

README = Path(__file__).resolve().parent.parent / "data" / "README.md"
MARK = "*Optional* columns may be absent.\n"


def dictionary() -> str:
    """Return the dictionary as Markdown."""
    parts = []
    for spec in TABLES.values():
        further = " Further columns are kept as attributes." if spec.attributes else ""
        parts.append(f"\n### {spec.name}: {spec.meaning}\n{further and chr(10) + further.strip() + chr(10)}")
        parts.append("| column | holds | meaning |\n|---|---|---|")
        for column in spec.columns:
            kind = KIND_WORDS[column.kind] if column.kind != "time" else "date and time"
            state = " Read only, not kept." if column.input_only else "" if column.required else " *Optional.*"
            parts.append(f"| `{column.name}` | {kind} | {column.meaning}.{state} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(text[: text.index(MARK) + len(MARK)] + dictionary(), encoding="utf-8")
