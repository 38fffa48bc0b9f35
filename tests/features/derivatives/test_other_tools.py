"""Files of DPABI, CONN, HALFpipe and CAT12: whose they are and what they hold, by their names."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from features.derivatives.conftest import correlations_of, series_of
from scipy.io import savemat

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError
from bayes_mdd.features.derivatives.formats.mat import parse_names
from bayes_mdd.features.derivatives.matrix_measures import standardise_covariance
from bayes_mdd.features.file_names import parse_name

IDS = ("Sub_001", "Sub_002", "Sub_003")
NAMES = ("a", "b", "c", "d")
UPPER = np.triu_indices(4, 1)


def table_of(ids: tuple[str, ...] = IDS) -> pd.DataFrame:
    return pd.DataFrame(
        {"diagnosis": ["HC", "MDD", "MDD"], "arm": ["n/a", "A", "B"]},
        index=pd.Index(ids, name="participant_id"),
    )


def regions_of(names: tuple[str, ...] = NAMES, first: int = 1) -> pd.DataFrame:
    labels = range(first, first + len(names))
    return pd.DataFrame({"region": names, "network": "N", "label": labels})


def true_z(subject: str) -> np.ndarray:
    return np.arctanh(correlations_of(subject, NAMES)[UPPER])


def save_ascii(path: Path, values: np.ndarray) -> None:
    """Write as MATLAB does with -ascii -double -tabs: infinite values are Inf."""
    np.savetxt(path, values, delimiter="\t", fmt="%.16e")
    path.write_text(path.read_text().replace("inf", "Inf"))


def write_dpabi(
    folder: Path, what: str, extensions: str = ".txt .mat", ids: tuple[str, ...] = IDS
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in ids:
        series = series_of(i, NAMES)
        r = np.corrcoef(series, rowvar=False)
        z = np.arctanh(np.where(np.eye(4), 0, r)) + np.diag([np.inf] * 4)
        arrays = {"ROISignals": series, "ROICorrelation": r, "ROICorrelation_FisherZ": z}
        for name in what.split():
            for extension in extensions.split():
                path = folder / f"{name}_{i}{extension}"
                if extension == ".txt":
                    save_ascii(path, arrays[name])
                else:
                    savemat(path, {name: arrays[name]})
    return folder


class TestDpabiMatrices:
    @pytest.mark.parametrize("extensions", [".txt", ".mat", ".txt .mat"])
    @pytest.mark.parametrize(
        "what",
        [
            "ROICorrelation",
            "ROICorrelation_FisherZ",
            "ROISignals",
            "ROISignals ROICorrelation ROICorrelation_FisherZ",
        ],
    )
    def test_four_files_of_a_subject_are_one_subject(
        self, tmp_path: Path, what: str, extensions: str
    ) -> None:
        folder = write_dpabi(tmp_path / "Results" / "ROISignals_FunImgARCWF", what, extensions)
        features = bm.read_derivatives(
            tmp_path / "Results", participants=table_of(), regions=regions_of()
        )
        assert folder.is_dir()
        assert features["subject"].values.tolist() == list(IDS)
        assert features.attrs["units"] == "fisher_z"
        np.testing.assert_allclose(features["y"].values[1], true_z("Sub_002"))

    def test_units_choose_the_files_and_may_not_contradict_them(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROICorrelation_FisherZ")
        features = bm.read_derivatives(folder, regions=regions_of(), units="fisher_z")
        assert '"read_units": "fisher_z"' in features.attrs["provenance"]
        with pytest.raises(DataContractError, match="found only ROICorrelation_FisherZ"):
            bm.read_derivatives(folder, regions=regions_of(), units="r")

    def test_the_scaling_not_read_is_listed(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROICorrelation ROICorrelation_FisherZ")
        features = bm.read_derivatives(folder, regions=regions_of())
        assert '"other_scalings": ["ROICorrelation_FisherZ"]' in features.attrs["provenance"]

    def test_a_subject_with_the_other_scaling_only_is_named(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROICorrelation_FisherZ", ".txt")
        write_dpabi(folder, "ROICorrelation_FisherZ", ".txt", ("Sub_004",))
        write_dpabi(folder, "ROICorrelation", ".txt")
        with pytest.warns(UserWarning, match="Sub_004: ROICorrelation_FisherZ only"):
            read = bm.read_derivatives(folder, regions=regions_of())
        assert "Sub_004" not in read["subject"].values

    def test_the_second_session_is_another_session(self, tmp_path: Path) -> None:
        write_dpabi(tmp_path / "Results" / "ROISignals_FunImgARCWF", "ROICorrelation")
        write_dpabi(tmp_path / "S2_Results" / "S2_ROISignals_FunImgARCWF", "ROICorrelation")
        with pytest.raises(DataContractError, match=r"differ in ses: 2, none"):
            bm.read_derivatives(tmp_path, regions=regions_of())
        for session in ("2", None):
            read = bm.read_derivatives(
                tmp_path, regions=regions_of(), entities={"ses": session}, participants=table_of()
            )
            assert read.sizes["subject"] == 3

    def test_two_pipelines_differ_in_their_folder(self, tmp_path: Path) -> None:
        write_dpabi(tmp_path / "ROISignals_FunImgARCWF", "ROICorrelation")
        write_dpabi(tmp_path / "ROISignals_FunImgARglobalCWF", "ROICorrelation")
        with pytest.raises(DataContractError, match="differ in folder: ROISignals_FunImgARCWF"):
            bm.read_derivatives(tmp_path, regions=regions_of())
        read = bm.read_derivatives(
            tmp_path, regions=regions_of(), entities={"folder": "ROISignals_FunImgARglobalCWF"}
        )
        assert read.sizes["subject"] == 3

    def test_ids_that_look_like_entities_or_are_bids(self, tmp_path: Path) -> None:
        ids = ("S1-1-0001", "S1-2-0001", "S2-1-0001")
        meta = write_dpabi(tmp_path / "meta", "ROISignals", ".mat", ids)
        read = bm.read_derivatives(meta, regions=regions_of())
        assert read["subject"].values.tolist() == list(ids)
        ids = ("sub-01", "sub-02", "sub-03")
        surface = write_dpabi(tmp_path / "surf", "ROISignals", ".mat", ids)
        read = bm.read_derivatives(surface, regions=regions_of())
        assert read["subject"].values.tolist() == list(ids)

    def test_the_order_key_gives_the_label_of_each_column(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROICorrelation", ".mat")
        for i in IDS:
            rows = [f"{k + 1}\t{label}\tMask.nii" for k, label in enumerate((2001, 2101, 7, 9))]
            text = "\n".join(["Order\tLabel in Mask\tROI Definition", *rows])
            (folder / f"ROI_OrderKey_{i}.tsv").write_text(text)
        table = regions_of().assign(label=[9, 7, 2101, 2001], region=["d", "c", "b", "a"])
        read = bm.read_derivatives(folder, regions=table)
        assert read["feature"].values[0] == "d--c"
        whole = correlations_of("Sub_001", NAMES)
        np.testing.assert_allclose(read["y"].values[0, 0], np.arctanh(whole[3, 2]))

    def test_some_of_several_atlases_side_by_side(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROISignals", ".mat")
        read = bm.read_derivatives(folder, regions=regions_of(("c", "d"), first=3))
        assert read["feature"].values.tolist() == ["c--d"]
        np.testing.assert_allclose(read["y"].values[:, 0], [true_z(i)[-1] for i in IDS])

    def test_a_smaller_atlas_is_refused(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROISignals", ".mat")
        with pytest.raises(DataContractError, match=r"lacks the label\(s\) 4"):
            bm.read_derivatives(folder, regions=regions_of(("a", "b", "c")))

    def test_a_file_without_its_array(self, tmp_path: Path) -> None:
        folder = write_dpabi(tmp_path, "ROICorrelation", ".mat")
        savemat(folder / "ROICorrelation_Sub_001.mat", {"x": np.eye(4)})
        with pytest.raises(DataContractError, match="no array ROICorrelation; found x"):
            bm.read_derivatives(folder, regions=regions_of())

    def test_files_of_dpabi_that_are_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "ALFFMap_sub-01.func.gii").write_text("x")
        with pytest.raises(DataContractError, match=r"Files of DPABI: ALFFMap_sub-01.*reads ROIC"):
            bm.read_derivatives(tmp_path)


@pytest.fixture
def dpabi_maps(tmp_path: Path) -> Callable[..., Path]:
    def make(*names: str) -> Path:
        rng = np.random.default_rng(1)
        folder = tmp_path / "Results" / "ALFF_FunImgARCW"
        folder.mkdir(parents=True, exist_ok=True)
        labels = np.zeros((4, 4, 4), np.int16)
        labels[:2], labels[2:] = 1, 2
        nib.save(nib.Nifti1Image(labels, np.eye(4) * 3), tmp_path / "at_dseg.nii.gz")
        regions_of(("a", "b")).to_csv(tmp_path / "at_dseg.tsv", sep="\t", index=False)
        for k, name in enumerate(names):
            for i in IDS:
                data = rng.uniform(1, 2, labels.shape).astype(np.float32) + 10 * k
                path = folder / f"{name}_{i}.nii"
                nib.save(nib.Nifti1Image(data, np.eye(4) * 3), path)
        return tmp_path

    return make


def read_maps(folder: Path, **request: object) -> object:
    return bm.read_derivatives(
        folder / "Results", atlas=folder / "at_dseg.nii.gz", participants=table_of(), **request
    )


class TestDpabiMaps:
    def test_scalings_are_named_and_one_is_asked_for(self, dpabi_maps: Callable[..., Path]) -> None:
        folder = dpabi_maps("ALFFMap", "mALFFMap", "zALFFMap")
        with pytest.raises(DataContractError) as caught:
            read_maps(folder, kind="alff")
        assert "differ in scaling: m, raw, z" in str(caught.value)
        assert "entities={'scaling': 'm'} (--entity scaling=m)" in str(caught.value)
        for k, (scaling, units) in enumerate(
            {"raw": "ALFF", "m": "mALFF (divided", "z": "zALFF (z score"}.items()
        ):
            read = read_maps(folder, entities={"scaling": scaling})
            assert read["subject"].values.tolist() == list(IDS)
            assert read.attrs["units"].startswith(units)
            assert 10 * k + 1 < float(read["y"].mean()) < 10 * k + 2

    def test_one_scaling_needs_no_choice(self, dpabi_maps: Callable[..., Path]) -> None:
        read = read_maps(dpabi_maps("zReHoMap"))
        assert read.attrs["units"] == "zReHo (z score over the brain)"

    def test_measures_are_kinds(self, dpabi_maps: Callable[..., Path]) -> None:
        folder = dpabi_maps("zALFFMap", "zfALFFMap", "szReHoMap", "zVMHCMap")
        with pytest.raises(DataContractError, match=r"kind='reho'.*'alff'.*'vmhc'.*'falff'"):
            read_maps(folder)
        assert read_maps(folder, kind="falff").attrs["units"].startswith("zfALFF")
        assert read_maps(folder, kind="vmhc").attrs["units"] == "VMHC (Fisher z)"

    def test_smoothed_beside_unsmoothed(self, dpabi_maps: Callable[..., Path]) -> None:
        folder = dpabi_maps("mReHoMap", "smReHoMap")
        with pytest.raises(DataContractError, match="differ in prefix: none, s"):
            read_maps(folder)
        assert read_maps(folder, entities={"prefix": "s"}).sizes["subject"] == 3

    def test_a_cohort_of_two_scalings_is_refused(self, dpabi_maps: Callable[..., Path]) -> None:
        folder = dpabi_maps("mALFFMap", "zALFFMap")
        where = folder / "Results" / "ALFF_FunImgARCW"
        (where / "mALFFMap_Sub_001.nii").unlink()
        for i in IDS[1:]:
            (where / f"zALFFMap_{i}.nii").unlink()
        with pytest.raises(DataContractError, match="mixes scalings: m, z"):
            read_maps(folder)

    def test_both_weightings_of_degree_centrality(self, dpabi_maps: Callable[..., Path]) -> None:
        folder = dpabi_maps(
            "zDegreeCentrality_PositiveBinarizedSumBrainMap",
            "zDegreeCentrality_PositiveWeightedSumBrainMap",
        )
        with pytest.raises(DataContractError, match="differ in stat: DegreeCentrality_PositiveB"):
            read_maps(folder)


def write_conn(
    folder: Path,
    subjects: range = range(1, 4),
    condition: str = "001",
    stack: bool = True,
    shift: float = 0.0,
    first: int = 0,
) -> Path:
    """Write first-level results; sources are also targets, and there is one more target."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = {
        "names": np.array([[n] for n in NAMES], dtype=object),
        "names2": np.array([[n] for n in ("x", *NAMES)], dtype=object),
    }
    all_z = []
    for k in subjects:
        z = np.full((4, 5), 0.1)
        z[:, 1:] = (
            np.arctanh(np.where(np.eye(4), 0, correlations_of(f"Sub_00{first + k}", NAMES))) + shift
        )
        z[:, 1:][np.eye(4, dtype=bool)] = np.nan
        all_z.append(z)
        savemat(folder / f"resultsROI_Subject{k:03d}_Condition{condition}.mat", {"Z": z, **cells})
    if stack:
        whole = {"Z": np.stack(all_z, axis=2), **cells}
        savemat(folder / f"resultsROI_Condition{condition}.mat", whole)
    return folder


