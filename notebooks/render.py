"""Execute the notebooks and store the executed copies as pages of the documentation.

``make notebooks`` runs each notebook of this folder from top to bottom, with the real sampler, and
writes the copy with its outputs to ``docs/notebooks``. The notebooks here stay without outputs.

    python notebooks/render.py                    all notebooks
    python notebooks/render.py 01_first_fit       some of them
    python notebooks/render.py --text             new text around unchanged code, without executing
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parent
PAGES = NOTEBOOKS.parent / "docs" / "notebooks"
#: Resolution of pictures whose function does not set one, in dots per inch.
DPI = 90
#: Colours of a picture, which is stored with a palette.
COLOURS = 128
#: Largest copy, in bytes, as for any file of the repository.
LARGEST = 512_000
#: Seconds for one cell.
TIMEOUT = 1200
#: Outputs that do not belong on a page.
UNWANTED = {
    # Put together from pieces, so that a search for such paths does not find this file.
    "a path of this machine": re.compile(
        r"(?<![\w.:/])/" + r"(?:work|tmp|root|home|Users|var|opt|usr)/\w|\b[A-Z]:\\\\?\w"
    ),
    "an address in memory": re.compile(r"\b0x[0-9a-f]{6,}"),
    "a warning": re.compile(r"\b\w*Warning\b:"),
}


def linked_from_pages(text: str) -> str:
    """Rewrite the relative links of a notebook for its copy in ``docs/notebooks``."""
    text = text.replace("](../docs/", "](\0").replace("](../", "](../../")
    return text.replace("](\0", "](../")


def read(path: Path) -> Any:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def first_sentence(markdown: str) -> str:
    """Return the first sentence of a text without its markup; empty for a heading."""
    if markdown.lstrip().startswith(("#", "|", "```")):
        return ""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    plain = " ".join(re.sub(r"[*`$]", "", plain).split())
    return re.split(r"(?<=[.?!])\s", plain, maxsplit=1)[0]


def page_text(source: Any, executed: Any) -> Any:
    """Join the outputs of an executed notebook with the cells of its source."""
    page = nbformat.from_dict(source)
    # Commands with % and ! are no Python to the highlighter of the site.
    page.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    outputs = iter([cell.outputs for cell in executed.cells if cell.cell_type == "code"])
    for number, cell in enumerate(page.cells):
        if cell.cell_type == "markdown":
            cell.source = linked_from_pages(cell.source)
            continue
        cell.outputs = [smaller(clean(output)) for output in next(outputs)]
        after = page.cells[number + 1 : number + 2]
        said = first_sentence(after[0].source) if after and after[0].cell_type != "code" else ""
        if said and any("image/png" in o.get("data", {}) for o in cell.outputs):
            # Text for those who do not see the picture.
            cell.metadata["mystnb"] = {"image": {"alt": said}}
    return page


def clean(output: Any) -> Any:
    """Keep what a page shows of an output: a picture, a table, or text."""
    output.pop("execution_count", None)
    if output.output_type == "execute_result":
        output["execution_count"] = None
    if "data" not in output:
        if output.output_type == "stream":
            # Colours of a terminal, and progress bars.
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.text.replace("\r", ""))
            lines = plain.splitlines(keepends=True)
            output["text"] = "".join(line for line in lines if "━" not in line)
        return output
    data = {k: v for k, v in output.data.items() if k in ("image/png", "text/html", "text/plain")}
    html = data.get("text/html", "")
    if "<script" in html or "<iframe" in html or "xr-wrap" in html:
        # Interactive views are for a running notebook; data sets of xarray are shown as text.
        del data["text/html"]
    if "image/png" in data:
        data = {"image/png": data["image/png"].strip()}
    output["data"] = data
    output["metadata"] = {}
    return output


def smaller(output: Any) -> Any:
    """Store a picture with a palette, in about a third of the bytes."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
        if picture.mode != "P":
            stored = io.BytesIO()
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(stored, "png", optimize=True)
            data["image/png"] = base64.b64encode(stored.getvalue()).decode()
    return output


