"""Make .venv from a lock file, and do nothing where it is already made.

Standard library only: this runs before anything is installed. The environment is made anew when the contents of the
lock (not its date), the Python or this script change. With ``--dev`` the tests' tools are added to the same environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("CRMLAB_VENV", ROOT / ".venv"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def fingerprint(lock: Path) -> str:
    digest = hashlib.sha256()
    for part in (lock.read_bytes(), Path(__file__).read_bytes(), sys.version.encode(), str(ROOT).encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def run(*command: str | Path) -> None:
    result = subprocess.run([str(part) for part in command], cwd=ROOT, check=False)
    if result.returncode:
        sys.exit(f"Setting up .venv failed at: {' '.join(map(str, command))}")


def install(lock: Path) -> None:
    uv = shutil.which("uv")
    if uv:
        run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", PYTHON, "--require-hashes", "-r", lock)
        run(uv, "pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "--no-build-isolation", "-e", ROOT)
    else:
        pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        run(*pip, "--require-hashes", "-r", lock)
        run(*pip, "--no-deps", "--no-build-isolation", "-e", ROOT)


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  (the script must run on an older Python to say this)
        sys.exit(f"crmlab needs Python 3.11 or newer. Found {sys.version.split()[0]} at {sys.executable}.")
    dev = "--dev" in sys.argv[1:]
    base, extra = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
    base_stamp, dev_stamp = VENV / ".crmlab-base", VENV / ".crmlab-dev"

    def made(stamp: Path, lock: Path) -> bool:
        return PYTHON.exists() and stamp.exists() and stamp.read_text() == fingerprint(lock)

    if not made(base_stamp, base):
        print("Setting up .venv from requirements.lock (once; a few minutes) …", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        run(sys.executable, "-m", "venv", VENV)
        install(base)
        base_stamp.write_text(fingerprint(base))
    if dev and not made(dev_stamp, extra):
        print("Adding what tests need from requirements-dev.lock (once) …", flush=True)
        install(extra)
        dev_stamp.write_text(fingerprint(extra))


if __name__ == "__main__":
    main()
