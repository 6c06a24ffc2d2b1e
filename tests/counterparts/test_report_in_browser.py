"""What only a browser can tell: whether the pages keep within the width of a phone, a tablet and a screen."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sample_days import SAMPLE_DAYS, make_house, run_report

WIDTHS_PX = (360, 800, 1280)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    *(
        "--headless",
        "--hide-scrollbars",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-dev-shm-usage"),
)
MEASURE = """
<pre id="found"></pre>
<script>
onload = () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, width = frame.clientWidth, root = page.documentElement;
    const wide = [...page.querySelectorAll("body *:not(svg *)")].filter(each => {
      const box = each.getBoundingClientRect();
      return box.width > 0 && (box.right > width + 1 || box.left < -1);
    });
    found[frame.title] = {
      scrolls: root.scrollWidth - root.clientWidth,
      wide: wide.map(each => each.tagName + "." + each.className).slice(0, 5),
      words: page.body.innerText.length,
    };
  }
  document.getElementById("found").textContent = JSON.stringify(found);
};
</script>
"""


TOO_WIDE = "<p style='width: 500px'>wide</p>"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_no_page_is_wider_than_the_screen(tmp_path: Path) -> None:
    pages = {}
    for name, day in SAMPLE_DAYS.items():
        config = make_house(tmp_path / name, day)
        pages[name] = run_report(config, "--day", "2026-12-09", "--html", "-").stdout
    pages["a month"] = run_report(config, "--month", "2026-12", "--html", "-").stdout
    frames = [frame(what, page, width) for what, page in pages.items() for width in WIDTHS_PX]

    found = measured(tmp_path, [*frames, frame("one that is", TOO_WIDE, 360)])

    noticed = found.pop("one that is at 360 px")
    assert noticed["wide"] == ["P."]
    assert noticed["scrolls"]
    assert len(found) == len(pages) * len(WIDTHS_PX)
    assert {what: each for what, each in found.items() if each["scrolls"] or each["wide"]} == {}
    assert all(isinstance(each["words"], int) and each["words"] > 500 for each in found.values())


def frame(what: str, page: str, width_px: int) -> str:
    """A page as a screen of that width shows it."""
    style = f"border:0;width:{width_px}px;height:900px"
    return f'<iframe title="{what} at {width_px} px" style="{style}" srcdoc="{html.escape(page)}"></iframe>'


def measured(folder: Path, frames: list[str]) -> dict[str, dict[str, object]]:
    """What the browser measures, in one run for all frames."""
    (folder / "frames.html").write_text(
        f"<!doctype html><meta charset=utf-8>{''.join(frames)}{MEASURE}", encoding="utf-8"
    )
    ran = subprocess.run(
        [str(CHROMIUM), *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"file://{folder}/frames.html"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (words,) = re.findall(r'<pre id="found">(.*?)</pre>', ran.stdout, re.DOTALL)
    found: dict[str, dict[str, object]] = json.loads(html.unescape(words))
    return found
