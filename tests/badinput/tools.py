"""Outputs of other tools and arrays."""

# Parts of messages are not broken into lines.
# ruff: noqa: E501

from __future__ import annotations

import numpy as np
import scipy.io
from badinput import valid
from badinput.case import Case
from badinput.changes import raw, several, shortened, text

STACK = np.stack([valid.correlations(p) for p in valid.PEOPLE])


def stack(name: str, values: np.ndarray):
    def change(root):
        (root / "stack").mkdir(exist_ok=True)
        valid.write_regions(root / "regions.tsv")
        valid.write_people(root)
        np.save(root / "stack" / name, values, allow_pickle=True)

    return change


def mat(name: str, **values):
    def change(root):
        (root / "stack").mkdir(exist_ok=True)
        valid.write_regions(root / "regions.tsv")
        valid.write_people(root)
        scipy.io.savemat(root / "stack" / name, values)

    return change


def xcpd(rows):
    """Matrices of XCP-D of three participants; `rows` changes the lines of the second."""

    def change(root):
        valid.write_regions(root / "regions.tsv")
        valid.few_people(root / "participants.tsv")
        for p in valid.IMAGED:
            lines = [
                ["Node", *valid.NAMES],
                *(
                    [n, *(f"{v:.4f}" for v in r)]
                    for n, r in zip(valid.NAMES, valid.correlations(p), strict=True)
                ),
            ]
            if p == "sub-07":
                lines = rows(lines)
            path = (
                root
                / "stack"
                / p
                / "func"
                / f"{p}_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join("\t".join(r) for r in lines) + "\n")

    return change


A = "features stack --kind functional_connectivity --regions regions.tsv --participants participants.tsv -o out"
IDS = " --subjects participants"

ARRAYS = (
    Case(
        "a stack without ids",
        stack("fc.npy", STACK),
        A,
        "fc.npy",
        "'participants'",
        "holds 22 participants without ids",
        "give their ids, in the order of the data (given: none), with subjects=[...] (--subjects FILE,",
    ),
    Case(
        "a stack of another number of participants",
        stack("fc.npy", STACK[:20]),
        A + IDS,
        "fc.npy",
        "'participants'",
        "holds 20 participants without ids, but 22 ids are given",
        "give the id of each, in its order (subjects=[...] (--subjects FILE, one id per line), a file",
    ),
    Case(
        "a stack of another number of regions",
        stack("fc.npy", STACK[:, :5, :5]),
        A + IDS,
        "fc.npy",
        "",
        "is 5 x 5, but the largest label of the region table is 6 (not in the matrix: THR_R).",
        "Recompute the matrix with all labels.",
    ),
    Case(
        "an axis is not square",
        stack("fc.npy", STACK[:, :5]),
        A + IDS,
        "--set",
        "sub-01, sub-02, sub-03, sub-04, sub-05",
        "and 17 more: 5 volumes (after censoring), at least 100 required",
        "exclude the participant, or lower min_volumes, e.g. min_volumes=5 (DerivativesSpec; --set",
    ),
    Case(
        "missing values",
        stack("fc.npy", np.where(np.arange(22)[:, None, None] == 8, np.nan, STACK)),
        A + IDS,
        "functional_connectivity",
        "sub-09",
        "all values off the diagonal are 0 or n/a: this is not a connectivity matrix.",
        "Compute it again or exclude the participant.",
        ("sub-09: cannot determine whether the values are r or Fisher",),
    ),
    Case(
        "objects",
        stack("fc.npy", np.array([{}, {}], dtype=object)),
        A + IDS,
        "fc.npy",
        "",
        "cannot be read as a .npy array (truncated, or contains objects): the array contains objects",
        "store numbers or text only. Copy it again, or create it again.",
    ),
    Case(
        "a list of ids that is absent",
        stack("fc.npy", STACK),
        A + " --subjects ids.txt",
        "--subjects",
        "",
        "There is no file or folder of this name",
        "Correct the name.",
    ),
    Case(
        "a list of ids that is too short",
        several(stack("fc.npy", STACK), text("ids.txt", "\n".join(valid.PEOPLE[:20]) + "\n")),
        A + " --subjects ids.txt",
        "fc.npy",
        "'participants'",
        "holds 22 participants without ids, but 20 ids are given",
        "give the id of each, in its order (subjects=[...] (--subjects FILE, one id per line), a file",
    ),
    Case(
        "a list of ids with one twice",
        several(
            stack("fc.npy", STACK),
            text("ids.txt", "\n".join([*valid.PEOPLE[:21], "sub-01"]) + "\n"),
        ),
        A + " --subjects ids.txt",
        "ids.txt",
        "sub-01",
        "repeats sub-01",
        "expected one id per line. Expected one id per line.",
    ),
    Case(
        "ids that are no participants",
        several(
            stack("fc.npy", STACK), text("ids.txt", "\n".join(f"p{i}" for i in range(22)) + "\n")
        ),
        A + " --subjects ids.txt",
        "participants.tsv",
        "'Sub_(\\d+)'",
        "22 id(s) are not in participants.tsv: p0, p1, p2, p3, p4 and 17 more.",
        "Add these participants, remove their data, or give the pattern of the id in the file names",
        ("22 participant(s) with an arm, or controls, have no feature",),
    ),
    Case(
        "unknown units",
        stack("fc.npy", STACK),
        A + IDS + " --units rho",
        "",
        "'rho'",
        "units of functional connectivity must be r, fisher_z, z (z-statistics), covariance or",
        "",
    ),
    Case(
        "Fisher z stated as r",
        stack("fc.npy", np.arctanh(STACK * (1 - np.eye(6))) + 7 * np.eye(6)),
        A + IDS + " --units r",
        "functional_connectivity",
        "sub-01, sub-02, sub-03, sub-04, sub-05",
        "and 17 more: diagonal and range are those of Fisher z, expected correlations (r) (the diagonal",
        "correct units or recompute the matrix.",
    ),
    Case(
        "covariances",
        stack(
            "fc.npy",
            STACK * np.array([1, 2, 3, 4, 5, 6.0])[:, None] * np.array([1, 2, 3, 4, 5, 6.0]) * 100,
        ),
        A + IDS,
        "--units",
        "sub-01, sub-02, sub-03, sub-04, sub-05",
        "and 17 more: these are covariances, not correlations: the diagonal holds variances (100 to",
        "Convert them with units='covariance' (--units covariance; 'precision' for inverse",
    ),
    Case(
        "asymmetric matrices",
        stack("fc.npy", STACK + np.triu(STACK, 1) / 2),
        A + IDS,
        "--symmetrise",
        "sub-01",
        "the matrix is not symmetric: M[a, b] and M[b, a] differ by up to 0.231 (at DMN_R--THR_L).",
        "recompute it.",
        (
            "sub-02: the matrix is not symmetric: M[a, b] and M[b, a]",
            "sub-03: the matrix is not symmetric: M[a, b] and M[b, a]",
            "sub-04: the matrix is not symmetric: M[a, b] and M[b, a]",
        ),
    ),
    Case(
        "an unknown way to make them symmetric",
        stack("fc.npy", STACK),
        A + IDS + " --symmetrise average",
        "",
        "'average'",
        "symmetrise must be one of mean, max, min, sum, upper, lower; got 'average'.",
        "",
    ),
    Case(
        "an unknown format",
        stack("fc.npy", STACK),
        A + IDS + " --format numpy",
        "",
        "'numpy'",
        "format must be one of dpabi_matrix, dpabi_series, dpabi_maps, conn, halfpipe_matrix,",
        "",
    ),
    Case(
        "halves of matrices",
        stack("fc.npy", STACK),
        A + IDS + " --halves",
        "stack",
        "",
        "halves and pieces need time series, but the files of arrays hold values that are already",
        "omit halves and pieces, or give the folder with the series.",
    ),
    Case(
        "a .mat file without a matrix",
        mat("fc.mat", note="nothing here"),
        A + IDS,
        "fc.mat",
        "",
        "has no array of numbers with two or three dimensions; found note (1,).",
        "Store the matrix in it, or remove the file.",
    ),
    Case(
        "a .mat file that is truncated",
        several(mat("fc.mat", Z=STACK.transpose(1, 2, 0)), shortened("stack/fc.mat", 0.5)),
        A + IDS,
        "fc.mat",
        "",
        "cannot be read as a MATLAB file (truncated?): element at byte 128 is not complete.",
        "Copy it again, or create it again.",
    ),
    Case(
        "a .mat file of version 7.3",
        several(
            stack("x.npy", STACK),
            lambda r: (r / "stack/x.npy").unlink(),
            raw(
                "stack/fc.mat",
                b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116)
                + b"\0" * 8
                + b"\x00\x02IM"
                + b"\x89HDF\r\n\x1a\n"
                + b"\0" * 400,
            ),
        ),
        A + IDS,
        "fc.mat",
        "'-v7'",
        "is a MATLAB 7.3 file",
        "save it with '-v7'.",
    ),
    Case(
        "a .mat file with two matrices",
        mat("fc.mat", A=STACK.transpose(1, 2, 0), B=STACK.transpose(1, 2, 0)),
        A + IDS,
        "fc.mat",
        "",
        "has 2 arrays of numbers with two or three dimensions: A (6 x 6 x 22), B (6 x 6 x 22).",
        "Choose one with weighting=... (--weighting).",
    ),
    Case(
        "a .mat file that is text",
        several(mat("fc.mat", a=1), text("stack/fc.mat", "0.1 0.2\n0.2 0.1\n" * 20)),
        A + IDS,
        "fc.mat",
        "",
        "cannot be read as a MATLAB file (truncated?): it has no MATLAB header.",
        "Copy it again, or create it again.",
    ),
    Case(
        "XCP-D: a parcel without data",
        xcpd(
            lambda c: [
                c[0],
                *[
                    [r[0], *["n/a"] * 6]
                    if r[0] == "CCN_L"
                    else [("n/a" if i == 3 else x) for i, x in enumerate(r)]
                    for r in c[1:]
                ],
            ]
        ),
        A,
        "regions.tsv",
        "sub-07",
        "1 region(s) have no data (only n/a or 0, or no variation): 'CCN_L' in 1 (sub-07).",
        "Remove these regions from regions.tsv and from all files, or remove these participants from",
        ("regions with coverage below min_coverage count as missing.",),
    ),
    Case(
        "XCP-D: other parcels than the region table",
        xcpd(lambda c: [[x.replace("THR", "XYZ") for x in r] for r in c]),
        A,
        "regions.tsv",
        "sub-07",
        "2 region(s) have no data (only n/a or 0, or no variation): 'THR_L' in 1 (sub-07), likewise",
        "Remove these regions from regions.tsv and from all files, or remove these participants from",
        ("regions with coverage below min_coverage count as missing.",),
    ),
    Case(
        "XCP-D: text in a cell",
        xcpd(lambda c: [*c[:3], [c[3][0], "bad", *c[3][2:]], *c[4:]]),
        A,
        "sub-07_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv",
        "'bad'",
        "sub-07: sub-07_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv",
        "Correct these cells, or write n/a where the value is missing.",
    ),
    Case(
        "XCP-D: a truncated matrix",
        xcpd(lambda c: c[:4]),
        A,
        "sub-07_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv",
        "",
        "sub-07: sub-07_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv:",
        "expected a square matrix with names in the first row and column.",
    ),
    Case(
        "XCP-D: an empty file",
        xcpd(lambda c: [[""]]),
        A,
        "sub-07_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv",
        "",
        "sub-07: sub-07_task-rest_space-MNI152NLin6Asym_atlas-demo_stat-pearsoncorrelation_relmat.tsv",
        "copy or create it again.",
    ),
    Case(
        "CIFTI: no CIFTI file",
        several(xcpd(lambda c: c), text("stack/sub-07_x.pconn.nii", "x" * 600)),
        A + " --format cifti_pconn",
        "sub-07_x.pconn.nii",
        "",
        "cannot be read as CIFTI",
        "copy it again",
    ),
    Case(
        "a region table that is absent",
        stack("fc.npy", STACK),
        A.replace("--regions regions.tsv", "--regions region.tsv") + IDS,
        "region.tsv",
        "",
        "cannot be read",
        "check its name and permissions",
    ),
    Case(
        "columns of a table that are ambiguous",
        lambda root: (
            stack("fc.npy", STACK)(root),
            (root / "stack/fc.npy").unlink(),
            (root / "stack/alff.csv").write_text(
                "subject,session,DMN_L,DMN_R\nsub-01,1,0.1,0.2\nsub-01,2,0.1,0.2\n"
            ),
        ),
        A.replace("functional_connectivity", "alff"),
        "alff.csv",
        "sub-01",
        "alff: alff.csv has 'sub-01' where a number was expected.",
        "Correct these cells, or write n/a where the value is missing.",
    ),
)
