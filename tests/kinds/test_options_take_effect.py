"""Kind: an option of the TOML file that is accepted and changes nothing. Who wrote ``footer_rows = 1`` for a file that has no such rows to
leave out believes that the total is gone, and it is counted.

Right is: an option that takes effect in no file of the kind is refused in one sentence; where any of the files that are named can use it, it is not.
"""

from __future__ import annotations

import pandas as pd
import pytest

from crmlab.data.dataset import open_dataset
from crmlab.errors import DescriptorError

ROWS = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["7", "8"], "ordered_at": ["2024-01-31"] * 2, "amount": ["1", "2"]})
LINES = ("skip_rows = 1", "header_row = 2", "footer_rows = 1", 'header = false\nnames = ["order_id"]')
TEXTS = ('delimiter = ";"', 'encoding = "cp1252"', 'escape = "\\\\"')
IDLE = {
    "o.parquet": (*LINES, *TEXTS, 'sheet = "Orders"'),
    "o.jsonl": (*LINES, *TEXTS, 'sheet = "Orders"'),
    "o.xlsx": TEXTS,
    "o.csv": ('sheet = "Orders"',),
    "*.parquet": ("footer_rows = 1",),
    "year": ("skip_rows = 1",),  # a folder of Parquet files
}


def project_with(project, file: str, options: str = ""):
    """A data set whose rows are in a file of each kind."""
    folder = project / "data"
    (folder / "year").mkdir()
    ROWS.to_csv(folder / "o.csv", index=False)
    ROWS.to_json(folder / "o.jsonl", orient="records", lines=True)
    ROWS.to_excel(folder / "o.xlsx", engine="xlsxwriter", sheet_name="Orders", index=False)
    ROWS.to_parquet(folder / "o.parquet")
    ROWS.to_parquet(folder / "year" / "o.parquet")
    (folder / "mine.toml").write_text(f"[orders]\nfile = {file}\n{options}\n")
    return folder / "mine.toml"


@pytest.mark.parametrize(("file", "option"), [(file, option) for file, options in IDLE.items() for option in options])
def test_an_option_without_effect_is_refused(empty_project, file, option):
    key = option.partition(" ")[0]
    where = rf"\[orders\] {key} must be left out, because it has no effect on {file.replace('*', '[*]')}\. Got .* instead\."
    with pytest.raises(DescriptorError, match=where):
        open_dataset(project_with(empty_project, f'"{file}"', option))


@pytest.mark.parametrize(
    ("file", "option"),
    [
        ('"o.xlsx"', 'sheet = "Orders"'),
        ('"o.csv"', 'delimiter = ","'),
        ('["o.parquet", "other.xlsx"]', 'sheet = "Orders"'),  # whoever has the workbook needs it
        ('"o.parquet"', 'header = true\ndecimal = "."'),
        ('"o.jsonl"', 'decimal = ","'),  # texts in it may be written so
    ],
)
def test_an_option_that_any_of_the_files_needs_is_not(empty_project, file, option):
    assert open_dataset(project_with(empty_project, file, option)).orders.count().to_pyarrow().as_py() == 2
