"""docs/pictures, taken by headless Chromium of what runs: `make screenshots`, after `make demo`.

The page answers one of the demo's test pictures with the real model; the report is that of its training.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from PIL import Image

from tests.page.browser import Browser, Page, executable
from tools.pins import ROOT

PICTURES: Final = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 960, 720
_CLASSIFIER: Final = (sys.executable, "-m", "cli")


class NothingToShow(Exception):
    """What cannot be photographed, and what to do."""


def main() -> int:
    if executable() is None:
        print("screenshots: there is no Chromium here: apt-get install chromium", file=sys.stderr)
        return 1
    try:
        known = _asked("outputs")
        if not known.get("page_url") or "prediction" not in known:
            raise NothingToShow("no demo has ended here. Run `make demo` first")
        with tempfile.TemporaryDirectory() as folder:
            report = Path(
                _asked("report", known["training_job"], "--output", str(Path(folder) / "report.html"))["page"]
            )
            browser = Browser(Path(folder) / "profile")
            try:
                taken = [_page(Page(browser), known), _report(Page(browser), report)]
            finally:
                browser.close()
    except NothingToShow as error:
        print(f"screenshots: {error}.", file=sys.stderr)
        return 1
    print("\n".join(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KB" for path in taken))
    return 0


def _asked(*arguments: str) -> dict[str, Any]:
    """What a command answers to programs."""
    done = subprocess.run(
        [*_CLASSIFIER, *arguments, "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NothingToShow(done.stderr.strip().rstrip("."))
    found: dict[str, Any] = json.loads(done.stdout)["data"]
    return found


def _page(page: Page, known: dict[str, Any]) -> Path:
    """The page of the deployment, with an answer."""
    _window(page)
    page.open(known["page_url"])
    page.until("document.getElementById('model').dataset.state === 'up'")
    page.js("document.getElementById('key').focus()")
    page.type(known["api_key"])
    page.choose("#file", Path(known["prediction"]["picture"]))
    page.until("document.querySelectorAll('#answer li').length > 1")
    page.until("parseFloat(document.querySelector('.bar').style.width) > 0")
    return _taken(page, "page")


def _report(page: Page, report: Path) -> Path:
    """The beginning of the training's report."""
    _window(page)
    page.open(report.as_uri())
    return _taken(page, "report")


def _window(page: Page) -> None:
    page.look()
    page.call(
        "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
    )


def _taken(page: Page, name: str) -> Path:
    """The upper part of the page as a small file."""
    shot = page.call("Page.captureScreenshot", format="png")
    path = PICTURES / f"{name}.webp"
    path.parent.mkdir(exist_ok=True)
    Image.open(io.BytesIO(base64.b64decode(shot["data"]))).save(path, "WEBP", quality=82, method=6)
    return path


if __name__ == "__main__":
    sys.exit(main())
