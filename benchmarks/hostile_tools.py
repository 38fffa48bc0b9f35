"""Good folders of other tools for `hostile_files.py`: at least one for every format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REGIONS = ("LH_Vis_1", "LH_Cont_Par_1", "RH_Default_PFC_1", "RH_Limbic_OFC_1")
N = len(REGIONS)
IDS = ("sub-01", "sub-02", "sub-03")
VOLUMES = 110


def series(subject: int = 0, volumes: int = VOLUMES) -> np.ndarray:
    rng = np.random.default_rng(subject)
    mixing = np.linspace(0.5, 1, N * N).reshape(N, N)
    return rng.normal(size=(volumes, N)) @ mixing + rng.normal(size=(volumes, N))


def matrix(subject: int = 0) -> np.ndarray:
    return np.corrcoef(series(subject), rowvar=False)


def fisher(subject: int = 0) -> np.ndarray:
    return np.arctanh(matrix(subject) - np.eye(N))


def counts(subject: int = 0) -> np.ndarray:
    return np.round(100 * np.abs(matrix(subject)))


def cell(names: Sequence[str]) -> np.ndarray:
    held = np.empty((1, len(names)), dtype=object)
    for i, name in enumerate(names):
        held[0, i] = np.array([name])
    return held


def text(path: Path, rows: np.ndarray, header: str = "", separator: str = "\t") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [separator.join(f"{v:.6f}" for v in row) for row in np.atleast_2d(rows)]
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")


def mat(path: Path, packed: bool = False, **arrays: Any) -> None:
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, arrays, do_compression=packed)


def each(write: Callable[[Path, str, int], object]) -> Callable[[Path], None]:
    """Write the files of every subject, and the table of regions."""

    def build(folder: Path) -> None:
        rows = [f"{n}\t{n.split('_')[1]}\t{i + 1}" for i, n in enumerate(REGIONS)]
        (folder / "regions.tsv").write_text("\n".join(["region\tnetwork\tlabel", *rows]) + "\n")
        for i, subject in enumerate(IDS):
            write(folder, subject, i)

    return build


def image(path: Path, data: np.ndarray, tr: float = 2.0) -> None:
    import nibabel as nib

    path.parent.mkdir(parents=True, exist_ok=True)
    held = nib.Nifti1Image(data, np.diag([4.0, 4, 4, 1]))
    held.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        held.header.set_zooms((4, 4, 4, tr))
    nib.save(held, path)


def label_image() -> np.ndarray:
    data = np.zeros((4, 4, 4), dtype=np.int16)
    for i in range(N):
        data[i] = i + 1
    return data


def _atlas(folder: Path) -> None:
    image(folder / "atlas_dseg.nii.gz", label_image())
    rows = "".join(f"{i + 1}\t{n}\t{n.split('_')[1]}\n" for i, n in enumerate(REGIONS))
    (folder / "atlas_dseg.tsv").write_text(f"index\tname\tnetwork\n{rows}")


def cifti(path: Path, values: np.ndarray, *, of_series: bool = False) -> None:
    import nibabel as nib
    from nibabel.cifti2.cifti2_axes import BrainModelAxis, ParcelsAxis, SeriesAxis

    models = [
        (name, BrainModelAxis.from_surface(np.arange(3) + 3 * i, 40, name="CortexLeft"))
        for i, name in enumerate(REGIONS)
    ]
    parcels = ParcelsAxis.from_brain_models(models)
    first = SeriesAxis(0, 2.0, len(values)) if of_series else parcels
    nib.save(nib.Cifti2Image(values.astype(np.float32), (first, parcels)), path)


def _bold(folder: Path, subject: str, i: int) -> None:
    labels, values = label_image(), series(i, 70)
    data = np.full((*labels.shape, 70), 100, dtype=np.float32)
    for k in range(N):
        data[labels == k + 1] += values[:, k].astype(np.float32)
    head = f"{subject}_task-rest"
    image(folder / f"{head}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz", data)
    rng = np.random.default_rng(i)
    names = [f"{m}_{a}" for m in ("trans", "rot") for a in "xyz"]
    table = pd.DataFrame(rng.normal(0, 0.1, (70, 6)), columns=names)
    for name in names:
        steps = np.r_[np.nan, np.diff(table[name])]
        table[f"{name}_derivative1"], table[f"{name}_power2"] = steps, table[name] ** 2
        table[f"{name}_derivative1_power2"] = steps**2
    table["framewise_displacement"] = np.r_[np.nan, np.full(69, 0.1)]
    table["std_dvars"] = np.r_[np.nan, np.ones(69)]
    path = folder / f"{head}_desc-confounds_timeseries.tsv"
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    path.with_suffix(".json").write_text("{}")
    (folder / f"{head}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    if not i:
        _atlas(folder)


def _maps(name: str) -> Callable[[Path, str, int], None]:
    def write(folder: Path, subject: str, i: int) -> None:
        rng = np.random.default_rng(i)
        data = rng.uniform(1, 2, (4, 4, 4)).astype(np.float32)
        image(folder / name.format(subject), data)
        if not i:
            _atlas(folder)

    return write


def _square(folder: Path, subject: str, i: int, name: str, header: str = "Node") -> None:
    path = folder / name.format(subject)
    frame = pd.DataFrame(matrix(i), index=list(REGIONS), columns=list(REGIONS))
    frame.to_csv(path, sep="\t", index_label=header)


def _wide(folder: Path, subject: str, values: np.ndarray, name: str) -> None:
    text(folder / name.format(subject), values, "\t".join(REGIONS))


def _netcc(folder: Path, subject: str, i: int) -> None:
    lines = [f"# {N}  # Number of network ROIs", "# 2  # Number of netcc matrices"]
    lines += ["# WITH_ROI_LABELS", "\t".join(REGIONS), "\t".join(map(str, range(1, N + 1)))]
    for name, values in (("CC", matrix(i)), ("FZ", fisher(i) + 4 * np.eye(N))):
        lines += [f"# {name}", *("\t".join(f"{v:.4f}" for v in row) for row in values)]
    (folder / f"{subject}_000.netcc").write_text("\n".join(lines) + "\n")


def _conn(folder: Path, subject: str, i: int) -> None:
    z = np.concatenate([np.full((N, 1), 0.1), fisher(i)], axis=1)
    z[:, 1:][np.eye(N, dtype=bool)] = np.nan
    names = {"names": cell(REGIONS).T, "names2": cell(("x", *REGIONS)).T}
    mat(folder / f"resultsROI_Subject{i + 1:03d}_Condition001.mat", Z=z, **names)


def _qsirecon(folder: Path, subject: str, i: int) -> None:
    mat(
        folder / f"{subject}_connectivity.mat",
        True,
        atlas_A_region_ids=np.arange(1, N + 1)[None],
        atlas_A_region_labels=cell(REGIONS),
        atlas_A_radius2_count_connectivity=counts(i),
    )


def _cat12(folder: Path, subject: str, i: int) -> None:
    items = "".join(f"<item>{n}</item>" for n in REGIONS)
    data = f"<Vgm>[{';'.join(f'{1 + i + k / 10:.3f}' for k in range(N))}]</Vgm>"
    inner = f"<names>{items}</names><ids>[1;2;3;4]</ids><data>{data}</data>"
    (folder / f"catROI_{subject}_T1w.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?><S><lpba40>{inner}</lpba40></S>'
    )


def _fsl_netmats(folder: Path) -> None:
    rows = np.array([fisher(i).ravel() for i in range(3)])
    text(folder / "netmats1.txt", rows, separator="  ")
    (folder / "subjectIDs.txt").write_text("\n".join(IDS) + "\n")


def _brainnet(folder: Path, subject: str, i: int) -> None:
    text(folder / f"{subject}.edge", matrix(i))
    rows = [f"{20 * k - 30} {k} {k + 1} {k // 2 + 1} 2 {n}" for k, n in enumerate(REGIONS)]
    (folder / "nodes.node").write_text("\r\n".join(rows))


def _freesurfer(folder: Path) -> None:
    for side in ("lh", "rh"):
        names = [f"{side}_{n}_thickness" for n in ("insula", "cuneus", "lingual")]
        rows = [f"{s}\t2.{i + 1}\t2.{5 - i}\t2.{i + 4}\t1500000.0" for i, s in enumerate(IDS)]
        head = "\t".join([f"{side}.aparc.thickness", *names, "eTIV"])
        (folder / f"{side}.thickness.txt").write_text("\n".join([head, *rows]) + "\n")


def _afq(folder: Path) -> None:
    rows = [
        f"{s},{tract},{node},{0.4 + i / 100 + node / 1000:.4f}"
        for i, s in enumerate(IDS)
        for tract in ("CST_L", "ARC_R")
        for node in range(20)
    ]
    (folder / "nodes.csv").write_text("\n".join(["subjectID,tractID,nodeID,fa", *rows]) + "\n")


def _tracula(folder: Path, per_tract: bool) -> None:
    for tract in ("lh.cst_AS", "rh.cst_AS"):
        if per_tract:
            rows = [f"{s}\t100\t0.{4 + i}\t0.0007" for i, s in enumerate(IDS)]
            head = f"{tract}\tCount\tFA_Avg\tMD_Avg"
            (folder / f"{tract}.tsv").write_text("\n".join([head, *rows]) + "\n")
        else:
            rows = [" ".join(f"0.{3 + i}{node}" for i in range(3)) for node in range(5)]
            path = folder / f"{tract}.avg33_mni_bbr.FA.txt"
            path.write_text("\n".join([" ".join(IDS), *rows]) + "\n")


def _plain(folder: Path) -> None:
    rows = [f"{s}\t{i}.5\t{i * i}\t0.{i}\t2.{i}5\t30" for i, s in enumerate(IDS)]
    head = "\t".join(["participant_id", *REGIONS, "age"])
    (folder / "fa.tsv").write_text("\n".join([head, *rows]) + "\n")


def _stack(folder: Path) -> None:
    each(lambda *_: None)(folder)
    stack = np.stack([matrix(i) for i in range(3)])
    np.savez_compressed(folder / "stack.npz", fc=stack, subject=np.array(IDS))


def _nbs(folder: Path) -> None:
    mat(folder / "matrices.mat", Mat=np.stack([matrix(i) for i in range(3)], axis=2))
    (folder / "nodeLabels.txt").write_text("\n".join(REGIONS))


def _reading(**request: Any) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        from bayes_mdd.features import read_derivatives
        from bayes_mdd.specs import DerivativesSpec

        paths = {"regions": "regions.tsv", "atlas": "atlas_dseg.nii.gz"}
        own: dict[str, Any] = {k: folder / v for k, v in paths.items() if (folder / v).exists()}
        own |= {"regions": None} if "atlas" in own else {}
        spec = DerivativesSpec(confounds=("motion", "scrub"), min_volumes=40)
        return read_derivatives(folder, spec=spec, **{**own, **request})

    return read


def _xcpd(folder: Path, subject: str, i: int) -> None:
    _square(folder, subject, i, "{}_task-rest_atlas-X_stat-pearsoncorrelation_relmat.tsv")
    rows = "".join(f"{name}\t0.9\n" for name in REGIONS)
    path = folder / f"{subject}_task-rest_atlas-X_stat-coverage_bold.tsv"
    path.write_text(f"Node\tcoverage\n{rows}")
    generated = [{"Name": "xcp_d", "Version": "0.10.0"}]
    description = {"Name": "XCP-D", "DatasetType": "derivative", "GeneratedBy": generated}
    (folder / "dataset_description.json").write_text(json.dumps(description))


type Tool = tuple[Callable[[Path], object], str, Callable[[Path], object]]

_XCPD = "sub-01_task-rest_atlas-X_stat-"
_BOLD = "sub-01_task-rest_"

#: By "FORMAT" or "FORMAT, FILE": how the folder is made, which file is damaged, how it is read.
TOOLS: Mapping[str, Tool] = {
    "dpabi_matrix": (
        each(lambda f, s, i: mat(f / f"ROICorrelation_{s}.mat", ROICorrelation=matrix(i))),
        *("ROICorrelation_sub-01.mat", _reading()),
    ),
    "dpabi_matrix, text": (
        each(lambda f, s, i: text(f / f"ROICorrelation_{s}.txt", matrix(i))),
        *("ROICorrelation_sub-01.txt", _reading()),
    ),
    "dpabi_series": (
        each(lambda f, s, i: mat(f / f"ROISignals_{s}.mat", ROISignals=series(i))),
        *("ROISignals_sub-01.mat", _reading()),
    ),
    "dpabi_maps": (each(_maps("mALFFMap_{}.nii")), "mALFFMap_sub-01.nii", _reading()),
    "conn": (each(_conn), "resultsROI_Subject001_Condition001.mat", _reading()),
    "halfpipe_matrix": (
        each(lambda f, s, i: text(
            f / f"{s}_task-rest_feature-c_atlas-X_desc-correlation_matrix.tsv", matrix(i))),
        *("sub-01_task-rest_feature-c_atlas-X_desc-correlation_matrix.tsv", _reading()),
    ),
    "halfpipe_series": (
        each(lambda f, s, i: text(
            f / f"{s}_task-rest_feature-c_atlas-X_timeseries.tsv", series(i))),
        *("sub-01_task-rest_feature-c_atlas-X_timeseries.tsv", _reading()),
    ),
    "cat12_roi": (each(_cat12), "catROI_sub-01_T1w.xml", _reading(regions=None)),
    "cat12_roi, table": (
        lambda f: (f / "catROI_lpba40_Vgm.csv").write_text(
            "names;lHip;rHip\n" + "".join(f"{s}_T1w;{i}.5;2.{i}\n" for i, s in enumerate(IDS))),
        *("catROI_lpba40_Vgm.csv", _reading()),
    ),
    "cat12_roi, table of a subject": (
        each(lambda f, s, i: (f / f"catROI_lpba40_{s}.csv").write_text(
            f"ROIid;ROIabbr;ROIname;Vgm\n1;lH;Left Hip;{3 + i}\n2;rH;Right Hip;{4 - i}\n")),
        *("catROI_lpba40_sub-01.csv", _reading(regions=None)),
    ),
    "xcpd_relmat": (each(_xcpd), f"{_XCPD}pearsoncorrelation_relmat.tsv", _reading()),
    "xcpd_relmat, coverage": (each(_xcpd), f"{_XCPD}coverage_bold.tsv", _reading()),
    "xcpd_relmat, description": (each(_xcpd), "dataset_description.json", _reading()),
    "xcpd_timeseries": (
        each(lambda f, s, i: _wide(f, s, series(i), "{}_task-rest_atlas-X_timeseries.tsv")),
        *("sub-01_task-rest_atlas-X_timeseries.tsv", _reading()),
    ),
    "xcpd_regional": (
        each(lambda f, s, i: _wide(f, s, abs(series(i)[:1]),
             "{}_task-rest_atlas-X_stat-alff_bold.tsv")),
        *("sub-01_task-rest_atlas-X_stat-alff_bold.tsv", _reading()),
    ),
    "cifti_pconn": (
        each(lambda f, s, i: cifti(f / f"{s}_task-rest.pconn.nii", matrix(i))),
        *("sub-01_task-rest.pconn.nii", _reading()),
    ),
    "cifti_ptseries": (
        each(lambda f, s, i: cifti(f / f"{s}_task-rest.ptseries.nii", series(i), of_series=True)),
        *("sub-01_task-rest.ptseries.nii", _reading()),
    ),
    "dsistudio_connectivity": (
        each(lambda f, s, i: mat(
            f / f"{s}.count.pass.connectivity.mat", connectivity=counts(i),
            name=np.frombuffer(("\n".join(REGIONS) + "\n").encode(), dtype=np.uint8)[None])),
        *("sub-01.count.pass.connectivity.mat", _reading(regions=None)),
    ),
    "qsirecon_connectivity": (each(_qsirecon), "sub-01_connectivity.mat", _reading()),
    "nbs": (_nbs, "matrices.mat", _reading(subjects=IDS)),
    "nbs, names": (_nbs, "nodeLabels.txt", _reading(subjects=IDS)),
    "cpac_correlations": (
        each(lambda f, s, i: _square(
            f, s, i, "{}_atlas-A_desc-PearsonNilearn_correlations.tsv", header="")),
        *("sub-01_atlas-A_desc-PearsonNilearn_correlations.tsv", _reading()),
    ),
    "netcc": (each(_netcc), "sub-01_000.netcc", _reading()),
    "series_1d": (
        each(lambda f, s, i: text(
            f / f"{s}_rois_aal.1D", series(i), "\t".join(f"#{k + 1}" for k in range(N)))),
        *("sub-01_rois_aal.1D", _reading()),
    ),
    "fsl_netmats": (_fsl_netmats, "netmats1.txt", _reading(units="fisher_z")),
    "fsl_netmats, ids": (_fsl_netmats, "subjectIDs.txt", _reading(units="fisher_z")),
    "fsl_dual_regression": (
        each(lambda f, s, i: text(
            f / f"dr_stage1_subject{i:05d}.txt", series(i), separator="  ")),
        *("dr_stage1_subject00000.txt", _reading(subjects=IDS, regions=None)),
    ),
    "fsl_probtrackx": (
        each(lambda f, s, i: text(f / s / "fdt_network_matrix", counts(i), separator="  ")),
        *("sub-01/fdt_network_matrix", _reading()),
    ),
    "brainnet": (each(_brainnet), "sub-01.edge", _reading(regions=None)),
    "brainnet, nodes": (each(_brainnet), "nodes.node", _reading(regions=None)),
    "square_text": (
        each(lambda f, s, i: text(f / f"{s}_connectome.csv", counts(i), separator=",")),
        *("sub-01_connectome.csv", _reading()),
    ),
    "named_square_text": (
        each(lambda f, s, i: pd.DataFrame(
            matrix(i), index=list(REGIONS), columns=list(REGIONS)).to_csv(f / f"{s}_conn.csv")),
        *("sub-01_conn.csv", _reading()),
    ),
    "freesurfer_table": (_freesurfer, "lh.thickness.txt", _reading()),
    "afq_profiles": (_afq, "nodes.csv", _reading()),
    "tracula_profiles": (
        lambda f: _tracula(f, False), "lh.cst_AS.avg33_mni_bbr.FA.txt", _reading()),
    "tracula_table": (
        lambda f: _tracula(f, True), "lh.cst_AS.tsv", _reading(kind="fa", weighting="FA_Avg")),
    "table": (_plain, "fa.tsv", _reading(kind="fa")),
    "fmriprep_bold": (
        each(_bold), f"{_BOLD}space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz", _reading()),
    "fmriprep_bold, confounds": (
        each(_bold), f"{_BOLD}desc-confounds_timeseries.tsv", _reading()),
    "fmriprep_bold, sidecar": (each(_bold), f"{_BOLD}bold.json", _reading()),
    "fmriprep_bold, atlas": (each(_bold), "atlas_dseg.nii.gz", _reading()),
    "maps": (each(_maps("{}_FA.nii.gz")), "sub-01_FA.nii.gz", _reading()),
    "arrays": (_stack, "stack.npz", _reading()),
    "arrays, .npy": (
        each(lambda f, s, i: np.save(f / f"{s}_conn.npy", matrix(i))),
        *("sub-01_conn.npy", _reading()),
    ),
}  # fmt: skip
