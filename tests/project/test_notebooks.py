"""Notebooks run from top to bottom on a real run, and are stored without outputs."""

from __future__ import annotations

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
# Jupyter's client is not the subject: it leaves sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore")
def test_runs_on_a_small_run(path, small_run, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("BAYES_MDD_RUN", str(small_run.folder))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    # Nothing of this machine's Jupyter settings, and nothing written into them.
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    pictures = [o for cell in shown for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 4
