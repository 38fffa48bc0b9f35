"""Run folders, exports, new cohorts of `project` and `recommend`."""

# Parts of messages are not broken into lines.
# ruff: noqa: E501

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr
from badinput.case import Case
from badinput.changes import (
    cell,
    cells,
    folder,
    gone,
    keys,
    moved,
    nothing,
    raw,
    renamed,
    several,
    shortened,
    text,
    without_column,
)

from bayes_mdd.files.netcdf import write_netcdf

NC = "run/posterior.nc"


def result(edit):
    """Rewrite the posterior of the run, changed."""

    def change(root: Path) -> None:
        with xr.open_datatree(root / NC, engine="h5netcdf") as stored:
            tree = stored.load()
        groups = {g: node.to_dataset() for g, node in tree.children.items()}
        attrs = dict(tree.attrs)
        edit(groups, attrs)
        made = xr.DataTree.from_dict(groups)
        made.attrs = attrs
        write_netcdf(made, root / NC)

    return change


def without_group(name):
    return result(lambda groups, attrs: groups.pop(name))


def variable(name, f):
    def edit(groups, attrs):
        groups["posterior"] = groups["posterior"].assign({name: f(groups["posterior"][name])})

    return result(edit)


def attribute(name, value):
    def edit(groups, attrs):
        if value is None:
            del attrs[name]
        else:
            attrs[name] = value

    return result(edit)


RUNS = (
    Case(
        "does not exist",
        nothing,
        "report nowhere",
        "",
        "",
        "nowhere does not exist",
        "pass the run folder that `bayes-mdd fit` wrote.",
    ),
    Case(
        "is a file",
        nothing,
        "report spec.yaml",
        "spec.yaml",
        "",
        "is a file",
        "pass the run folder that `bayes-mdd fit` wrote, not a file in it.",
    ),
    Case(
        "is a cohort",
        nothing,
        "report cohort",
        "posterior.nc",
        "",
        "cohort contains no finished run (posterior.nc is missing): it is a cohort",
        "fit it first, and pass the run folder.",
    ),
    Case(
        "holds runs",
        moved(NC, "all/first/posterior.nc"),
        "report all",
        "posterior.nc",
        "",
        "all contains no finished run (posterior.nc is missing): it holds the runs first",
        "pass one of them.",
        needs="run",
    ),
    Case(
        "has no posterior",
        gone(NC),
        "report run",
        "posterior.nc",
        "",
        "run contains no finished run (posterior.nc is missing)",
        "pass the folder that `bayes-mdd fit` wrote, or fit again.",
    ),
    Case(
        "the posterior is a folder",
        several(gone(NC), folder(NC)),
        "report run",
        "posterior.nc",
        "",
        "run contains no finished run (posterior.nc is missing)",
        "pass the folder that `bayes-mdd fit` wrote, or fit again.",
    ),
    Case(
        "the posterior is empty",
        raw(NC, b""),
        "report run",
        "run/posterior.nc",
        "",
        "cannot be read: posterior.nc is empty",
        "copy or create it again. Fit again.",
    ),
    Case(
        "the posterior is truncated",
        shortened(NC, 0.6),
        "report run",
        "run/posterior.nc",
        "",
        "cannot be read: posterior.nc cannot be read as a run (it may be truncated)",
        "Copy it again, or create it again. Fit again.",
    ),
    Case(
        "the posterior is text",
        text(NC, "copied by hand\n" * 50),
        "check run",
        "run/posterior.nc",
        "",
        "cannot be read: posterior.nc cannot be read as a run (it may be truncated)",
        "Copy it again, or create it again. Fit again.",
    ),
    Case(
        "the posterior has a bit that changed",
        lambda r: flip(r / NC),
        "signatures run",
        "run/posterior.nc",
        "",
        "cannot be read: posterior.nc has changed since it was written (its checksum differs): the disk",
        "Copy it again. Fit again.",
    ),
    Case(
        "the posterior is of another program",
        lambda r: xr.Dataset({"x": ("t", np.arange(3.0))}).to_netcdf(r / NC, engine="h5netcdf"),
        "export run -f tables",
        "run/posterior.nc",
        "'posterior'",
        "is not the result of a fit, or damaged: it has no group 'posterior' and no attribute 'spec'",
        "Pass the run folder that `bayes-mdd fit` wrote, or fit again.",
    ),
    Case(
        "draws are missing",
        without_group("posterior"),
        "export run -f tables",
        "run/posterior.nc",
        "'posterior'",
        "is not the result of a fit, or damaged: it has no group 'posterior' that can be read.",
        "Pass the run folder that `bayes-mdd fit` wrote, or fit again.",
    ),
    Case(
        "loadings are missing",
        without_group("loadings"),
        "export run -f tables",
        "fitted result",
        "'loadings'",
        "group 'loadings' is missing (found posterior, factors, constant_data, sample_stats)",
        "pass what bayes_mdd.fit returned.",
    ),
    Case(
        "no spec",
        attribute("spec", None),
        "export run -f tables",
        "run/posterior.nc",
        "'spec'",
        "is not the result of a fit, or damaged: it has no attribute 'spec' that can be read.",
        "Pass the run folder that `bayes-mdd fit` wrote, or fit again.",
    ),
    Case(
        "the spec is damaged",
        attribute("spec", "{n_factors: "),
        "export run -f tables",
        "run/posterior.nc",
        "'spec'",
        "is not the result of a fit, or damaged: it has no attribute 'spec' that can be read.",
        "Pass the run folder that `bayes-mdd fit` wrote, or fit again.",
    ),
    Case(
        "a spec of a later version",
        attribute("spec", json.dumps({"n_factors": 3, "warp": True})),
        "export run -f tables",
        "fitted result",
        "'warp'",
        "its spec cannot be read by this version",
        "Unknown key 'warp' in SharedSpecificSpec.",
    ),
    Case(
        "a model of a later version",
        attribute("model", "shared_specific_3"),
        "export run -f tables",
        "fitted result",
        "'shared_specific_3'",
        "its model is 'shared_specific_3'; this version has shared_specific, polar_lda.",
        "Read it with the version that wrote it, or fit again.",
    ),
    Case(
        "the file of provenance is truncated",
        shortened("run/provenance.json"),
        "fit spec.yaml cohort -o run --fast",
        "posterior.nc",
        "",
        "run is not empty and holds no run (posterior.nc, provenance.json, spec.yaml). Only a run that",
        "choose another folder.",
    ),
    Case(
        "another run is there",
        nothing,
        "fit spec.yaml cohort -o run --fast",
        "posterior.nc",
        "",
        "run is not empty and holds no run (posterior.nc, provenance.json, spec.yaml). Only a run that",
        "choose another folder.",
    ),
    Case(
        "the report would replace a file",
        text("mine.html", "mine"),
        "report run -o mine.html",
        "mine.html",
        "",
        "exists",
        "pass overwrite=True (--force) to replace it.",
    ),
    Case(
        "the report is no page",
        nothing,
        "report run -o report.pdf",
        "",
        "",
        "The report is an HTML page: its name must end in .html, got report.pdf.",
        "",
    ),
    Case(
        "the folder of the report does not exist",
        nothing,
        "report run -o pages/report.html",
        "pages/report.html",
        "",
        "Cannot write pages/report.html: the folder pages does not exist",
        "create it.",
    ),
    Case(
        "--privacy with another check",
        nothing,
        "check run --privacy --predictive",
        "--privacy",
        "",
        "is a check of its own",
        "omit the other analyses.",
    ),
    Case(
        "negative controls without outcomes",
        nothing,
        "check run --response",
        "response/posterior.nc",
        "",
        "run contains no analysis of treatment response (response/posterior.nc is missing)",
        "pass the folder that `bayes-mdd response` wrote.",
    ),
)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


