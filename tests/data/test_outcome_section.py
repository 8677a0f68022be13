"""A test in one file: what its section may say, and how its rows are read."""

import pandas as pd
import pytest

import crmlab
from crmlab.data.catalog import load
from crmlab.errors import CrmlabError, DescriptorError, ParameterError

HEAD = '[test]\nfile = "t.csv"\ncell = "arm"\ncontrol = "none"\n'


def written(folder, toml, csv="id,arm,visit,spend\n1,none,0,1.5\n2,NA,1,2\n3,none,1,0\n4,NA,0,7.25\n"):
    (folder / "t.csv").write_text(csv, encoding="utf-8")
    (folder / "mine.toml").write_text(toml, encoding="utf-8")
    return folder / "mine.toml"


def rows(path):
    return crmlab.open_dataset(path).table("test").order_by("unit").to_pandas()


def test_cells_named_none_and_na_are_names_and_numbers_keep_their_digits(tmp_path):
    csv = "id,arm,visit,score\n1,none,yes,0.0000012345\n2,NA,no,-3\n3,n/a,1,1e3\n"
    found = rows(written(tmp_path, f'{HEAD}unit = "id"\noutcomes = {{visit = "rate", score = "mean"}}\n', csv))
    assert found["cell"].tolist() == ["none", "NA", "n/a"]
    assert found["visit"].tolist() == [True, False, True]
    assert found["score"].tolist() == [0.0000012345, -3.0, 1000.0]


def test_outcomes_may_be_a_list_kinds_or_sections(tmp_path):
    forms = (
        'outcomes = ["visit", "spend"]\n',
        '[test.outcomes]\nvisit = "rate"\nspend = {kind = "money", direction = "up"}\n',
        '[test.outcomes.visit]\n[test.outcomes.spend]\nlabel = "spent"\n',
    )
    for form in forms:
        section = load(written(tmp_path, HEAD + form)).tables["test"].test
        assert list(section.outcomes) == ["visit", "spend"]
    assert section.label("spend") == "spent"


def test_a_ratio_and_a_column_of_another_name_are_read(tmp_path):
    toml = f'{HEAD}unit = "id"\n[test.outcomes.came]\ncolumn = "visit"\n[test.outcomes.each]\nkind = "ratio"\nof = ["spend", "visit"]\n'
    assert set(rows(written(tmp_path, toml)).columns) == {"unit", "cell", "came", "spend", "visit"}


def test_an_empty_outcome_is_an_error_unless_it_means_nothing_happened(tmp_path):
    csv = "id,arm,visit,spend\n1,none,0,\n2,NA,1,2\n"
    toml = f'{HEAD}unit = "id"\noutcomes = ["visit", "spend"]\n'
    with pytest.raises(CrmlabError, match='If an empty one means that nothing happened, add blanks = "zero" to '):
        rows(written(tmp_path, toml, csv))
    assert rows(written(tmp_path, f'{toml}blanks = "zero"\n', csv))["spend"].tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "lacks outcomes, the columns of what came of it"),
        ('outcome = ["visit"]', "unknown key 'outcome' under [test]. Did you mean 'outcomes'?"),
        ("outcomes = []", 'must be a list of columns, such as ["visit", "spend"]'),
        (
            'outcomes = {visit = "share"}',
            '[test.outcomes] visit must be "rate", "mean", "money" or "ratio", or a section. Got \'share\' instead.',
        ),
        ('outcomes = {visit = {kind = "ratio"}}', "of must be given for a ratio"),
        ('outcomes = {visit = "ratio"}', "of must be given for a ratio"),
        ('outcomes = {each = {of = ["spend", "visit"]}}', 'kind must be "ratio" where of names two columns'),
        ('outcomes = ["Visit", "visit"]', "names must differ by more than capital letters. Got Visit, visit."),
        ('outcomes = ["visit"]\ncovariates = ["visit"]', "'visit' is an outcome and a covariate"),
        ('covariates = ["spend"]\n[test.outcomes.spend]\ncolumn = "visit"', "'spend' is an outcome and a covariate"),
        (
            'outcomes = {each = {kind = "ratio", of = ["spend", "visit"]}, visit = {column = "id"}}',
            "a column that a ratio is made of",
        ),
        ('outcomes = {visit = "share"}\ncost = -1', "cost must be an amount of at least 0"),
        ('outcomes = {visit = {direction = "sideways"}}', 'direction must be "up" where more is better, or "down"'),
        ('outcomes = ["visit"]\ncost = -1', "cost must be an amount of at least 0"),
        ('outcomes = ["cell"]', "'cell' is what every test has (cell, household, unit). Give it another name"),
        ('outcomes = ["visit"]\n[orders]\nfile = "t.csv"', "test must be the only table of its data set"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, more, said):
    with pytest.raises(DescriptorError) as found:
        load(written(tmp_path, f"{HEAD}{more}\n"))
    assert said in str(found.value)


def test_without_a_control_it_is_no_test(tmp_path):
    with pytest.raises(DescriptorError, match="lacks control, the cell that others are compared with"):
        load(written(tmp_path, '[test]\nfile = "t.csv"\ncell = "arm"\noutcomes = ["visit"]\n'))


def test_a_rate_may_be_written_as_a_number_with_a_point_and_parts_of_ratios_may_be_blank(tmp_path):
    csv = "id,arm,visit,spend\n1,none,1.0,\n2,NA,0.0,2\n3,NA,,3\n"
    toml = f'{HEAD}unit = "id"\nblanks = "zero"\noutcomes = {{visit = "rate", each = {{kind = "ratio", of = ["spend", "visit"]}}}}\n'
    found = rows(written(tmp_path, toml, csv))
    assert found["visit"].tolist() == [True, False, False]
    assert found["spend"].tolist() == [0.0, 2.0, 3.0]


def test_an_id_that_is_mapped_must_be_there(tmp_path):
    csv = "id,arm,visit\n1,none,1\n,NA,0\n"
    with pytest.raises(CrmlabError, match="column 'unit'|column 'id'"):
        rows(written(tmp_path, f'{HEAD}unit = "id"\noutcomes = ["visit"]\n', csv))


def test_a_control_may_be_a_number_or_yes_and_no():
    from crmlab.data.outcome_section import OutcomeSection, TestSection

    for given, meant in ((0, "0"), (0.0, "0"), (False, "false"), ({1: 0}, {"1": "0"})):
        assert TestSection(given, {"visit": OutcomeSection()}, cost={1: 0.5}).control == meant


def test_a_frame_may_be_a_test():
    frame = pd.DataFrame({"who": [1, 2, 3, 4], "arm": ["NA", "none", "NA", "none"], "ok": [True, False, True, True]})
    told = {"test": {"unit": "who", "cell": "arm", "control": "none", "outcomes": ["ok"]}}
    data = crmlab.open_dataset({"test": frame}, settings=told)
    assert data.table("test").order_by("unit").to_pandas()["ok"].tolist() == [1.0, 0.0, 1.0, 1.0]
    with pytest.raises(ParameterError, match='a dict with "test" alone'):
        crmlab.open_dataset({"test": frame, "orders": frame}, settings=told)