class TestConn:
    def test_files_of_each_and_of_all_are_the_same_subjects(self, tmp_path: Path) -> None:
        folder = write_conn(tmp_path / "results" / "firstlevel" / "SBC_01")
        read = bm.read_derivatives(folder)
        assert read["subject"].values.tolist() == ["Subject001", "Subject002", "Subject003"]
        assert '"stacks_not_read": ["resultsROI_Condition001.mat"]' in read.attrs["provenance"]
        np.testing.assert_allclose(read["y"].values[1], true_z("Sub_002"))

    def test_numbers_are_positions_in_the_project(self, tmp_path: Path) -> None:
        folder = write_conn(tmp_path)
        read = bm.read_derivatives(folder, subjects=IDS[::-1], participants=table_of())
        assert read["subject"].values.tolist() == list(IDS)
        np.testing.assert_allclose(read["y"].values[0], true_z("Sub_003"))
        with pytest.raises(DataContractError, match=r"numbers the subjects .* subjects=\[...\]"):
            bm.read_derivatives(folder, participants=table_of())
        with pytest.raises(
            DataContractError, match="lists 2 ids, but there are files of Subject003"
        ):
            bm.read_derivatives(folder, subjects=IDS[:2])

    def test_numbers_may_be_the_ids(self, tmp_path: Path) -> None:
        folder = write_conn(tmp_path, stack=False)
        table = table_of(("sub-001", "sub-002", "sub-003"))
        read = bm.read_derivatives(folder, participants=table, ids=r"Subject(\d+)")
        assert read["subject"].values.tolist() == ["sub-001", "sub-002", "sub-003"]

    def test_conditions_are_chosen(self, tmp_path: Path) -> None:
        write_conn(tmp_path)
        write_conn(tmp_path, condition="002", shift=0.5)
        with pytest.raises(DataContractError, match="differ in condition: 001, 002"):
            bm.read_derivatives(tmp_path)
        read = bm.read_derivatives(tmp_path, entities={"condition": "002"})
        np.testing.assert_allclose(read["y"].values[0], true_z("Sub_001") + 0.5)

    def test_conditions_of_files_of_all_are_chosen(self, tmp_path: Path) -> None:
        write_conn(tmp_path)
        write_conn(tmp_path, condition="002", shift=0.5)
        for path in tmp_path.glob("*Subject*"):
            path.unlink()
        with pytest.raises(DataContractError, match=r"several files hold all.*condition: 001, 002"):
            bm.read_derivatives(tmp_path, subjects=IDS)
        read = bm.read_derivatives(tmp_path, subjects=IDS, entities={"condition": "002"})
        np.testing.assert_allclose(read["y"].values[2], true_z("Sub_003") + 0.5)

    def test_two_analyses_differ_in_their_folder(self, tmp_path: Path) -> None:
        write_conn(tmp_path / "SBC_01")
        write_conn(tmp_path / "SBC_02")
        with pytest.raises(DataContractError, match="differ in folder: SBC_01, SBC_02"):
            bm.read_derivatives(tmp_path)

    def test_a_removed_subject_is_noted(self, tmp_path: Path) -> None:
        folder = write_conn(tmp_path, range(1, 5))
        (folder / "resultsROI_Subject002_Condition001.mat").unlink()
        with pytest.warns(UserWarning, match="holds 4 participants, but there are 3 files"):
            read = bm.read_derivatives(folder, subjects=("A", "B", "C", "D"))
        assert read["subject"].values.tolist() == ["A", "C", "D"]

    def test_one_project_per_subject(self, tmp_path: Path) -> None:
        for k, i in enumerate(IDS):
            write_conn(tmp_path / i / "conn" / "SBC_01", range(1, 2), stack=False, first=k)
        read = bm.read_derivatives(tmp_path, ids="Sub_[0-9]+", participants=table_of())
        assert read["subject"].values.tolist() == list(IDS)

    def test_series_of_conn_are_not_read(self, tmp_path: Path) -> None:
        savemat(tmp_path / "ROI_Subject001_Condition000.mat", {"data": 1.0, "names": "x", "Z": 1})
        with pytest.raises(DataContractError, match=r"Files of CONN: ROI_Subject001.*resultsROI_"):
            bm.read_derivatives(tmp_path)


