"""Rotatable brains: what they show, that pages are safe and whole, and that they work."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode

import nibabel as nib
import numpy as np
import pytest
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.features import select_view
from bayes_mdd.results.interactive import fragment, library
from bayes_mdd.results.interactive.fragment import LEVELS, MOST, interactive_connectome
from bayes_mdd.results.region_surface import place_on_surface
from bayes_mdd.results.regions import region_table


@pytest.fixture(scope="module")
def sig():
    return bm.signatures(make_fake_idata())


def data_of(page: str) -> dict:
    """The numbers that a page of ours holds."""
    return json.loads(re.search(r'class="bm-brain-data">(.*?)</script>', page, re.S).group(1))


def test_the_library_is_found_in_the_pages_of_nilearn():
    """Fails where a new nilearn keeps plotly elsewhere: then reports lose their viewer."""
    source = library.find_library()
    assert source is not None, "nilearn's pages hold plotly in another way: mend find_library"
    assert "plotly.js" in source[:200] and "MIT license" in source[:300]
    assert len(source) > 500_000 and "</script" not in source.lower()
    packed = gzip.decompress(b64decode(library.pack_library()))
    assert packed.decode() == source


def test_the_brain_is_whole():
    raw = gzip.decompress(b64decode(library.pack_brain()))
    n, m = np.frombuffer(raw[:8], "<i4")
    assert (n, m) == (10242, 20480) and len(raw) == 2 * (8 + 6 * n + 12 * m)
    x = np.frombuffer(raw[8 : 8 + 2 * n], "<i2") / 100
    assert -80 < x.min() < -60 and x.max() < 10  # the left hemisphere


def test_any_position_of_the_sliders_shows_the_strongest(sig):
    page = interactive_connectome(sig)
    data = data_of(page)
    assert list(data["factors"]) == ["F1", "F2", "F3"]
    assert data["factors"]["F2"]["name"] == str(sig["name"].values[1])
    for key, of in data["factors"].items():
        one = sig.sel(factor=key)
        mean, above = one["mean"].values, one["p_positive"].values
        sure = np.where(mean >= 0, above, 1 - above)
        rows = of["features"]
        for level in LEVELS:
            wanted = np.sort(np.abs(mean[sure >= level]))[::-1][:MOST]
            shown = [abs(row[2]) for row in rows if row[5] >= level][:MOST]
            np.testing.assert_allclose(shown, wanted, atol=1e-4)
    a, b, mean, low, high, _ = data["factors"]["F1"]["features"][0]
    names = f"{data['regions'][a][0]}--{data['regions'][b][0]}"
    edge = sig.sel(factor="F1", feature=names)
    np.testing.assert_allclose(
        [mean, low, high], [edge["mean"], edge["lower"], edge["upper"]], atol=1e-4
    )


def test_a_page_part_is_small_safe_and_holds_one_copy(sig):
    hostile = "</script><img src=x onerror=alert(1)>"
    named = sig["region"].values.astype(object)
    ends = {}
    for side in ("region_a", "region_b"):
        values = sig[side].values.astype(object)
        ends[side] = ("feature", np.where(values == named[0], hostile, values).astype(str))
    named[0] = hostile
    bad = sig.assign_coords(region=named.astype(str), **ends)
    page = interactive_connectome(bad, {f: f"{f} <b>&" for f in ("F1", "F2", "F3")})
    assert "<img" not in page and "<b>" not in page and "F1 &lt;b&gt;&amp;" in page
    assert data_of(page)["regions"][0][0] == hostile
    assert page.count('class="bm-brain-library"') == page.count('class="bm-brain-mesh"') == 1
    assert len(page) < 1_500_000 and not re.search(r"https?://", page)


def test_where_nothing_can_be_drawn_a_line_says_why(sig, monkeypatch):
    bare = interactive_connectome(bm.signatures(make_fake_idata(coordinates=False)))
    assert "no MNI coordinates" in bare and "<script" not in bare
    view = np.where(np.arange(45) % 2, "fc", "sc")
    views = sig.assign_coords(view=("feature", view))
    assert "several views" in interactive_connectome(views)
    assert "<script" in interactive_connectome(select_view(views, "fc"))
    assert "no factor is used" in interactive_connectome(sig.isel(factor=slice(0)))
    monkeypatch.setattr(fragment, "pack_library", lambda: None)
    said = interactive_connectome(sig)
    assert "unexpected way" in said and "<script" not in said


def test_view_connectome_shows_the_edges_that_were_chosen(sig, tmp_path):
    view = bm.view_connectome(sig, "F1", top=7)
    info = json.loads(re.search(r"connectomeInfo = (\{.*?\});?\n", view.html).group(1))[
        "connectome"
    ]
    drawn = np.frombuffer(b64decode(info["_con_w"]), "<f4")
    one = sig.sel(factor="F1")
    clear = np.abs(one["mean"].values[((one["lower"] > 0) | (one["upper"] < 0)).values])
    wanted = np.sort(clear)[::-1][:7]
    # Every edge is there in both directions, at both ends and at the gap behind it.
    np.testing.assert_allclose(
        np.sort(np.unique(np.abs(drawn[drawn != 0])))[::-1], wanted, rtol=1e-5
    )
    assert str(one["name"].values) in info["title"] and "90% interval excludes 0" in info["title"]
    path = tmp_path / "f1.html"
    view.save_as_html(path)
    assert "githubusercontent" not in path.read_text()
    assert "at least 0.999" in bm.view_connectome(sig, "F1", min_prob=0.999).html
    nothing = sig.assign(lower=sig["mean"] - 9, upper=sig["mean"] + 9)
    assert "no edges whose" in bm.view_connectome(nothing, "F1").html
    assert "DMN_1: " in bm.view_connectome(bm.signatures(make_fake_idata(regional=True)), "F1").html


def test_views_refuse_what_they_cannot_show(sig):
    for view in (bm.view_connectome, bm.view_surface):
        with pytest.raises(bm.DataContractError, match="'F9'"):
            view(sig, "F9")
        with pytest.raises(bm.DataContractError, match="MNI coordinates"):
            view(bm.signatures(make_fake_idata(coordinates=False)), "F1")
    with pytest.raises(bm.SpecError, match="min_prob"):
        bm.view_connectome(sig, "F1", min_prob=95)
    with pytest.raises(bm.SpecError, match="top"):
        bm.view_connectome(sig, "F1", top=0)
    with pytest.raises(bm.SpecError, match="'median'"):
        bm.view_surface(sig, "F1", statistic="median")


def test_view_surface_holds_every_statistic(sig):
    page = bm.view_surface(sig, "F1", statistic="negative").html
    data = data_of(page)
    assert data["first"] == "negative" and list(data["statistics"]) == [
        *("strength", "positive", "negative", "mean")
    ]
    for name, of in data["statistics"].items():
        wanted = bm.region_strength(sig, name).sel(factor="F1")
        np.testing.assert_allclose(of["values"], wanted, atol=1e-4)
    assert data["statistics"]["positive"]["low"] == 0 == data["statistics"]["negative"]["high"]
    owner = np.frombuffer(
        gzip.decompress(b64decode(re.search(r'surface-owner">(.*?)<', page).group(1))), "<i2"
    )
    assert len(owner) == 2 * 10242
    on = {i for i, region in enumerate(data["regions"]) if region[2]}
    assert on == set(owner.tolist()) - {-1}


def make_mesh(places: np.ndarray):
    """A surface of any vertices; its faces do not matter here."""
    from nilearn.surface import InMemoryMesh

    faces = np.array([[0, 1, 2], [1, 2, 3]])
    return InMemoryMesh(places.astype(np.float32), faces)


def test_regions_come_to_the_surface_from_coordinates_labels_and_surface_atlases(sig, tmp_path):
    regions = region_table(sig)
    xyz = regions[["x", "y", "z"]].to_numpy(float)
    mesh = {"left": make_mesh(xyz[:5] + 1), "right": make_mesh(np.vstack([xyz[5:], [[0, 0, 200]]]))}
    found = place_on_surface(regions, mesh=mesh, radius=3)
    assert found.region["left"].tolist() == [0, 1, 2, 3, 4]
    assert found.region["right"].tolist() == [5, 6, 7, 8, 9, -1] and found.n_hidden == 0
    assert np.isnan(found.paint(np.arange(10)).data.parts["right"][5])

    # The image is smaller than the surface.
    labels = np.zeros((60, 70, 40), np.int16)
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -88, -118, -40
    for place, label in zip(xyz, regions["label"].astype(int), strict=True):
        at = np.rint((place - affine[:3, 3]) / 3).astype(int)
        labels[tuple(slice(k - 1, k + 2) for k in at)] = label
    shown = place_on_surface(regions, atlas=nib.Nifti1Image(labels, affine), mesh=mesh)
    assert shown.region["left"].tolist() == [0, 1, 2, 3, 4]
    assert shown.region["right"].tolist() == [5, 6, 7, 8, 9, -1]
    far = {side: make_mesh(np.full((4, 3), 500.0)) for side in ("left", "right")}
    with pytest.raises(bm.DataContractError, match="no region reaches"):
        place_on_surface(regions, mesh=far)
    with pytest.raises(bm.SpecError, match="exclude each other"):
        place_on_surface(regions, atlas="a.nii", surface_atlas="b.dlabel.nii")
    with pytest.raises(bm.SpecError, match="'left' and 'right'"):
        place_on_surface(regions, mesh={"left": "a"})
    lost = tmp_path / "none.surf.gii"
    with pytest.raises(bm.BayesMDDError, match=r"none\.surf\.gii"):
        place_on_surface(regions, mesh={"left": lost, "right": lost})


WAIT = "new Promise(done => { const look = () => document.querySelector('.bm-brain').dataset.ready \
? done(true) : setTimeout(look, 50); look(); })"
#: Hints of Chromium about how fast plotly draws.
HINTS = ("willReadFrequently", "GPU stall due to ReadPixels")


def complaints(browser) -> list[str]:
    return [c for c in browser.complaints if not any(hint in c for hint in HINTS)]


def set_slider(browser, name: str, value: int) -> int:
    """Move a slider as a reader does; returns how many features are said to be drawn."""
    return browser.run(
        f"(s => {{ s.value = {value}; s.dispatchEvent(new Event('input')); return new Promise("
        "d => requestAnimationFrame(() => requestAnimationFrame(() => "
        "d(Number(s.closest('.bm-brain').dataset.drawn))))) })"
        f"(document.querySelector('[data-sets={name}]'))"
    )


def test_the_viewer_draws_what_its_sliders_say(sig, browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{interactive_connectome(sig)}")
    browser.show(path)
    assert browser.complaints == []
    # Without the brain, the list already follows.
    count = "document.querySelectorAll('.bm-brain-list tbody tr').length"
    assert set_slider(browser, "top", 3) == 3 == browser.run(count)
    browser.run("document.querySelector('.bm-brain-start').click()")
    assert browser.run(WAIT)
    edges = (
        "document.querySelector('.bm-brain-plot').data.filter(t => t.mode === 'lines')"
        ".map(t => [t.line.color, t.x.length])"
    )
    lines = [row for row in browser.run(edges) if row[1]]
    assert sum(n for _, n in lines) >= 9
    assert set_slider(browser, "top", 200) > 3
    many = set_slider(browser, "level", 0)
    fewer = set_slider(browser, "level", len(LEVELS) - 1)
    one = sig.sel(factor="F1")
    sure = np.where(one["mean"] >= 0, one["p_positive"], 1 - one["p_positive"])
    assert fewer == min(MOST, (sure >= LEVELS[-1]).sum()) < many
    browser.run("document.querySelector('[data-factor=F2]').click()")
    assert "F2" in browser.run("document.querySelector('.bm-brain-said').textContent")
    # Keys rotate.
    camera = "document.querySelector('.bm-brain-plot').layout.scene.camera.eye.x"
    before = browser.run(camera)
    browser.run(
        "document.querySelector('.bm-brain-stage').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'ArrowLeft'}))"
    )
    assert browser.run(camera) != before
    assert complaints(browser) == []
    assert browser.requests == [path.resolve().as_uri()]


def test_exported_pages_open(browser, tmp_path):
    idata = make_fake_idata()
    done = bm.export_run(idata, tmp_path, formats=["html"])
    names = sorted(p.name for p in done.files["html"])
    assert names == sorted(
        ["index.html", "export.json"]
        + [
            f"factor-{f}_{kind}.html"
            for f in ("F1", "F2", "F3")
            for kind in ("connectome", "surface")
        ]
    )
    folder = tmp_path / "html"
    browser.show(folder / "index.html")
    links = browser.run("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert set(links) == {n for n in names if n.startswith("factor-")}
    for name in ("factor-F3_surface.html", "factor-F3_connectome.html"):
        browser.show(folder / name, width=390, height=800)
        assert browser.run(WAIT)
        assert browser.run("document.documentElement.scrollWidth") <= 390
        assert complaints(browser) == []
        assert len(browser.requests) == 1
    bare = make_fake_idata(coordinates=False)
    with pytest.raises(bm.DataContractError, match="format 'html': the regions have no MNI"):
        bm.export_run(bare, tmp_path / "x", formats=["html"])
