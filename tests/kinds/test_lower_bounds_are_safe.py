"""Kind: a lower bound that lets a version with a known security fault in. The bounds exclude it, and the locks satisfy the bounds."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
DEPENDENCIES = [Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]
# The last version with a known fault, and the first without.
SAFE = {
    "jinja2": ("3.1.5", "3.1.6"),
    "nbconvert": ("7.17.0", "7.17.1"),
    "tornado": ("6.4.2", "6.5"),
    "jupyterlab": ("4.4.7", "4.4.8"),
}


def pins(lock):
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.M))


@pytest.mark.parametrize("name", SAFE)
def test_bound_excludes_the_last_version_with_a_known_fault(name):
    faulty, sound = SAFE[name]
    (bound,) = [one.specifier for one in DEPENDENCIES if one.name == name]
    assert not bound.contains(faulty)
    assert bound.contains(sound)
    (conda,) = [
        Requirement(one)
        for one in yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
        if str(one).startswith(name + ">")
    ]
    assert conda.specifier == bound


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_satisfy_every_bound(lock):
    pinned = pins(lock)
    short = [
        str(one) for one in DEPENDENCIES if not one.specifier.contains(Version(pinned[one.name.lower().replace("_", "-")]))
    ]
    assert short == []
