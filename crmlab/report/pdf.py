"""``report.html`` → ``report.pdf`` through headless Chromium, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from crmlab.data.scratch import scratch_folder
from crmlab.errors import ReportError

__all__ = ["find_browser", "to_pdf"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_QUIET = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
)


def find_browser() -> str | None:
    """Return the path of a Chromium: the one in ``CRMLAB_BROWSER``, else the first that is installed."""
    named = os.environ.get("CRMLAB_BROWSER")
    candidates = [named] if named else list(BROWSERS)
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def to_pdf(page: Path) -> Path:
    """Print a page to PDF beside it: tagged for screen readers, with an outline.

    Raises
    ------
    ReportError
        There is no browser, or it failed.
    """
    browser = find_browser()
    if browser is None:
        raise ReportError(
            "No PDF was made: it needs Chromium or Chrome, and none was found. Install one, or name it in CRMLAB_BROWSER."
        )
    target = page.with_suffix(".pdf")
    with scratch_folder() as profile:
        aside = profile / "page.pdf"
        # Chromium refuses its sandbox to root; a page of ours runs no script and asks for nothing outside.
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [
            browser, *_QUIET, *sandbox, f"--user-data-dir={profile}/profile", "--no-pdf-header-footer", "--export-tagged-pdf",
            "--generate-pdf-document-outline", f"--print-to-pdf={aside}", page.resolve().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        except subprocess.TimeoutExpired as error:
            raise ReportError.browser_failed("It took longer than 120 s.") from error
        if done.returncode != 0 or not aside.is_file():
            raise ReportError.browser_failed(f"It ended with status {done.returncode}.")
        shutil.copyfile(aside, target)
    return target
