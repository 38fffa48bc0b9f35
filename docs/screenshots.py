"""Take pictures of reports and documentation in headless Chromium: ``make screenshots``.

python docs/screenshots.py RUN FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser, find_chromium, open_browser  # noqa: E402

#: Sizes of a first screen, in CSS pixels.
SCREENS = ((1280, 900), (390, 844))
#: Pixels per inch of printed pages.
DPI = 60
SITE = HERE / "_build" / "html" / "docs"


def take_all(run: Path, folder: Path) -> list[Path]:
    """Take pictures of the reports of a run, and of the documentation if it was built.

    Parameters
    ----------
    run : Path
        A run folder with ``report.html``; reports on treatment response in it are shown as well.
    folder : Path
        Where the pictures go; PNG and PDF files in it are removed first.

    Returns
    -------
    list of Path
        The pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.png"), *folder.glob("*.pdf")]:
        old.unlink()
    with open_browser() as browser:
        taken = list(_take_report(browser, run / "report.html", folder, "report"))
        for path in sorted(run.rglob("response/report.html")):
            of = path.parent.parent
            name = "response" if of == run else of.name
            taken += _take_report(browser, path, folder, name)
        for page in ("index", "gallery"):
            if (SITE / f"{page}.html").is_file():
                taken += _take_screens(browser, SITE / f"{page}.html", folder, f"docs_{page}")
    return taken


def _take_report(browser: Browser, path: Path, folder: Path, name: str) -> Iterator[Path]:
    yield from _take_screens(browser, path, folder, name)
    browser.show(path, *SCREENS[1])
    yield from browser.strips(folder, f"{name}_390_whole")
    browser.show(path, *SCREENS[0])
    yield from browser.strips(folder, f"{name}_1280_whole")
    if browser.run("document.querySelector('article.card') !== null"):
        yield browser.picture(folder / f"{name}_card.png", part="article.card")
    browser.call("Emulation.setEmulatedVisionDeficiency", type="achromatopsia")
    yield from browser.strips(folder, f"{name}_grey")
    browser.call("Emulation.setEmulatedVisionDeficiency", type="none")
    yield from _print(browser, folder, name)


def _take_screens(browser: Browser, path: Path, folder: Path, name: str) -> Iterator[Path]:
    for width, height in SCREENS:
        browser.show(path, width, height)
        yield browser.picture(folder / f"{name}_{width}.png")


def _print(browser: Browser, folder: Path, name: str) -> Iterator[Path]:
    """Print the page that is shown; pages become pictures where Poppler is installed."""
    pdf = browser.print_pdf(folder / f"{name}.pdf")
    yield pdf
    if shutil.which("pdftoppm"):
        stem = folder / f"{name}_print"
        subprocess.run(["pdftoppm", "-r", str(DPI), "-png", str(pdf), str(stem)], check=True)
        yield from sorted(folder.glob(f"{name}_print-*.png"))


def main() -> None:
    """Take the pictures and list them."""
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    run, folder = map(Path, sys.argv[1:])
    if find_chromium() is None:
        raise SystemExit("Chromium is not installed.")
    if not (run / "report.html").is_file():
        raise SystemExit(f"{run} holds no report.html: run `make demo`, or give RUN=FOLDER.")
    for path in take_all(run, folder):
        sys.stdout.write(f"{path}\n")
    if not SITE.is_dir():
        sys.stdout.write("The documentation is not built: `make docs`.\n")


if __name__ == "__main__":
    main()