def write_halfpipe(folder: Path, *descs: str, extension: str = ".tsv") -> Path:
    folder.mkdir(exist_ok=True)
    for subject in ("sub-01", "sub-02", "sub-03"):
        series = series_of(subject, NAMES) * [1, 20, 300, 4]
        covariance = np.cov(series, rowvar=False)
        matrices = {
            "correlation": np.corrcoef(series, rowvar=False),
            "covariance": covariance,
            "precision": np.linalg.inv(covariance),
            "partialCorrelation": standardise_covariance(np.linalg.inv(covariance), negate=True),
        }
        head = f"{subject}_task-rest_feature-corrMatrix1_atlas-X"
        for desc in descs:
            if desc == "timeseries":
                np.savetxt(folder / f"{head}_timeseries{extension}", series, delimiter="\t")
            else:
                path = folder / f"{head}_desc-{desc}_matrix{extension}"
                np.savetxt(path, matrices[desc], delimiter="\t")
    return folder


class TestHalfpipe:
    @pytest.mark.parametrize("what", ["correlation", "timeseries", "correlation timeseries"])
    @pytest.mark.parametrize("extension", [".tsv", ".txt"])
    def test_correlations_and_series(self, tmp_path: Path, what: str, extension: str) -> None:
        folder = write_halfpipe(tmp_path / "h", *what.split(), extension=extension)
        read = bm.read_derivatives(folder, regions=regions_of())
        np.testing.assert_allclose(read["y"].values[0], true_z("sub-01"))

    @pytest.mark.parametrize("measure", ["covariance", "precision"])
    def test_other_matrices_are_refused_by_name(self, tmp_path: Path, measure: str) -> None:
        folder = write_halfpipe(tmp_path / "h", measure)
        for units in (None, "fisher_z", "r"):
            with pytest.raises(DataContractError, match=measure):
                bm.read_derivatives(folder, regions=regions_of(), units=units)

    def test_covariances_are_converted_when_asked(self, tmp_path: Path) -> None:
        folder = write_halfpipe(tmp_path / "h", "covariance")
        read = bm.read_derivatives(folder, regions=regions_of(), units="covariance")
        np.testing.assert_allclose(read["y"].values[0], true_z("sub-01"))
        assert read.attrs["units"] == "fisher_z"
        assert '"converted_from": "covariance"' in read.attrs["provenance"]

    def test_precision_and_partial_correlations_agree(self, tmp_path: Path) -> None:
        one = write_halfpipe(tmp_path / "a", "precision")
        two = write_halfpipe(tmp_path / "b", "partialCorrelation")
        converted = bm.read_derivatives(one, regions=regions_of(), units="precision")
        stated = bm.read_derivatives(two, regions=regions_of())
        np.testing.assert_allclose(converted["y"], stated["y"])
        assert converted.attrs["measure"] == stated.attrs["measure"] == "partial correlation"

    def test_several_matrices_are_named(self, tmp_path: Path) -> None:
        folder = write_halfpipe(tmp_path / "h", "correlation", "covariance")
        with pytest.raises(DataContractError, match="differ in desc: correlation, covariance"):
            bm.read_derivatives(folder, regions=regions_of())
        chosen = bm.read_derivatives(folder, regions=regions_of(), entities={"desc": "correlation"})
        np.testing.assert_allclose(chosen["y"].values[0], true_z("sub-01"))

    def test_correlations_stated_as_covariances(self, tmp_path: Path) -> None:
        folder = write_halfpipe(tmp_path / "h", "correlation")
        with pytest.raises(DataContractError, match="states correlation, but units='covariance'"):
            bm.read_derivatives(folder, regions=regions_of(), units="covariance")

    def test_covariances_of_any_tool(self, tmp_path: Path) -> None:
        for i in ("S01", "S02", "S03"):
            np.savetxt(tmp_path / f"{i}.txt", np.cov(series_of(i, NAMES) * 30, rowvar=False))
        read = bm.read_derivatives(tmp_path, regions=regions_of(), units="covariance")
        np.testing.assert_allclose(read["y"].values[0], true_z("S01"))
        for path in tmp_path.glob("*.txt"):
            shutil.move(path, path.with_stem(f"{path.stem}_covariance"))
        with pytest.raises(DataContractError, match="holds covariances"):
            bm.read_derivatives(tmp_path, regions=regions_of())


