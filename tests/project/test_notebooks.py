"""Notebooks run from top to bottom on a real run, and are stored without outputs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert any("assert " in cell.source for cell in code), "no number is asserted"


@pytest.fixture(scope="module")
def kernel(small_run, tmp_path_factory):
    """One kernel for all notebooks, which spares the imports of each."""
    manager = pytest.importorskip("jupyter_client.manager")
    folder = tmp_path_factory.mktemp("jupyter")
    settings = {
        "BAYES_MDD_RUN": str(small_run.folder),
        "JUPYTER_PLATFORM_DIRS": "1",
        # Nothing of this machine's Jupyter settings, and nothing written into them.
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        running = manager.AsyncKernelManager(kernel_name="python3")
        yield running
        if running.has_kernel:
            asyncio.run(running.shutdown_kernel(now=True))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
# Jupyter's client is not the subject: it leaves sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore")
def test_runs_on_a_small_run(path, kernel):
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    # What an earlier notebook defined is not there for this one.
    fresh = nbformat.v4.new_code_cell(
        "%reset -f\nimport matplotlib\nmatplotlib.rcdefaults()\n%reset -f"
    )
    notebook.cells.insert(0, fresh)
    client = nbclient.NotebookClient(
        notebook, km=kernel, timeout=240, resources={"metadata": {"path": str(path.parent)}}
    )
    try:
        client.execute()
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    pictures = [o for cell in shown for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 4
