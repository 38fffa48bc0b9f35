"""Reading files of the published program: documents and fitted models."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import DataContractError
from bayes_mdd.files.regular import own_errors
from bayes_mdd.files.text import MAX_TABLE, read_text
from bayes_mdd.polar_lda.em.dims import EDGE, PERSON
from bayes_mdd.polar_lda.em.parameters import mean_composition


def read_documents(path: str | Path, n_edges: int) -> NDArray[np.int64]:
    """Read documents in the format ``M edge:count edge:count ...``, one line per subject.

    Parameters
    ----------
    path : str or Path
        The file. Edges are numbered from 0; the sign of a count is its polarity.
    n_edges : int
        Number of edges V.

    Returns
    -------
    ndarray of int, shape (subject, edge)
        Signed counts.

    Raises
    ------
    DataContractError
        Naming every line that does not have this format.
    """
    rows, problems = [], []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        row = np.zeros(n_edges, dtype=np.int64)
        size, *words = line.split() or ["0"]
        try:
            pairs = [(int(edge), int(count)) for edge, count in (w.split(":") for w in words)]
        except ValueError:
            problems.append(f"line {number}: expected 'M edge:count ...' with integers.")
            continue
        edges = [edge for edge, _ in pairs]
        if size != str(len(pairs)) or len(set(edges)) < len(edges):
            problems.append(
                f"line {number}: the first number is {size}, but {len(pairs)} edge(s) follow, "
                f"{len(set(edges))} of them different."
            )
        elif any(not 0 <= edge < n_edges for edge in edges):
            problems.append(f"line {number}: edges must lie between 0 and {n_edges - 1}.")
        else:
            row[edges] = [count for _, count in pairs]
            rows.append(row)
    if problems:
        raise DataContractError(str(path), problems)
    return np.array(rows).reshape(len(rows), n_edges)


def read_published_model(folder: str | Path, step: str = "final") -> xr.Dataset:
    """Read a fitted model of the published program.

    Parameters
    ----------
    folder : str or Path
        Contains ``<step>.beta``, ``<step>.rho`` (logarithms), ``<step>.other`` and, where inference
        was run, ``<step>.gamma``.
    step : str, default "final"
        "final", or the number of an iteration as in ``"005"``; ``"000"`` is the start.

    Returns
    -------
    Dataset
        ``beta``, ``rho`` (factor, edge), attribute ``alpha`` and, where stored, ``gamma`` and
        ``composition`` (person, factor). It serves as model of `infer_counts` and as start of
        `fit_counts`.

    Raises
    ------
    UnreadableFileError
        If a file cannot be read.
    DataContractError
        If the sizes of the files do not agree.
    """
    path = Path(folder)
    beta, rho = (np.exp(_read_numbers(path / f"{step}.{name}")) for name in ("beta", "rho"))
    alpha = _read_alpha(path / f"{step}.other")
    gamma = None
    if (path / f"{step}.gamma").exists():
        gamma = _read_numbers(path / f"{step}.gamma")
    _check_sizes(path, step, beta, rho, gamma)
    found = xr.Dataset(
        {"beta": ((FACTOR, EDGE), beta), "rho": ((FACTOR, EDGE), rho)},
        coords={FACTOR: [f"F{k + 1}" for k in range(len(beta))]},
        attrs={"alpha": alpha},
    )
    if gamma is not None:
        found["gamma"] = ((PERSON, FACTOR), gamma)
        found["composition"] = ((PERSON, FACTOR), mean_composition(gamma))
    return found


def _check_sizes(
    path: Path,
    step: str,
    beta: NDArray[np.float64],
    rho: NDArray[np.float64],
    gamma: NDArray[np.float64] | None,
) -> None:
    problems = []
    if beta.shape != rho.shape:
        problems.append(
            f"{step}.beta has {beta.shape[0]} rows of {beta.shape[1]} numbers, {step}.rho "
            f"{rho.shape[0]} of {rho.shape[1]}: expected one row per factor and the same edges."
        )
    if gamma is not None and gamma.shape[1] != len(beta):
        problems.append(
            f"{step}.gamma has {gamma.shape[1]} columns, {step}.beta {len(beta)} rows: expected "
            "one per factor."
        )
    if problems:
        raise DataContractError(str(path), problems)


def _read_numbers(path: Path) -> NDArray[np.float64]:
    text = read_text(path, limit=MAX_TABLE)
    with own_errors(path, "a table of numbers"):
        return np.loadtxt(io.StringIO(text), ndmin=2, dtype=np.float64)


def _read_alpha(path: Path) -> float:
    text = read_text(path)
    with own_errors(path, "settings of a model", "expected a line 'alpha NUMBER'"):
        return float(dict(line.split() for line in text.splitlines() if line.strip())["alpha"])
