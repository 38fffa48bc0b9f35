"""The gallery shows every public figure, with a picture that opens and the call that draws it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.image import imread

from bayes_mdd import plotting

DOCS = Path(__file__).parents[2] / "docs"
#: Of one picture.
LARGEST = 100_000


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_gallery", DOCS / "draw_gallery.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_gallery_lists_exactly_the_public_figures(gallery: ModuleType) -> None:
    names = {entry.name for group in gallery.GALLERY.values() for entry in group}
    assert names == set(plotting.__all__)


def test_the_page_is_that_of_the_list(gallery: ModuleType) -> None:
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.write_page()


def test_every_picture_is_there_small_and_in_use(gallery: ModuleType) -> None:
    files = {entry.file for group in gallery.GALLERY.values() for entry in group}
    assert {path.name for path in gallery.IMAGES.iterdir()} == files
    for name in files:
        assert min(imread(gallery.IMAGES / name).shape[:2]) > 150
        assert (gallery.IMAGES / name).stat().st_size < LARGEST, name
