import pytest

from crmlab.report import swap


def folder(path, text):
    path.mkdir()
    (path / "report.html").write_text(text)
    return path


@pytest.mark.parametrize("atomic", [True, False])
def test_put_in_place_replaces_whole_folders(tmp_path, monkeypatch, atomic):
    if not atomic:
        monkeypatch.setattr(swap, "_exchange", lambda first, second: False)
    place = folder(tmp_path / "rfm", "old")
    (place / "gone.txt").touch()
    swap.put_in_place(folder(tmp_path / ".aside-rfm", "new"), place)
    assert (place / "report.html").read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["rfm"]
    assert [item.name for item in place.iterdir()] == ["report.html"]


def test_put_in_place_first_time(tmp_path):
    swap.put_in_place(folder(tmp_path / ".aside-x", "new"), tmp_path / "deep" / "rfm")
    assert (tmp_path / "deep" / "rfm" / "report.html").read_text() == "new"


def test_sweep_brings_back_what_a_crash_left_moved_away(tmp_path):
    folder(tmp_path / ".old-rfm", "last good")
    folder(tmp_path / ".aside-rfm-1", "half")
    swap.sweep(tmp_path)
    assert (tmp_path / "rfm" / "report.html").read_text() == "last good"
    assert [item.name for item in tmp_path.iterdir()] == ["rfm"]


def test_sweep_drops_the_old_one_where_the_new_one_is_in_place(tmp_path):
    folder(tmp_path / ".old-rfm", "old")
    folder(tmp_path / "rfm", "new")
    swap.sweep(tmp_path)
    assert (tmp_path / "rfm" / "report.html").read_text() == "new"
    assert not (tmp_path / ".old-rfm").exists()
