"""Take each page in each state into screenshots/: light and dark, wide and narrow.

The pages are rendered from the same sample views that the tests use, by a local server, in Chromium.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.parts.browser import start  # noqa: E402  (the checkout's tests are not installed)
from tests.web.gallery import serve  # noqa: E402
from tests.web.samples import all_samples  # noqa: E402

_WIDTHS = {"wide": 1280, "phone": 360}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="take only the pages whose name holds this")
    parser.add_argument("--to", type=Path, default=ROOT / "screenshots")
    wanted = parser.parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    samples = [sample for sample in all_samples() if wanted.only in sample.name]
    with serve() as url, start() as chromium:
        for theme in ("light", "dark"):
            for width_name, width in _WIDTHS.items():
                context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
                page = context.new_page()
                for sample in samples:
                    page.set_viewport_size({"width": width, "height": 844})
                    page.goto(f"{url}/{sample.name}")
                    # As tall as the page, so that what sticks to the bottom does not stand in the middle of it.
                    height = page.evaluate("document.documentElement.scrollHeight")
                    page.set_viewport_size({"width": width, "height": max(844, height)})
                    page.screenshot(path=wanted.to / f"{sample.name}-{theme}-{width_name}.png", full_page=True)
                context.close()
    print(f"{len(samples) * 4} screenshots in {wanted.to}")


if __name__ == "__main__":
    main()
