"""Figures of a run as files: they open, have captions, and name no participant."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import made_response_figures as made
import numpy as np
import pytest
from fakes import make_fake_idata, with_ratings
from matplotlib.figure import Figure
from matplotlib.image import imread

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.polar_lda.figures import list_figures as list_polar_figures
from bayes_mdd.response.page.drawings import list_drawings
from bayes_mdd.response.store import FOLDER, POSTERIOR
from bayes_mdd.results.drawings import Drawing
from bayes_mdd.results.exports import figures
from bayes_mdd.results.exports.material import Material
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.figures.listing import list_figures
from bayes_mdd.workflow.response_drawings import read_response_drawings

#: Figures with one mark per participant.
MARKS = ("symptom-", "compositions")


def open_figures(folder: Path) -> dict[str, dict[str, object]]:
    """Read every picture with the library of its format; none is empty."""
    listed = json.loads((folder / "figures.json").read_text())
    for note in listed["Figures"]:
        svg, png = (folder / name for name in note["Files"])
        root = ElementTree.parse(svg).getroot()
        assert root.tag.endswith("svg") and len(list(root.iter())) > 20
        pixels = imread(png)
        assert min(pixels.shape[:2]) > 150 and np.ptp(pixels[..., :3]) > 0.3
        assert note["Caption"].endswith(".") and note["Participants"] > 0 and note["Interval"]
    return {note["Name"]: note for note in listed["Figures"]} | {"left out": listed["LeftOut"]}


def draw_line() -> Figure:
    figure = Figure()
    figure.subplots().plot([1, 2], [3, 4])
    return figure


def refuse() -> Figure:
    raise DataContractError("figure", ["ratings are not known."])


def test_every_figure_is_written_twice_and_what_is_not_supported_is_said(tmp_path) -> None:
    shown = Drawing(name="factor-F1_symptom-sleep / 2", caption="A | line.", draw=draw_line, n=7)
    drawings = (shown, Drawing(name="ratings", caption="None.", draw=refuse))
    material = Material(sig=bm.signatures(make_fake_idata()), draws=None, n_participants=9,
                        model="shared_specific", drawings=drawings)  # fmt: skip
    assert figures.why_not(material) is None
    figures.write(material, tmp_path)
    found = open_figures(tmp_path)
    assert "ratings are not known." in found.pop("left out")["ratings"]
    assert found["factor-F1_symptom-sleep-2"]["Participants"] == 7
    readme = (tmp_path / "README.md").read_text()
    assert "A \\| line." in readme and "- ratings: " in readme
    first = (tmp_path / "factor-F1_symptom-sleep-2.svg").read_bytes()
    assert b"dc:date" not in first


def test_a_run_that_supports_none_is_refused(tmp_path) -> None:
    none = Material(sig=bm.signatures(make_fake_idata()), draws=None, n_participants=9, model="x")
    assert figures.why_not(none) == "the model family offers no figures."
    with pytest.raises(DataContractError, match=r"ratings: .*not known"):
        only = Drawing(name="ratings", caption="None.", draw=refuse)
        figures.write(
            Material(sig=none.sig, draws=None, n_participants=9, model="x", drawings=(only,)),
            tmp_path,
        )


@pytest.mark.parametrize("people", [False, True])
def test_marks_per_participant_are_drawn_only_when_asked_for(people: bool) -> None:
    tree = with_ratings(make_fake_idata(links="by_arm"))
    tree.attrs["estimand"] = "change"
    result, table, sig = read_result(tree), bm.classify_factors(tree), bm.signatures(tree)
    found = {d.name: d for d in list_figures(result, table, sig, people)}
    assert {"sharing", "explained", "variance", "blocks", "scores", "symptoms", "symptoms_by-arm",
            "convergence", "factor-F1_connectome", "factor-F2_top", "factor-F3_circle",
            "factor-F1_regions", "factor-F2_change"} <= set(found)  # fmt: skip
    assert not [name for name in found if "F4" in name], "unused"
    assert found["factor-F1_top"].caption.startswith("F1 shared: ")
    assert any("symptom-" in name for name in found) == people
    scores = found["scores"].draw
    assert isinstance(scores, partial) and scores.keywords["points"] is people
    response = list_drawings(made.response(), {"curve": made.CURVE}, people)
    polar = list_polar_figures(read_result(made.polar()), table, sig, people)
    assert any(mark in d.name for mark in MARKS for d in polar) == people
    crossed = next(d.draw for d in response if "crossover" in d.name)
    assert isinstance(crossed, partial) and crossed.keywords["points"] is people
    ids = {str(s) for s in tree["posterior"]["subject"].values}
    assert not [d for d in found.values() if any(i in d.name + d.caption for i in ids)]


def test_a_run_with_treatment_response_has_its_figures_too(tmp_path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    assert read_response_drawings(tmp_path, with_participants=False) == []
    made.response().to_netcdf(folder / POSTERIOR, engine="h5netcdf")
    table, paired = made.baselines()
    tables = {
        "curve": made.CURVE, "toc": made.toc(), "calibration": made.GROUPS,
        "missing": made.missing(), "baselines": table, "baselines_paired": paired,
    }  # fmt: skip
    for name, values in tables.items():
        values.to_csv(folder / f"{name}.tsv", sep="\t", index=False, na_rep="n/a")
    found = read_response_drawings(tmp_path, with_participants=False)
    assert [d.name for d in found] == [
        "response_factors",
        *(f"response_crossover-F{k}" for k in (1, 2, 3)),
        *("response_curve", "response_toc", "response_calibration"),
        *("response_missing", "response_baselines-auc"),
    ]
    assert {d.n for d in found} == {48}
    assert isinstance(found[-2].draw(), Figure)


@pytest.mark.slow
@pytest.mark.parametrize("people", [False, True])
def test_all_figures_of_a_fit_open(tmp_path, people: bool) -> None:
    tree = with_ratings(make_fake_idata())
    done = bm.export_run(tree, tmp_path, formats=["figures"], with_participants=people)
    assert set(done.files) == {"figures"}
    found = open_figures(tmp_path / "figures")
    # The made fit has no draws of invariants.
    assert set(found.pop("left out")) == {"convergence"}
    assert len(found) == (24 if people else 18)
