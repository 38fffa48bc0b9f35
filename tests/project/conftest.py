"""What the tests of the project share."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built once for the whole session."""
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(repository)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(built)