def test_values_that_are_no_covariances() -> None:
    for matrix in ([[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]):
        with pytest.raises(ValueError, match="no covariances"):
            standardise_covariance(np.array(matrix))
    assert np.isnan(standardise_covariance(np.array([[0.0, 0.0], [0.0, 1.0]]))[0]).all()


def cat_xml(atlases: dict[str, dict[str, list[float]]], names: tuple[str, ...]) -> str:
    parts = []
    for atlas, measures in atlases.items():
        items = "".join(f"<item>{n}</item>" for n in names)
        data = "".join(
            f"<{m}>[{';'.join(map(str, v))}]</{m}>" for m, v in measures.items()
        ).replace("nan", "NaN")
        parts.append(
            f"<{atlas}><names>{items}</names><ids>[1;2;3]</ids><data>{data}</data></{atlas}>"
        )
    return f'<?xml version="1.0" encoding="utf-8"?><S>{"".join(parts)}</S>'


def write_cat(folder: Path, *atlases: str, measures: tuple[str, ...] = ("Vgm", "Vcsf")) -> Path:
    folder.mkdir(exist_ok=True)
    for k, i in enumerate(("sub-01", "sub-02", "sub-03")):
        values = {m: [1.0 + k + j, 2.5, 0.0] for j, m in enumerate(measures)}
        values = {m: [v[0], v[1] + k, 0.0] for m, v in values.items()}
        text = cat_xml(dict.fromkeys(atlases, values), ("lHip", "rHip", "Background"))
        (folder / f"catROI_{i}_T1w.xml").write_text(text)
    return folder


def test_names_of_dsi_studio_that_are_damaged():
    with pytest.raises(UnreadableFileError, match=r"not UTF-8 text \(invalid start byte at 5\)"):
        parse_names(np.frombuffer(b"left\n\xffright\n", dtype=np.uint8))


class TestCat12:
    def test_xml_of_each_subject(self, tmp_path: Path) -> None:
        folder = write_cat(tmp_path / "label", "neuromorphometrics")
        read = bm.read_derivatives(folder, kind="volume")
        assert read["subject"].values.tolist() == ["sub-01", "sub-02", "sub-03"]
        assert read["feature"].values.tolist() == ["lHip", "rHip"]
        np.testing.assert_allclose(read["y"].values, [[1, 2.5], [2, 3.5], [3, 4.5]])
        assert read.attrs["units"] == "mL"
        assert '"regions_without_data": ["Background"]' in read.attrs["provenance"]

    def test_measures_and_atlases_are_chosen(self, tmp_path: Path) -> None:
        folder = write_cat(tmp_path / "label", "neuromorphometrics", "lpba40")
        with pytest.raises(DataContractError, match=r"kind='volume'.*kind='csf_volume'"):
            bm.read_derivatives(folder)
        with pytest.raises(DataContractError, match="atlas=: neuromorphometrics, lpba40"):
            bm.read_derivatives(folder, kind="volume")
        with pytest.raises(DataContractError, match="no volume of atlas 'aal3'; found neurom"):
            bm.read_derivatives(folder, kind="volume", atlas="aal3")
        read = bm.read_derivatives(folder, kind="csf_volume", atlas="lpba40")
        np.testing.assert_allclose(read["y"].values[0], [2, 2.5])

    def test_tables_of_all_subjects(self, tmp_path: Path) -> None:
        for measure, shift in (("Vgm", 0), ("Vcsf", 10)):
            for atlas, more in (("neuromorphometrics", 0), ("Schaefer2018_100Parcels", 100)):
                text = f"names;lHip;rHip\nS01_T1;{1 + shift + more},5;2\nS02_T1;3;4\nS03_T1;5;6\n"
                path = tmp_path / f"study_catROI_{atlas}_{measure}.csv"
                path.write_text(text)
        table = table_of(("S01", "S02", "S03"))
        with pytest.raises(DataContractError, match="atlas=: Schaefer2018_100Parcels, neurom"):
            bm.read_derivatives(tmp_path, kind="volume", participants=table)
        read = bm.read_derivatives(
            tmp_path, kind="volume", participants=table, atlas="neuromorphometrics"
        )
        assert read["subject"].values.tolist() == ["S01", "S02", "S03"]
        np.testing.assert_allclose(read["y"].values[0], [1.5, 2])
        again = bm.read_derivatives(
            tmp_path / "study_catROI_neuromorphometrics_Vgm.csv", ids=r"S(\d+)"
        )
        assert again["subject"].values.tolist() == ["01", "02", "03"]

    def test_rows_that_name_folders_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "catROI_neuromorphometrics_Vgm.csv"
        path.write_text("names,lHip,rHip\nsub/01_T1w,1,2\nsub-02_T1w,3,4\nsub-03_T1w,5,6\n")
        with pytest.raises(DataContractError, match=r"names of files without folders; .*sub/01"):
            bm.read_derivatives(tmp_path)

    def test_a_table_beside_the_files_it_came_from(self, tmp_path: Path) -> None:
        folder = write_cat(tmp_path / "label", "neuromorphometrics", measures=("Vgm",))
        text = "names,lHip,rHip\nsub-01_T1w,1,2\nsub-02_T1w,3,4\nsub-03_T1w,5,6\n"
        (folder / "catROI_neuromorphometrics_Vgm.csv").write_text(text)
        read = bm.read_derivatives(folder)
        assert read.sizes["subject"] == 3
        assert "tables_not_read" in read.attrs["provenance"]

    def test_tables_of_each_subject(self, tmp_path: Path) -> None:
        for k, i in enumerate(("sub-01", "sub-02", "sub-03")):
            text = f"ROIid;ROIabbr;ROIname;Vgm\n1;lH;Left Hip;{3 + k}\n2;rH;Right Hip;{4 - k}\n"
            (tmp_path / f"catROI_neuromorphometrics_{i}.csv").write_text(text)
        read = bm.read_derivatives(tmp_path)
        assert read["feature"].values.tolist() == ["Left Hip", "Right Hip"]

    def test_surface_values_are_another_kind(self, tmp_path: Path) -> None:
        folder = write_cat(tmp_path / "label", "neuromorphometrics", measures=("Vgm",))
        for k, i in enumerate(("sub-01", "sub-02", "sub-03")):
            text = cat_xml(
                {"aparc_DK40": {"thickness": [2.5 + k, 3 - k, float("nan")]}}, ("l", "r", "u")
            )
            (folder / f"catROIs_{i}_T1w.xml").write_text(text)
        assert bm.read_derivatives(folder, kind="thickness").attrs["units"] == "mm"
        assert bm.read_derivatives(folder, kind="volume").attrs["units"] == "mL"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("<S><a><names>", "truncated"),
            ('<!DOCTYPE S [<!ENTITY x "y">]><S/>', "declares XML entities"),
            ("<S><a><names><item>x</item></names><data><Vgm>[1;2]</Vgm></data></a></S>", "1 names"),
            ("<S/>", "no atlas with names"),
        ],
    )
    def test_damaged_xml(self, tmp_path: Path, text: str, message: str) -> None:
        folder = write_cat(tmp_path / "label", "a", measures=("Vgm",))
        (folder / "catROI_sub-02_T1w.xml").write_text(text)
        with pytest.raises(DataContractError, match=f"sub-02.*{message}"):
            bm.read_derivatives(folder)

    @pytest.mark.parametrize("text", ["names;l;r\n", "names\nS01\n", "names;l\nS01;1\nS01;2\n"])
    def test_tables_without_values_or_with_repeated_ids(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "catROI_n_Vgm.csv").write_text(text)
        with pytest.raises(DataContractError, match=r"no row of a participant|repeats S01"):
            bm.read_derivatives(tmp_path)

    def test_mat_files_are_named_as_of_cat12(self, tmp_path: Path) -> None:
        savemat(tmp_path / "catROI_sub-01.mat", {"S": 1})
        with pytest.raises(DataContractError, match=r"Files of CAT12: .*reads catROI_\*\.xml"):
            bm.read_derivatives(tmp_path)


