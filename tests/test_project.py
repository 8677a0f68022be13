"""The project's own files: locks, environment, readme, what must never be in the tree."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("This is no git checkout, so its files cannot be listed.")
    return [name for name in done.stdout.decode().split("\0") if name]


def run_tool(name):
    return subprocess.run([sys.executable, str(ROOT / "tools" / name)], capture_output=True, text=True, check=True)


def requirement_name(text):
    return re.match(r"[\w.-]+", text)[0].lower().replace("_", "-")


def test_environment_equals_pyproject():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import environment
    finally:
        sys.path.pop(0)
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert text == environment.environment()
    specs = [spec for spec in yaml.safe_load(text)["dependencies"] if isinstance(spec, str)]
    by_conda = {name: requirement_name(name) for name in environment.CONDA_NAMES}
    names = {requirement_name(spec) for spec in specs}
    for requirement in PROJECT["project"]["dependencies"]:
        name = re.match(r"[\w.-]+(?:\[\w+\])?", requirement)[0]
        assert environment.CONDA_NAMES.get(name, requirement_name(name)) in names
    assert by_conda
    required = {"jupyterlab", "pandas", "scikit-learn", "lifetimes", "mlxtend", "matplotlib", "papermill", "nbval"}
    assert required <= names


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_is_hashed_and_names_no_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+?)(?: ;| \\|$)", text, flags=re.M)
    assert len(pins) > 100
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    # A line is a pin, a hash, a remark or blank: there is no room for an address.
    line = (
        r"(?:[\w.-]+(?:\[[\w,-]+\])?==[\w.+!-]+(?: ; [^\n/:]*?)?(?: \\)?|    --hash=sha256:[0-9a-f]{64}(?: \\)?|\s*#[^\n:/]*|)"
    )
    assert [one for one in text.split("\n") if not re.fullmatch(line, one)] == []


def test_locks_agree_and_hold_every_dependency():
    def pins(name):
        found = {}
        for package, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), flags=re.M):
            found.setdefault(package, set()).add(version)
        return found

    base, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert all(dev[name] == versions for name, versions in base.items())
    needed = {requirement_name(text) for text in PROJECT["project"]["dependencies"]}
    assert needed <= set(base)
    groups = PROJECT["dependency-groups"]
    assert {requirement_name(text) for text in groups["dev"]} <= set(dev)
    # Whoever only reads reports never downloads Spark.
    assert "pyspark" not in base
    assert "pyspark" in dev


def test_every_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, flags=re.M | re.S)[1]
    lines = [line.strip() for line in block.splitlines() if line.strip().startswith('"')]
    silent = [line for i, line in enumerate(lines) if "#" not in line and i > 0]
    assert silent == []


def test_readme_first_screen_has_the_two_commands_above_a_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = text.index("![")
    assert text.index("make report") < picture
    assert text.index("make test") < picture
    path = ROOT / re.search(r"!\[[^\]]+\]\(([^)]+)\)", text)[1]
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 300_000


def test_readme_names_every_report():
    from crmlab.report.registry import question, report_names

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in report_names():
        assert f"`{name}`" in text
        assert question(name) in text


def test_data_readme_dictionary_is_that_of_the_tables():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import dictionary
    finally:
        sys.path.pop(0)
    assert (ROOT / "data" / "README.md").read_text(encoding="utf-8").endswith(dictionary.dictionary())


def test_make_help_lists_the_targets():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("report", "test", "proofs", "nightly", "lab", "bench", "lint", "clean"):
        assert re.search(rf"^  make {target} ", done.stdout, flags=re.M)


def test_setup_does_nothing_where_it_is_done(tmp_path):
    # The fingerprint is of contents: the stamp decides, not the date of the lock.
    tool = ROOT / "tools" / "setup_env.py"
    env = {**os.environ, "CRMLAB_VENV": str(tmp_path / "venv")}
    folder = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    folder.mkdir(parents=True)
    (folder / ("python.exe" if os.name == "nt" else "python")).touch()
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import setup_env
    finally:
        sys.path.pop(0)
    (tmp_path / "venv" / ".crmlab-base").write_text(setup_env.fingerprint(ROOT / "requirements.lock"))
    done = subprocess.run([sys.executable, str(tool)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == ""


def test_no_file_holds_a_path_of_one_machine_or_a_secret():
    # Built from parts, so that this file does not find itself.
    pattern = re.compile("|".join(["/" + "home/\\w+/", "/" + "root/", "/" + "Users/\\w+/", "BEGIN [A-Z ]*PRIVATE " + "KEY"]))
    for name in tracked():
        path = ROOT / name
        if path.suffix in (".png", ".parquet", ".lock") or not path.is_file():
            continue
        assert not pattern.search(path.read_text(encoding="utf-8", errors="ignore")), name


def test_no_generated_report_is_tracked():
    assert [name for name in tracked() if name.startswith("reports/")] in (["reports/README.md"], [])


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from crmlab.cli.commands import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "print([m for m in ('pandas', 'pydantic', 'ibis', 'numpy', 'papermill', 'nbconvert', 'matplotlib', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
