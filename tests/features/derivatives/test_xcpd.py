"""XCP-D: three generations of file names, missing parcels, censoring, coverage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import (
    PARCELS,
    SUBJECTS,
    correlations_of,
    series_of,
    write_square,
    write_wide,
)

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import connectivity_from_timeseries, read_derivatives
from bayes_mdd.specs import DerivativesSpec

FC = "functional_connectivity"
DROP = DerivativesSpec(missing="drop")


def edge(features, subject, a, b):
    labels = features["feature"].values.tolist()
    label = f"{a}--{b}" if f"{a}--{b}" in labels else f"{b}--{a}"
    return float(features["y"].sel(subject=subject, feature=label))


def provenance(features):
    return json.loads(features.attrs["provenance"])


def relmat(folder: Path, subject: str = "sub-02") -> Path:
    return next((folder / subject / "func").glob("*mat.tsv"))


@pytest.mark.parametrize("generation", ["a", "b", "c"])
def test_matrices_of_every_generation_of_names(xcpd, participants, regions, generation):
    got = read_derivatives(
        xcpd(generation), kind=FC, atlas="X", regions=regions, participants=participants
    )
    assert got["subject"].values.tolist() == list(SUBJECTS)
    assert got["region"].values.tolist() == regions["region"].tolist()
    assert got["arm"].values.tolist() == ["n/a", "SSRI", "None", "SSRI"]
    for subject in SUBJECTS:  # by name, independent of the order of the two tables
        i, j = 1, 4
        expected = np.arctanh(correlations_of(subject)[i, j])
        assert edge(got, subject, PARCELS[i], PARCELS[j]) == pytest.approx(expected, abs=1e-12)
    facts = provenance(got)
    assert facts["format"] == "xcpd_relmat"
    assert facts["passed_over"] == ["xcpd_timeseries"]
    assert got.attrs["units"] == "fisher_z"


@pytest.mark.parametrize("generation", ["a", "b", "c"])
@pytest.mark.parametrize("stat", ["alff", "reho"])
def test_regional_tables(xcpd, participants, regions, generation, stat):
    got = read_derivatives(xcpd(generation), kind=stat, regions=regions, participants=participants)
    expected = abs(series_of("sub-03")[0, 2]) + (stat == "reho")
    assert float(got["y"].sel(subject="sub-03", feature=PARCELS[2])) == pytest.approx(expected)
    assert set(got["kind"].values.tolist()) == {stat}
    assert got.sel(feature=PARCELS[2])["block"].item() == "DMN"


def test_series_and_matrices_agree(xcpd, participants):
    folder = xcpd()
    series = read_derivatives(folder, kind=FC, format="xcpd_timeseries", participants=participants)
    matrices = read_derivatives(folder, kind=FC, participants=participants)
    np.testing.assert_allclose(series["y"], matrices["y"], atol=1e-12)
    assert series["network_a"].values[0] == "Vis"  # from the Schaefer name


def test_halves_and_pieces_are_measured_from_the_series(xcpd, participants, regions):
    folder = xcpd()
    options = {"kind": FC, "regions": regions, "participants": participants}
    plain = read_derivatives(folder, **options)
    got = read_derivatives(folder, halves=True, pieces=8, **options)
    assert provenance(got)["format"] == "xcpd_timeseries"
    np.testing.assert_allclose(got["y"], plain["y"], atol=1e-12)
    order = [PARCELS.index(r) for r in regions["region"]]
    series = {s: series_of(s)[:, order] for s in SUBJECTS}
    expected = connectivity_from_timeseries(series, regions, halves=True, pieces=8)
    np.testing.assert_allclose(got["half_difference"], expected["half_difference"], atol=1e-9)
    np.testing.assert_allclose(got["pieces"], expected["pieces"], atol=1e-6)
    assert got.attrs["measure"] == plain.attrs["measure"] == "correlation"
    assert list(plain.data_vars) == ["y"]


@pytest.mark.parametrize("options", [{}, {"format": "xcpd_relmat"}])
def test_halves_without_series_are_refused(xcpd, participants, options):
    folder = xcpd(parts="matrix")
    with pytest.raises(DataContractError, match="halves and pieces need time series") as caught:
        read_derivatives(folder, participants=participants, halves=True, **options)
    assert "cifti_ptseries: parcellated time series" in str(caught.value)


def test_pieces_of_another_measure_are_refused(xcpd, participants):
    spec = DerivativesSpec(measure="partial correlation")
    with pytest.raises(SpecError, match="Omit pieces"):
        read_derivatives(xcpd(), participants=participants, kind=FC, spec=spec, pieces=8)


def test_series_with_as_many_volumes_as_parcels_keep_all_volumes(xcpd, participants):
    folder = xcpd(parts="series")
    names = [f"P{i}" for i in range(24)]
    for subject in SUBJECTS:
        path = next((folder / subject / "func").glob("*timeseries.tsv"))
        write_wide(path, series_of(subject, names, volumes=24), names)
    table = pd.DataFrame({"region": names[2:], "network": "N"})
    spec = DerivativesSpec(min_volumes=20)
    got = read_derivatives(folder, participants=participants, regions=table, spec=spec)
    expected = np.corrcoef(series_of("sub-02", names, volumes=24), rowvar=False)[2, 3]
    assert edge(got, "sub-02", "P2", "P3") == pytest.approx(np.arctanh(expected))


def test_several_kinds_are_refused_and_listed(xcpd, participants):
    with pytest.raises(DataContractError, match=r"several sets of data.*kind='alff'.*kind='reho'"):
        read_derivatives(xcpd(), participants=participants)


def test_a_missing_kind_lists_the_kinds_found(xcpd):
    with pytest.raises(DataContractError, match=r"holds no thickness: found .*alff"):
        read_derivatives(xcpd(), kind="thickness")
    with pytest.raises(SpecError, match=r"Did you mean 'xcpd_relmat'"):
        read_derivatives(xcpd(), format="xcpd_relmats")


def test_a_matrix_of_n_volumes_next_to_the_full_one_is_refused(xcpd, participants):
    folder = xcpd()
    full = relmat(folder)
    part = full.with_name(full.name.replace("_relmat", "_desc-100volumes_relmat"))
    write_square(part, correlations_of("sub-01"), PARCELS)
    with pytest.raises(DataContractError, match=r"sub-02: several files.*desc: 100volumes, none"):
        read_derivatives(folder, kind=FC, participants=participants)
    got = read_derivatives(folder, kind=FC, entities={"desc": None}, participants=participants)
    expected = np.arctanh(correlations_of("sub-02")[0, 1])
    assert edge(got, "sub-02", *PARCELS[:2]) == pytest.approx(expected)


@pytest.mark.parametrize("fill", [np.nan, 0.0])
def test_a_parcel_without_data_is_missing(xcpd, participants, fill):
    folder = xcpd()
    matrix = correlations_of("sub-02")
    matrix[3, :] = matrix[:, 3] = fill
    write_square(relmat(folder), matrix, PARCELS)
    with pytest.raises(DataContractError, match=rf"'{PARCELS[3]}' in 1 \(sub-02\)"):
        read_derivatives(folder, kind=FC, participants=participants)
    got = read_derivatives(folder, kind=FC, participants=participants, spec=DROP)
    assert PARCELS[3] not in got["region"].values
    assert got.sizes["feature"] == 6
    assert provenance(got)["regions_left_out"] == {PARCELS[3]: ["sub-02"]}


def test_reho_of_zero_is_missing(xcpd, participants):
    folder = xcpd()
    path = next((folder / "sub-01" / "func").glob("*reho*.tsv"))
    write_wide(path, np.array([0.4, 0.0, 0.5, 0.6, 0.7]), PARCELS)
    with pytest.raises(DataContractError, match=r"LH_Cont_Par_1' in 1 \(sub-01\)"):
        read_derivatives(folder, kind="reho", participants=participants)


def test_low_coverage_is_missing(xcpd, participants):
    folder = xcpd()
    for name in ("relmat", "stat-alff"):
        assert list(folder.rglob(f"*{name}*"))
    table = pd.DataFrame({"Node": PARCELS, "coverage": [1, 0.8, 0.6, 1, 1]})
    path = relmat(folder)
    beside = path.with_name(path.name.replace("pearsoncorrelation_relmat", "coverage_bold"))
    table.to_csv(beside, sep="\t", index=False)
    others = "sub-01, sub-03, sub-04: no coverage table belongs to the file"
    with pytest.warns(UserWarning, match=others):
        read_derivatives(folder, kind=FC, participants=participants)
    strict = DerivativesSpec(min_coverage=0.7)
    for kind in (FC, "alff"):
        with (
            pytest.warns(UserWarning, match=others),
            pytest.raises(DataContractError, match=r"'RH_Default_PFC_1' in 1 \(sub-02\)"),
        ):
            read_derivatives(folder, kind=kind, participants=participants, spec=strict)


def test_interpolated_volumes_are_removed_from_the_series(xcpd, participants):
    folder = xcpd(parts="series")
    flags = np.zeros(120, dtype=int)
    flags[10:15] = 1
    for subject in SUBJECTS:
        path = next((folder / subject / "func").glob("*timeseries.tsv"))
        series = series_of(subject)
        if subject == "sub-01":
            series[10:15] += 40  # stands for interpolated values
            write_wide(path, series, PARCELS)
        else:
            write_wide(path, series[flags == 0], PARCELS)
        pd.DataFrame({"framewise_displacement": flags}).to_csv(
            path.with_name(f"{subject}_task-rest_outliers.tsv"), sep="\t", index=False
        )
    got = read_derivatives(folder, participants=participants)
    expected = np.arctanh(np.corrcoef(series_of("sub-01")[flags == 0], rowvar=False)[0, 1])
    assert edge(got, "sub-01", *PARCELS[:2]) == pytest.approx(expected)
    assert provenance(got)["censoring"]["sub-02"] == "by XCP-D"


def test_outliers_that_do_not_match_the_series_are_refused(xcpd, participants):
    folder = xcpd(parts="series")
    pd.DataFrame({"flag": [0] * 90}).to_csv(
        folder / "sub-01" / "func" / "sub-01_task-rest_outliers.tsv", sep="\t", index=False
    )
    with pytest.raises(DataContractError, match=r"120 volumes, .* has 90, of which 90 are kept"):
        read_derivatives(folder, participants=participants)


def test_too_few_volumes(xcpd, participants):
    spec = DerivativesSpec(min_volumes=121)
    with pytest.raises(DataContractError, match=r"120 volumes .* at least 121 required"):
        read_derivatives(xcpd(parts="series"), participants=participants, spec=spec)


def test_confounds_named_like_time_series_are_ignored(xcpd, participants):
    folder = xcpd(parts="series")
    (folder / "sub-01" / "func" / "sub-01_task-rest_desc-preproc_timeseries.tsv").write_text(
        "csf\ttrans_x\n1\tn/a\n"
    )
    got = read_derivatives(folder, participants=participants)
    assert got.sizes["subject"] == 4


def test_units_that_contradict_the_values(xcpd, participants):
    folder = xcpd(parts="matrix")
    with pytest.raises(DataContractError, match=r"those of correlations \(r\), expected Fisher z"):
        read_derivatives(folder, participants=participants, units="fisher_z")
    z = np.arctanh(correlations_of("sub-02") - np.eye(5)) + 7.2543 * np.eye(5)
    write_square(relmat(folder), z, PARCELS)
    with pytest.raises(DataContractError, match=r"sub-02: diagonal and range are those of Fisher"):
        read_derivatives(folder, participants=participants)


def test_another_atlas_in_one_subject(xcpd, participants):
    folder = xcpd(parts="matrix")
    write_square(relmat(folder), correlations_of("sub-02"), [f"G_{i}" for i in range(5)])
    with pytest.raises(DataContractError, match=r"sub-02: .*another atlas"):
        read_derivatives(folder, participants=participants)


def test_atlases_are_not_mixed(xcpd, participants):
    folder = xcpd(parts="matrix")
    path = relmat(folder)
    path.rename(path.with_name(path.name.replace("atlas-X", "atlas-Y")))
    with pytest.raises(DataContractError, match=r"mixes atlases: X, Y"):
        read_derivatives(folder, participants=participants)


def test_one_of_two_atlases_is_selected(xcpd, participants):
    folder = xcpd(parts="matrix")
    for subject in SUBJECTS:
        path = relmat(folder, subject)
        write_square(
            path.with_name(path.name.replace("atlas-X", "atlas-Y")),
            np.eye(3) + 0.1 * (1 - np.eye(3)),
            ["p", "q", "r"],
        )
    with pytest.raises(DataContractError, match=r"atlas: X, Y"):
        read_derivatives(folder, participants=participants)
    got = read_derivatives(folder, atlas="X", participants=participants)
    assert got.sizes["region"] == 5


def test_an_annexed_file(xcpd, participants):
    folder = xcpd(parts="matrix")
    path = relmat(folder)
    path.unlink()
    path.symlink_to(folder / ".git" / "annex" / "objects" / "gone")
    with pytest.raises(DataContractError, match=r"sub-02: .*datalad get"):
        read_derivatives(folder, participants=participants)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("Node\ta\tb\na\t1\t0.2\nb\t0.2", "row 3 has 2 cells, the first 3"),
        ("Node;a;b\na;1;left\nb;0.2;1\n", "'left' where a number"),
        ("Node\ta\tb\na\t1\t0.2\n", "row names differ from"),
    ],
)
def test_damaged_files_are_listed(xcpd, participants, text, said):
    folder = xcpd(parts="matrix")
    relmat(folder).write_text(text)
    with pytest.raises(DataContractError, match=rf"sub-02: .*{re.escape(said)}"):
        read_derivatives(folder, participants=participants)


def test_bom_crlf_comments_commas_and_trailing_tabs_are_accepted(xcpd, participants):
    folder = xcpd(parts="matrix")
    plain = read_derivatives(folder, participants=participants)
    path = relmat(folder)
    lines = path.read_text().splitlines()
    path.write_bytes(b"\xef\xbb\xbf# a comment\r\n" + "\r\n".join(f"{x}\t" for x in lines).encode())
    comma = relmat(folder, "sub-03")
    comma.write_text(comma.read_text().replace("\t", ","))
    again = read_derivatives(folder, participants=participants)
    np.testing.assert_array_equal(plain["y"], again["y"])


def test_reho_of_the_wrong_version(xcpd, participants):
    folder = xcpd(parts="reho")
    (folder / "dataset_description.json").write_text(
        json.dumps({"GeneratedBy": [{"Name": "xcp_d", "Version": "0.7.3"}]})
    )
    with pytest.raises(DataContractError, match=r"0\.7\.3 wrote ReHo"):
        read_derivatives(folder, participants=participants)


def test_matching_of_participants(xcpd, participants):
    folder = xcpd(parts="matrix")
    with pytest.raises(DataContractError, match=r"not in participants.tsv: sub-04"):
        read_derivatives(folder, participants=participants.iloc[:3])
    more = pd.concat([participants, participants.iloc[[3]].set_axis(["sub-05"])])
    with pytest.raises(DataContractError, match=r"no feature data: sub-05"):
        read_derivatives(folder, participants=more)
    got = read_derivatives(folder, participants=more, spec=DerivativesSpec(absent_subjects="drop"))
    assert provenance(got)["without_features"] == ["sub-05"]
    alone = read_derivatives(folder)
    assert set(alone["arm"].values.tolist()) == {"n/a"}
    table = more.drop("sub-05").rename_axis("participant_id")
    table.to_csv(folder / "participants.tsv", sep="\t", na_rep="n/a")
    assert read_derivatives(folder)["site"].values.tolist() == ["a", "a", "b", "b"]


def test_region_names_must_match_the_region_table(xcpd, participants):
    table = pd.DataFrame({"region": [f"G_{i}" for i in range(5)], "network": "N"})
    with pytest.raises(DataContractError, match=r"only 0 of the 5 regions .*: another atlas"):
        read_derivatives(xcpd(parts="matrix"), participants=participants, regions=table)


def test_measures_are_not_mixed(xcpd, participants):
    folder = xcpd(parts="matrix")
    path = relmat(folder)
    path.rename(path.with_name(path.name.replace("pearsoncorrelation", "spearmancorrelation")))
    with pytest.raises(DataContractError, match=r"mixes measures: pearson.*, spearman"):
        read_derivatives(folder, participants=participants)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: np.triu(m), "only the upper triangle is filled"),
        (lambda m: m + np.triu(np.full_like(m, 0.01), 1), "not symmetric"),
        (np.sign, r"\|r\| = 1 at"),
        (lambda m: np.where(np.abs(m - m[0, 1]) < 1e-9, np.inf, m), r"\|r\| = 1 at 1 edge"),
    ],
)
def test_invalid_matrices(xcpd, participants, change, said):
    folder = xcpd(parts="matrix")
    write_square(relmat(folder), change(correlations_of("sub-02")), PARCELS)
    with pytest.raises(DataContractError, match=f"sub-02: .*{said}"):
        read_derivatives(folder, participants=participants)


def test_one_missing_edge(xcpd, participants):
    folder = xcpd(parts="matrix")
    matrix = correlations_of("sub-02")
    matrix[0, 1] = matrix[1, 0] = np.nan
    write_square(relmat(folder), matrix, PARCELS)
    with pytest.raises(DataContractError, match=rf"sub-02; features {PARCELS[0]}--{PARCELS[1]}"):
        read_derivatives(folder, participants=participants)
    got = read_derivatives(folder, participants=participants, spec=DROP)
    assert got.sizes["feature"] == 9
    assert provenance(got)["features_missing_in_somebody"] == [f"{PARCELS[0]}--{PARCELS[1]}"]


def test_ids_without_sub(xcpd, participants):
    bare = participants.set_axis([i.removeprefix("sub-") for i in participants.index])
    got = read_derivatives(xcpd(parts="matrix"), participants=bare)
    assert got["subject"].values.tolist() == ["01", "02", "03", "04"]


def test_entities_without_a_file(xcpd, participants):
    with pytest.raises(DataContractError, match=r"matches .*'ses': '2'.*ses: in no file name"):
        read_derivatives(xcpd(parts="matrix"), participants=participants, entities={"ses": "2"})
    got = read_derivatives(
        xcpd(parts="matrix"), participants=participants, entities={"task": "rest"}
    )
    assert provenance(got)["entities"] == {"task": "rest"}


def test_measure_estimator_and_generator_are_recorded(xcpd, participants):
    folder = xcpd(parts="series")
    (folder / "dataset_description.json").write_text(
        json.dumps({"GeneratedBy": [{"Name": "xcp_d", "Version": "0.10.5"}]})
    )
    spec = DerivativesSpec(measure="partial correlation", estimator="ledoit-wolf")
    facts = provenance(read_derivatives(folder, participants=participants, spec=spec))
    assert facts["measure"] == "partial correlation"
    assert facts["estimator"] == "ledoit-wolf"
    assert facts["generated_by"] == ["xcp_d 0.10.5"]
    with pytest.raises(SpecError, match=r"must be one of correlation"):
        read_derivatives(
            folder, participants=participants, spec=DerivativesSpec(measure="covariance")
        )


@pytest.mark.parametrize(
    "wrong",
    [{"missing": "zero"}, {"min_coverage": 2}, {"min_volumes": 1}, {"confounds": ["motions"]}],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        DerivativesSpec.from_mapping(wrong)