@contextmanager
def settings_of_pages() -> Iterator[None]:
    """Set the resolution of pictures; nothing of this machine's Jupyter settings is used."""
    with tempfile.TemporaryDirectory() as folder:
        style = Path(folder) / "matplotlibrc"
        style.write_text(f"figure.dpi: {DPI}\nsavefig.dpi: {DPI}\n", encoding="utf-8")
        new = {
            "MATPLOTLIBRC": str(style),
            # Commands of this environment, as in one that is activated.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTER_CONFIG_DIR": f"{folder}/config",
            "JUPYTER_RUNTIME_DIR": f"{folder}/runtime",
            "IPYTHONDIR": f"{folder}/ipython",
        }
        old = {name: os.environ.get(name) for name in new}
        os.environ.update(new)
        try:
            yield
        finally:
            for name, value in old.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def execute(path: Path) -> Any:
    """Run a notebook in its folder and return it with its outputs."""
    from nbclient import NotebookClient

    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
    )
    with settings_of_pages():
        client.execute()
    return notebook


def shown_text(output: Any) -> str:
    """Return the text of an output, without its pictures."""
    texts = [v for k, v in output.get("data", {}).items() if k.startswith("text/")]
    return "\n".join([*texts, output.get("text", "")])


def problems_of(source: Any, page: Any) -> list[str]:
    """List what is wrong with a copy; empty if it may be published."""
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    found = []
    wanted = [
        (c.cell_type, c.source if c.cell_type == "code" else linked_from_pages(c.source))
        for c in source.cells
    ]
    if wanted != [(c.cell_type, c.source) for c in page.cells]:
        found.append("its cells are not those of the notebook: run `make notebooks`")
    outputs = [(cell, output) for cell in code for output in cell.outputs]
    if not any("image/png" in output.get("data", {}) for _, output in outputs):
        found.append("it shows no picture")
    for cell, output in outputs:
        where = f"cell {cell.id}"
        if output.output_type == "error":
            found.append(f"{where} failed: {output.ename}")
        if output.get("name") == "stderr":
            found.append(f"{where} wrote to stderr: {output.text[:200]}")
        for what, pattern in UNWANTED.items():
            if hit := pattern.search(shown_text(output)):
                found.append(f"{where} shows {what}: {hit.group()}")
    size = len(nbformat.writes(page).encode())
    if size > LARGEST:
        found.append(f"it has {size} bytes, more than {LARGEST}")
    return found


def render(name: str, *, text_only: bool = False) -> list[str]:
    """Write the copy of one notebook and return its problems."""
    source, target = read(NOTEBOOKS / f"{name}.ipynb"), PAGES / f"{name}.ipynb"
    executed = read(target) if text_only else execute(NOTEBOOKS / f"{name}.ipynb")
    if text_only:
        codes = [[c.source for c in n.cells if c.cell_type == "code"] for n in (source, executed)]
        if codes[0] != codes[1]:
            return ["its code has changed: run it without --text"]
    page = page_text(source, executed)
    nbformat.validate(page)
    found = problems_of(source, page)
    PAGES.mkdir(exist_ok=True)
    nbformat.write(page, target)
    return found


def main() -> int:
    """Render the notebooks that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    every = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="stem of a notebook [all]")
    parser.add_argument("--text", action="store_true", help="execute nothing; update the text")
    options = parser.parse_args()
    names = [Path(name).stem for name in options.names] or every
    if unknown := sorted(set(names) - set(every)):
        parser.error(f"no such notebook: {', '.join(unknown)} (there are {', '.join(every)})")
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    failed = False
    for name in names:
        start = time.monotonic()
        found = render(name, text_only=options.text)
        size = (PAGES / f"{name}.ipynb").stat().st_size if (PAGES / f"{name}.ipynb").exists() else 0
        sys.stdout.write(f"{name}: {time.monotonic() - start:.0f} s, {size / 1000:.0f} kB\n")
        sys.stdout.writelines(f"  {problem}\n" for problem in found)
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    sys.exit(main())