class TestRepeatedSubjects:
    """Names without ids: several files of the same subjects are not more subjects."""

    @pytest.mark.parametrize(
        ("names", "words", "pattern"),
        [
            (("r_{}", "z_{}"), "r, z", "r_*"),
            (("{}_rest_conn", "{}_task_conn"), "rest, task", "*_rest_conn"),
            (("{}-pre", "{}-post"), "post, pre", "*-post"),
        ],
    )
    def test_they_are_refused(
        self, tmp_path: Path, names: tuple[str, ...], words: str, pattern: str
    ) -> None:
        for i in ("S01", "S02", "S03"):
            for name in names:
                np.savetxt(tmp_path / f"{name.format(i)}.txt", correlations_of(i, NAMES))
        with pytest.raises(DataContractError, match=f"names differ in {words}") as caught:
            bm.read_derivatives(tmp_path, regions=regions_of())
        assert f"entities={{'name': {pattern!r}}}" in str(caught.value)
        read = bm.read_derivatives(tmp_path, regions=regions_of(), entities={"name": pattern})
        assert read.sizes["subject"] == 3

    def test_matrices_of_gretna(self, tmp_path: Path) -> None:
        for letter in "rz":
            for k in range(1, 4):
                path = tmp_path / f"GretnaSFCMatrix{letter.upper()}" / f"{letter}000{k}.txt"
                path.parent.mkdir(exist_ok=True)
                np.savetxt(path, correlations_of(f"S{k}", NAMES))
        with pytest.raises(DataContractError, match="names differ in r, z"):
            bm.read_derivatives(tmp_path, regions=regions_of())
        read = bm.read_derivatives(tmp_path / "GretnaSFCMatrixR", regions=regions_of(), ids=r"\d+")
        assert read["subject"].values.tolist() == ["0001", "0002", "0003"]

    def test_groups_in_names_are_part_of_the_id(self, tmp_path: Path) -> None:
        ids = [f"{group}_{k}" for group in ("HC", "MDD") for k in (1, 2)]
        for i in ids:
            np.savetxt(tmp_path / f"{i}.txt", correlations_of(i, NAMES))
        read = bm.read_derivatives(tmp_path, regions=regions_of())
        assert read["subject"].values.tolist() == ids


