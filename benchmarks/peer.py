"""mofapy2 in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from recovery_scores import Estimate

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE.parent / ".tools" / "mofapy2"
PEER = "mofapy2==0.7.*"


def peer_python(given: Path | None) -> Path:
    """Find a Python with mofapy2, or create an environment with it."""
    python = given or ENVIRONMENT / "bin" / "python"
    if given is None and not python.exists():
        print(f"Creating an environment with {PEER} in {ENVIRONMENT}.", file=sys.stderr)
        uv = shutil.which("uv") or str(HERE.parent / ".tools" / "uv-venv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, PEER], check=True)
    return python


def installed_peer(given: Path | None) -> Path | None:
    """Find a Python with mofapy2, without installing it."""
    python = given or ENVIRONMENT / "bin" / "python"
    return python if python.exists() else None


def fit_peer(y: np.ndarray, arm: np.ndarray, n_factors: int, seed: int, python: Path) -> Estimate:
    """Fit features (subject, feature) with mofapy2 in a process of its own; arms are groups."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, y=y, arm=arm, factors=n_factors, seed=seed)
        words = [str(python), str(HERE / "mofapy2_worker.py"), str(source), str(target)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"mofapy2 failed:\n{done.stderr[-3000:]}")
        with np.load(target) as found:
            return Estimate(
                found["loadings"], found["scores"], found["explained"], float(found["seconds"])
            )
