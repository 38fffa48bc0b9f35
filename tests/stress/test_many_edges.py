"""300 000 edges go from series to report within 8 GB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Peak memory in GB that the whole path may take.
MOST_MEMORY = 8.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_300_000_edges_fit_into_memory(tmp_path):
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("many_edges.py")), str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | one_thread,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    facts = json.loads(done.stdout)
    assert facts["edges"] == 299_925
    assert facts["report"]["peak_gb"] < MOST_MEMORY
    assert not [label for label in facts["labels"] if label.endswith("-specific")]
    assert facts["report_mb"] < 50, "the page grows with factors, not with edges"