class TestIds:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for i in IDS:
            np.savetxt(tmp_path / f"matrix_{i}_v1.txt", correlations_of(i, NAMES))
        return tmp_path

    def test_a_group_is_the_id(self, folder: Path) -> None:
        table = table_of(("sub-001", "sub-002", "sub-003"))
        with pytest.raises(DataContractError, match=r"not in participants.tsv: matrix.*ids='Sub_"):
            bm.read_derivatives(folder, regions=regions_of(), participants=table)
        read = bm.read_derivatives(
            folder, regions=regions_of(), participants=table, ids=r"Sub_(\d+)"
        )
        np.testing.assert_allclose(read["y"].values[1], true_z("Sub_002"))

    def test_a_pattern_without_group_and_one_with_a_name(self, folder: Path) -> None:
        for ids in (r"Sub_\d+", r"(matrix)_(?P<id>Sub_\d+)"):
            read = bm.read_derivatives(folder, regions=regions_of(), ids=ids)
            assert read["subject"].values.tolist() == list(IDS)

    def test_two_files_of_one_id(self, folder: Path) -> None:
        for i in IDS:
            shutil.copy(folder / f"matrix_{i}_v1.txt", folder / f"matrix_{i}_v2.txt")
        with pytest.raises(DataContractError, match=r"differ in name: matrix_\*_v1, matrix_\*_v2"):
            bm.read_derivatives(folder, regions=regions_of(), ids=r"Sub_\d+")
        read = bm.read_derivatives(
            folder, regions=regions_of(), ids=r"Sub_\d+", entities={"name": "matrix_*_v2"}
        )
        assert read.sizes["subject"] == 3

    def test_files_that_do_not_match_are_named(self, folder: Path) -> None:
        np.savetxt(folder / "matrix_group.txt", correlations_of("group", NAMES))
        with pytest.warns(UserWarning, match=r"does not match 1 file.*matrix_group\.txt"):
            read = bm.read_derivatives(folder, regions=regions_of(), ids=r"Sub_\d+")
        assert read.sizes["subject"] == 3

    @pytest.mark.parametrize("what", ["", "tool"])
    def test_a_pattern_that_matches_nothing(self, tmp_path: Path, what: str) -> None:
        if what:
            write_dpabi(tmp_path, "ROICorrelation", ".mat")
        else:
            np.savetxt(tmp_path / "S1.txt", correlations_of("S1", NAMES))
        with pytest.raises(DataContractError, match="matches neither the file paths nor the id"):
            bm.read_derivatives(tmp_path, regions=regions_of(), ids=r"Person(\d+)")

    @pytest.mark.parametrize("ids", ["Sub_(", "(Sub)_(01)", ""])
    def test_patterns_that_cannot_be_used(self, folder: Path, ids: str) -> None:
        with pytest.raises(SpecError, match="ids"):
            bm.read_derivatives(folder, regions=regions_of(), ids=ids)

    def test_ids_of_a_table(self, tmp_path: Path) -> None:
        path = tmp_path / "thickness.csv"
        path.write_text("id,left,right\nMRI_001_T1,2.1,2\nMRI_002_T1,2.5,3\nMRI_003_T1,2.6,4\n")
        read = bm.read_derivatives(path, kind="thickness", ids=r"MRI_(\d+)")
        assert read["subject"].values.tolist() == ["001", "002", "003"]
        with pytest.raises(DataContractError, match="same id in several rows"):
            bm.read_derivatives(path, kind="thickness", ids=r"(MRI)_")

    def test_arrays(self, folder: Path) -> None:
        arrays = bm.read_arrays(folder, regions=regions_of(), ids=r"Sub_\d+")
        assert list(arrays.by_subject) == list(IDS)


@pytest.mark.parametrize(
    ("name", "tool", "subject"),
    [
        ("ROISignals_S1-1-0001.mat", "DPABI", "S1-1-0001"),
        ("ROICorrelation_FisherZ_01.txt", "DPABI", "01"),
        ("swmfALFFMap_A.1.nii", "DPABI", "A.1"),
        ("ROICorrelation_FisherZ.txt", "", "ROICorrelation_FisherZ"),
        ("ALFF_sub-01.nii.gz", "", "sub-01"),
        ("sub-01_stat-alff_bold.tsv", "", "sub-01"),
        ("BETA_Subject003_Condition001_Source001.nii", "", "Subject003"),
        ("FA_Session1.mat", "", "FA_Session1"),
        ("sub-01_desc-preproc_timeseries.tsv", "", "sub-01"),
        ("sub-01_feature-a_atlas-b_timeseries.tsv", "HALFpipe", "sub-01"),
        ("catROI_mwp1S01.xml", "CAT12", "mwp1S01"),
    ],
)
def test_whose_file_it_is(name: str, tool: str, subject: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parsed = parse_name(Path(name))
    assert (parsed.tool, parsed.subject_id) == (tool, subject)