EXPORTS = (
    Case(
        "an unknown format",
        nothing,
        "export run -f nifty",
        "",
        "'nifty'",
        "formats must be a list of names from nifti, bids, brainnet, graphml, cifti, gifti, tables,",
        "",
    ),
    Case(
        "no format",
        nothing,
        "export run",
        "--format",
        "",
        "Missing option",
        "Try 'bayes-mdd export -h'",
    ),
    Case(
        "an atlas that is absent",
        nothing,
        "export run -f nifti --atlas none.nii.gz",
        "--atlas",
        "",
        "There is no file or folder of this name: --atlas none.nii.gz.",
        "Correct the name.",
    ),
    Case(
        "an atlas that is no image",
        text("a.nii.gz", "x"),
        "export run -f nifti --atlas a.nii.gz",
        "a.nii.gz",
        "'x'",
        "is truncated or not a gzip file (Not a gzipped file (b'x'))",
        "copy it again.",
    ),
    Case(
        "an atlas of other regions",
        nothing,
        "export run -f nifti --atlas atlas.nii.gz",
        "atlas.nii.gz",
        "",
        "has no voxel for 8 of 10 regions: DMN_1 (label 31), DMN_2 (label 12), DMN_3 (label 7), CCN_1",
        "give the atlas with which the features were computed.",
    ),
    Case(
        "a surface atlas that is a volume",
        nothing,
        "export run -f cifti --surface-atlas atlas.nii.gz",
        "atlas.nii.gz",
        "",
        "is no CIFTI label file",
        "expected an atlas as .dlabel.nii.",
    ),
    Case(
        "surfaces without an atlas",
        nothing,
        "export run -f cifti",
        "--surface-atlas",
        "'cifti'",
        "format 'cifti': there is no surface atlas",
        "give that of the regions with surface_atlas=FILE (--surface-atlas FILE.dlabel.nii).",
    ),
    Case(
        "a view that the run lacks",
        nothing,
        "export run -f tables --view fc",
        "views",
        "'fc'",
        "there is no view 'fc'; found none.",
        "Correct the name.",
    ),
    Case(
        "participants in a format that has none",
        nothing,
        "export run -f nifti --with-participants",
        "--with-participants",
        "",
        "concerns tables, figures and AnnData",
        "add --format tables, figures or anndata.",
    ),
    Case(
        "the output is a file",
        text("out", "mine"),
        "export run -f tables -o out",
        "",
        "",
        "Cannot write out/tables: a part of the path is a file.",
        "Free space, or choose a folder that can be written, and repeat the command.",
    ),
    Case(
        "the output holds other files",
        text("out/tables/mine.txt", "mine"),
        "export run -f tables -o out --force",
        "mine.txt",
        "",
        "out/tables is not empty and holds no set of exported files (mine.txt). Only a set of exported",
        "choose another folder.",
    ),
    Case(
        "signatures: the output is a file",
        text("out", "mine"),
        "signatures run -o out",
        "",
        "",
        "out is a file",
        "choose a folder for the maps.",
    ),
    Case(
        "signatures: maps are there",
        text("out/signatures.tsv", "mine"),
        "signatures run -o out",
        "signatures.tsv",
        "",
        "out already holds signatures.tsv",
        "choose another folder, or replace these files with --force.",
    ),
    Case(
        "signatures: an atlas that is absent",
        nothing,
        "signatures run --atlas none.nii.gz",
        "--atlas",
        "",
        "There is no file or folder of this name: --atlas none.nii.gz.",
        "Correct the name.",
    ),
    Case(
        "signatures: an atlas of other regions",
        nothing,
        "signatures run --atlas atlas.nii.gz",
        "atlas.nii.gz",
        "",
        "has no voxel for 8 of 10 regions: DMN_1 (label 31), DMN_2 (label 12), DMN_3 (label 7), CCN_1",
        "give the atlas with which the features were computed.",
    ),
)

