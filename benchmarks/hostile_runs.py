"""Good run folders and stores for `hostile_files.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from hostile_cohorts import EDGES
from hostile_tools import REGIONS, Tool, image, label_image

LEAD = ("chain", "draw")
FACTORS = ("F1", "F2")


def fitted() -> xr.DataTree:
    """A result with draws of two factors, as `fit` returns it."""
    import bayes_mdd as bm

    rng = np.random.default_rng(7)
    subjects = [f"sub-{i:02d}" for i in range(6)]
    arms = ["snri", "ssri"]
    coords = {"chain": [0, 1], "draw": np.arange(4), "factor": list(FACTORS)}
    posterior = xr.Dataset(
        {
            "scores": ((*LEAD, "subject", "factor"), rng.normal(size=(2, 4, 6, 2))),
            "sharing": ((*LEAD, "arm", "factor"), rng.dirichlet([1, 1], (2, 4, 2))),
            "noise": ((*LEAD, "block"), rng.uniform(0.5, 1, (2, 4, 2))),
        },
        coords={**coords, "subject": subjects, "arm": arms, "block": ["A-A", "A-B"]},
    )
    loadings = xr.Dataset(
        {"mean": (("factor", "feature"), rng.normal(size=(2, 6)))},
        coords={"factor": list(FACTORS), "feature": EDGES},
    )
    spec = bm.SharedSpecificSpec(n_factors=2)
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "loadings": loadings,
            "constant_data": xr.Dataset({"arm": ("subject", np.array(arms)[[0, 1] * 3])}),
        }
    )
    provenance = {"fingerprint": "0" * 12, "model": spec.to_mapping(), "inputs_sha256": "1"}
    provenance |= {"sampler": bm.SamplerSpec(seed=1).to_mapping(), "inputs": {}}
    tree.attrs.update(
        model="shared_specific",
        spec=json.dumps(spec.to_mapping()),
        sampler=json.dumps(provenance["sampler"]),
        provenance=json.dumps(provenance),
        units="z",
    )
    return tree


def run(folder: Path) -> None:
    import bayes_mdd as bm

    bm.save_run(fitted(), folder / "run")
    checks = [{"name": "R-hat", "value": 1.0, "threshold": "<= 1.01", "passed": True, "advice": ""}]
    (folder / "run" / "checks.json").write_text(json.dumps({"checks": checks}))
    table = "check\tp_value\nresidual correlation\t0.4\nspread\t0.02\n"
    (folder / "run" / "predictive_checks.tsv").write_text(table)


@cache
def _responses() -> xr.DataTree:
    import bayes_mdd as bm

    trial = bm.simulate_trial(seed=2, n=24, n_factors=2, benefit_sd=1.0)
    spec = bm.response_spec(trial.outcomes)
    return bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")


def response(folder: Path) -> None:
    from bayes_mdd.files.netcdf import write_netcdf

    inner = folder / "run" / "response"
    inner.mkdir(parents=True)
    write_netcdf(_responses(), inner / "posterior.nc")
    baselines = pd.DataFrame(
        {"method": ["ridge", "mean"], "view": ["imaging", "clinical"], "leaky": False,
         "auc": [0.6, 0.5], "auc_lower": [0.5, 0.4], "auc_upper": [0.7, 0.6]}
    )  # fmt: skip
    baselines.to_csv(inner / "baselines.tsv", sep="\t", index=False)
    paired = pd.DataFrame(
        {"measure": ["auc"], "reference_method": "ridge", "reference_view": "imaging",
         "method": "mean", "view": "clinical", "difference": 0.1, "lower": 0, "upper": 0.2}
    )  # fmt: skip
    paired.to_csv(inner / "baselines_paired.tsv", sep="\t", index=False)
    (inner / "baselines.json").write_text(json.dumps({"sentences": ["One.", "Two."]}))
    curve = pd.DataFrame({"p_star": [0.5, 0.8], "gain": [0.4, 0.2], "se": [0.2, 0.1]})
    curve.assign(decided=[0.6, 0.3]).to_csv(inner / "curve.tsv", sep="\t", index=False)


def published(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for name in ("beta", "rho"):
        np.savetxt(folder / f"final.{name}", np.log(rng.dirichlet(np.ones(5), 2)))
    np.savetxt(folder / "final.gamma", rng.uniform(1, 5, (4, 2)))
    (folder / "final.other").write_text("num_topics 2\nnum_terms 5\nalpha 0.5\n")
    (folder / "documents.dat").write_text("2 0:3 4:-1\n3 1:1 2:2 3:-4\n1 0:7\n")


def chains(folder: Path) -> None:
    from bayes_mdd.sampling.unfinished import FolderChains

    drawn = fitted()["posterior"].to_dataset()
    FolderChains(folder).write(0, xr.DataTree.from_dict({"posterior": drawn}))


def parts(folder: Path) -> None:
    from bayes_mdd.parallel.fan_out import fan_out

    fan_out(np.arange, [(40.0,)], files=[folder / "part-0.pkl"])


def surface(folder: Path) -> None:
    from nibabel.gifti import GiftiDataArray, GiftiImage

    rng = np.random.default_rng(8)
    points = rng.normal(size=(12, 3)).astype(np.float32)
    faces = np.array([[i, i + 1, i + 2] for i in range(10)], dtype=np.int32)
    held = [
        GiftiDataArray(points, intent="NIFTI_INTENT_POINTSET"),
        GiftiDataArray(faces, intent="NIFTI_INTENT_TRIANGLE"),
    ]
    for side in ("left", "right"):
        (folder / f"{side}.surf.gii").write_bytes(GiftiImage(darrays=held).to_bytes())


def label_surface(folder: Path) -> None:
    import nibabel as nib
    from nibabel.cifti2.cifti2_axes import BrainModelAxis, LabelAxis

    table = {0: ("???", (0, 0, 0, 0))} | {i + 1: (n, (1, 0, 0, 1)) for i, n in enumerate(REGIONS)}
    model = BrainModelAxis.from_surface(np.arange(12), 40, name="CortexLeft")
    values = np.arange(12).reshape(1, 12) % 5
    axes = (LabelAxis(["regions"], [table]), model)
    nib.save(nib.Cifti2Image(values.astype(np.float32), axes), folder / "a.dlabel.nii")


def label_volume(folder: Path) -> None:
    image(folder / "a.nii.gz", label_image())


def shared(folder: Path) -> None:
    """A page with an array in base64, as reports hold it."""
    import base64
    import zlib

    packed = base64.b64encode(zlib.compress(np.arange(40.0).tobytes())).decode()
    page = f"<html><body>&amp; <script>x='{packed}'; y=[1.0, 2.0, 3.0, 4.5]</script></body></html>"
    (folder / "report.html").write_text(page)


def kept_files(folder: Path) -> None:
    """Small files of commands: a log, a key, workers of a cluster, a manifest, a summary."""
    from bayes_mdd.files.netcdf import write_netcdf
    from bayes_mdd.results.manifest import MANIFEST, format_manifest, list_checksums

    entries = [{"time": "2026-01-01", "level": "info", "message": f"step {i}"} for i in range(5)]
    (folder / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    (folder / "key").write_text("0123456789abcdef" * 4 + "\n")
    jobs = "jobqueue:\n  slurm:\n    cores: 2\n    memory: 4GB\n    queue: short\njobs: 3\n"
    (folder / "slurm.yaml").write_text(jobs)
    write_netcdf(fitted()["loadings"].to_dataset(), folder / "summary.nc")
    (folder / MANIFEST).write_text(format_manifest(list_checksums(folder)))


def _read_log(folder: Path) -> object:
    from bayes_mdd.files.run_log import read_log

    return list(read_log(folder))


def _read_key(folder: Path) -> object:
    from bayes_mdd.files.id_key import read_key

    return read_key(folder / "key")


def _read_jobs(folder: Path) -> object:
    from bayes_mdd.parallel.batch import read_batch_system

    return read_batch_system(folder / "slurm.yaml")


def _read_manifest(folder: Path) -> object:
    from bayes_mdd.results.manifest import compare_manifest

    return compare_manifest(folder)


def _read_summary(folder: Path) -> object:
    from bayes_mdd.shared_specific.cohorts.summary_file import read_summary

    return read_summary(folder / "summary.nc")


def _read_run(folder: Path) -> object:
    import bayes_mdd as bm
    from bayes_mdd.results.result import read_result

    return read_result(bm.read_run(folder / "run")).tree


def _read_checks(folder: Path) -> object:
    from bayes_mdd.results.stored_checks import read_checks

    return read_checks(folder / "run")


def _read_analyses(folder: Path) -> object:
    from bayes_mdd.results.stored_analyses import read_analyses

    return read_analyses(folder / "run")


def _read_spec_of_run(folder: Path) -> object:
    import bayes_mdd as bm

    return bm.read_spec(folder / "run" / "spec.yaml")


def _reopen(folder: Path) -> object:
    """What ``fit`` reads of a run that is there, before it fits."""
    from bayes_mdd.errors import RunFolderError
    from bayes_mdd.sampling.run_folder import holds_run

    provenance = json.loads(fitted().attrs["provenance"])
    try:
        return holds_run(folder / "run", provenance, force=False)
    except RunFolderError as error:
        raise RunFolderError(str(error)) from None


def _read_response(folder: Path) -> object:
    import bayes_mdd as bm

    return bm.read_response(folder / "run")


def _read_further(folder: Path) -> object:
    from bayes_mdd.response.page.further import describe_baselines, read_further

    further = read_further(folder / "run" / "response")
    return further.baselines, further.paired, further.sentences, describe_baselines(further)


def _read_drawings(folder: Path) -> object:
    from bayes_mdd.workflow.response_drawings import read_response_drawings

    drawings = read_response_drawings(folder / "run", with_participants=False)
    return [d.name for d in drawings]


def _read_published(folder: Path) -> object:
    from bayes_mdd.polar_lda.em.published import read_published_model

    return read_published_model(folder)


def _read_documents(folder: Path) -> object:
    from bayes_mdd.polar_lda.em.published import read_documents

    return read_documents(folder / "documents.dat", 5)


def _read_chain(folder: Path) -> object:
    from bayes_mdd.sampling.unfinished import FolderChains

    return FolderChains(folder).read(0)


def _read_part(folder: Path) -> object:
    from bayes_mdd.parallel.fan_out import fan_out

    return fan_out(np.arange, [(40.0,)], files=[folder / "part-0.pkl"])


def _read_mesh(folder: Path) -> Any:
    from bayes_mdd.results.region_surface import load_mesh

    mesh = load_mesh({side: folder / f"{side}.surf.gii" for side in ("left", "right")})
    return [np.asarray(mesh.parts[s].coordinates) for s in ("left", "right")]


def _regions() -> pd.DataFrame:
    rows = {"label": np.arange(1, 5), "network": list("AABB")}
    return pd.DataFrame(rows, index=pd.Index(REGIONS, name="region"))


def _read_label_surface(folder: Path) -> object:
    from bayes_mdd.results.surface_atlas import read_surface_atlas

    return read_surface_atlas(folder / "a.dlabel.nii", _regions()).region


def _read_label_volume(folder: Path) -> object:
    from bayes_mdd.results.images import build_label_canvas

    return build_label_canvas(_regions(), folder / "a.nii.gz").region


def _search(folder: Path) -> object:
    from bayes_mdd.results.privacy_check import Private, search_files

    private = Private(frozenset(["sub-01", "sub-02"]), {"age": np.arange(8.0)})
    return search_files([folder / "report.html"], private, folder)


_RUN, _RESPONSE = "run/posterior.nc", "run/response/posterior.nc"

#: By name: how the folder is made, which file is damaged, how it is read.
RUNS: Mapping[str, Tool] = {
    "run, posterior.nc": (run, _RUN, _read_run),
    "run, provenance.json": (run, "run/provenance.json", _read_run),
    "run, provenance, reopened": (run, "run/provenance.json", _reopen),
    "run, spec.yaml": (run, "run/spec.yaml", _read_spec_of_run),
    "run, checks.json": (run, "run/checks.json", _read_checks),
    "run, table of a check": (run, "run/predictive_checks.tsv", _read_analyses),
    "response, posterior.nc": (response, _RESPONSE, _read_response),
    "response, figures": (response, "run/response/curve.tsv", _read_drawings),
    "baselines, table": (response, "run/response/baselines.tsv", _read_further),
    "baselines, sentences": (response, "run/response/baselines.json", _read_further),
    "polar LDA, published": (published, "final.beta", _read_published),
    "polar LDA, settings": (published, "final.other", _read_published),
    "polar LDA, documents": (published, "documents.dat", _read_documents),
    "kept chain": (chains, "part-0.nc", _read_chain),
    "kept result": (parts, "part-0.pkl", _read_part),
    "surface": (surface, "left.surf.gii", _read_mesh),
    "surface labels": (label_surface, "a.dlabel.nii", _read_label_surface),
    "label volume": (label_volume, "a.nii.gz", _read_label_volume),
    "log of a run": (kept_files, "log.jsonl", _read_log),
    "key of ids": (kept_files, "key", _read_key),
    "workers of a cluster": (kept_files, "slurm.yaml", _read_jobs),
    "manifest": (kept_files, "manifest.sha256", _read_manifest),
    "summary of a cohort": (kept_files, "summary.nc", _read_summary),
    "page to be shared": (shared, "report.html", _search),
}