P = "project made newcomers -o p.tsv --other-reference"
N, F, S = (
    "newcomers/participants.tsv",
    "newcomers/features/features.tsv",
    "newcomers/features/features.json",
)

NEW = (
    Case(
        "the run does not exist",
        nothing,
        P.replace("made", "nowhere"),
        "",
        "",
        "nowhere does not exist",
        "pass the run folder that `bayes-mdd fit` wrote.",
    ),
    Case(
        "the cohort does not exist",
        nothing,
        P.replace("newcomers", "nowhere"),
        "participants.tsv",
        "",
        "the folder does not exist",
        "expected a cohort with participants.tsv.",
    ),
    Case(
        "the cohort is the run",
        nothing,
        P.replace("newcomers", "made"),
        "participants.tsv",
        "",
        "is a run folder",
        "expected a cohort, a folder with participants.tsv.",
    ),
    Case(
        "the table is no .tsv",
        nothing,
        P.replace("p.tsv", "p.csv"),
        "p.csv",
        "",
        "a projection is written as a table",
        "expected a name that ends in .tsv, got p.csv.",
    ),
    Case(
        "the table exists",
        text("p.tsv", "mine"),
        P,
        "p.tsv",
        "",
        ". holds p.tsv, which is no projection of bayes-mdd and is not replaced",
        "choose another name.",
    ),
    Case(
        "features are missing",
        without_column(F, "e4"),
        P,
        "new features",
        "",
        "1 feature(s) of the fit are missing: e4.",
        "All are needed.",
    ),
    Case(
        "features are others",
        several(
            renamed(F, "e4", "e40"), cell("newcomers/features/regions.tsv", "e4", "region", "e40")
        ),
        P,
        "new features",
        "",
        "1 feature(s) of the fit are missing: e4.",
        "All are needed.",
        ("1 feature(s) were not in the fit: e40. Select those of the",),
    ),
    Case(
        "features of another kind",
        nothing,
        P.replace("newcomers", "cohort"),
        "new features",
        "",
        "12 feature(s) of the fit are missing",
        "All are needed.",
        (
            "15 feature(s) were not in the fit",
            "units are 'fisher_z', those of the fit are 'z'",
        ),
    ),
    Case(
        "cells are missing",
        cells(F, {"sub-018": "n/a"}, "e4"),
        P,
        "features",
        "sub-018",
        "y has 1 missing or infinite value(s): subjects sub-018; features e4.",
        "Exclude these subjects or these features.",
    ),
    Case(
        "other units",
        keys(S, units="mm2"),
        P.replace(" --other-reference", ""),
        "features.json",
        "'mm2'",
        "units are 'mm2', those of the fit are 'z'",
        "measure both in the same way, or correct features.json",
        ("reference is 'none (as read)', that of the fit is 'z",),
    ),
    Case(
        "an unknown arm",
        cells(N, {"sub-018": "MAOI"}, "arm"),
        P,
        "new features",
        "sub-018",
        "arm MAOI of sub-018 was not in the fit (known: SNRI, SSRI)",
        "write n/a to project these participants under each known arm.",
    ),
    Case(
        "--arm names no arm of the fit",
        nothing,
        P + " --arm MAOI",
        "",
        "",
        "arms must be some of SNRI, SSRI, got MAOI.",
        "",
    ),
    Case(
        "an unknown site",
        cells(N, {"sub-018": "z", "sub-020": "z"}, "site"),
        P,
        "--new-levels",
        "sub-018, sub-020",
        "site z of sub-018, sub-020 was not in the fit (known: a, b), so its effect is not known.",
        "Fit again with participants of this site, or set new_levels to 'average' (--new-levels",
    ),
    Case(
        "a covariate of the fit is no column",
        without_column(N, "age"),
        P,
        "participants.tsv",
        "column 'age'",
        "has no column 'age' (coordinate of the subjects), which is a covariate of the fit",
        "Add it.",
    ),
    Case(
        "a covariate is missing",
        cells(N, {"sub-018": "n/a"}, "age"),
        P,
        "new features",
        "sub-018",
        "covariate 'age' is missing for sub-018",
        "fill it in, or leave out these participants.",
    ),
    Case(
        "a session that is not there",
        nothing,
        P + " --session ses-2",
        "features.json",
        "'2'",
        "there is no file of session '2'",
        "Correct the session, or state it there.",
    ),
    Case(
        "another reference",
        nothing,
        P.replace(" --other-reference", ""),
        "--training",
        "'none (as read)'",
        "reference is 'none (as read)', that of the fit is 'z against 9 controls'",
        "standardise the new participants relative to the reference participants of the fit (on the",
    ),
    Case(
        "a probability of intervals above 1",
        nothing,
        P + " --ci-prob 90",
        "",
        "",
        "ci_prob must lie between 0 and 1, got 90.0.",
        "",
    ),
    Case(
        "the cohort of the fit does not exist",
        nothing,
        P + " --training nowhere",
        "participants.tsv",
        "",
        "the folder does not exist",
        "expected a cohort with participants.tsv.",
    ),
    Case(
        "the cohort of the fit is another",
        nothing,
        P + " --training cohort",
        "features of the fit",
        "sub-000, sub-001, sub-002, sub-003, sub-004",
        "subjects of the fit are missing in training",
        "Give the cohort of the fit.",
        ("features of the fit are missing in training: e0, e1, e10,",),
    ),
    Case(
        "recommend: no outcomes in the run",
        nothing,
        "recommend run newcomers",
        "response/posterior.nc",
        "",
        "run contains no analysis of treatment response (response/posterior.nc is missing)",
        "pass the folder that `bayes-mdd response` wrote.",
    ),
    Case(
        "recommend: no run",
        nothing,
        "recommend nowhere newcomers",
        "",
        "",
        "nowhere does not exist",
        "pass the run folder that `bayes-mdd fit` wrote.",
    ),
    Case(
        "recommend: no cohort",
        nothing,
        "recommend treated nowhere",
        "participants.tsv",
        "",
        "the folder does not exist",
        "expected a cohort with participants.tsv.",
    ),
    Case(
        "recommend: the table is no .tsv",
        nothing,
        "recommend treated newcomers -o mine.csv",
        "mine.csv",
        "",
        "recommendations are a table",
        "expected a name in .tsv, got mine.csv.",
    ),
    Case(
        "recommend: the table exists",
        text("mine.tsv", "mine"),
        "recommend treated newcomers -o mine.tsv",
        "mine.tsv",
        "",
        ". already holds mine.tsv",
        "choose another name, or replace these files with --force.",
    ),
    Case(
        "recommend: outcomes are damaged",
        raw("treated/response/posterior.nc", b"x" * 500),
        "recommend treated newcomers",
        "treated/response/posterior.nc",
        "",
        "cannot be read: posterior.nc cannot be read as a result (it may be truncated)",
        "Copy it again, or create it again. Run `bayes-mdd response` again.",
    ),
    Case(
        "evidence: a region list of a run without regions",
        nothing,
        "evidence run --region hippocampu",
        "",
        "'hippocampu'",
        "region 'hippocampu' is not in the findings.",
        "Did you mean 'hippocampus'?",
    ),
)
