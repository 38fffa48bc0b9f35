"""Changes of a cohort that should not matter, or should matter in a known way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.features.assemble import edge_features

Same = Callable[["Inputs"], "Inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a fit is given."""

    features: xr.Dataset
    symptoms: pd.DataFrame
    covariates: tuple[str, ...] = ("site", "age", "sex", "mean_fd")
    reference: tuple[str, ...] = ("age", "sex", "mean_fd")
    n_factors: int = 4
    seed: int = 1

    def fit(self) -> xr.DataTree:
        """Standardise and fit, by the fast method."""
        standardised = bm.reference_to_controls(self.features, covariates=self.reference)
        spec = bm.SharedSpecificSpec(
            n_factors=self.n_factors, covariates=self.covariates, symptoms=("retardation",)
        )
        return bm.fit(
            spec,
            standardised,
            symptoms=self.symptoms,
            sampler=bm.SamplerSpec(seed=self.seed),
            method="fast",
            progressbar=False,
        )

    def with_subjects(self, **columns: np.ndarray) -> Inputs:
        """Replace columns of the participants."""
        named = {name: ("subject", values) for name, values in columns.items()}
        return replace(self, features=self.features.assign_coords(named))


@dataclass(frozen=True, eq=False)
class Change:
    """One change and what it should do.

    `exact`: every number is the same to the last bit. Otherwise the chains use their random numbers
    in another way, and results agree within Monte-Carlo error. `names` maps new names to old ones
    by dimension; `flipped` are features, and `reversed_symptom` a symptom, whose sign changed.
    `any_units`: only for features whose units are not known.
    """

    apply: Same
    exact: bool = False
    names: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    flipped: tuple[str, ...] = ()
    reversed_symptom: bool = False
    any_units: bool = False


def shuffle_participants(given: Inputs) -> Inputs:
    rng = np.random.default_rng(1)
    return replace(
        given,
        features=given.features.isel(subject=rng.permutation(given.features.sizes["subject"])),
        symptoms=given.symptoms.iloc[rng.permutation(len(given.symptoms))],
    )


def shuffle_edges(given: Inputs) -> Inputs:
    at = np.random.default_rng(2).permutation(given.features.sizes["feature"])
    return replace(given, features=given.features.isel(feature=at))


def sort_by_block(given: Inputs) -> Inputs:
    at = np.argsort(given.features["block"].values, kind="stable")[::-1]
    return replace(given, features=given.features.isel(feature=at))


def rename_regions(given: Inputs) -> Inputs:
    """Give regions and networks other names, in the opposite alphabetical order."""
    features = given.features
    regions = {r: f"R{90 - i}" for i, r in enumerate(map(str, features["region"].values))}
    networks = _new_networks(features)
    edges = {n: _each(features[n], regions) for n in ("region_a", "region_b")}
    edges |= {n: _each(features[n], networks) for n in ("network_a", "network_b")}
    blocks = ["-".join(networks[n] for n in str(b).split("-")) for b in features["block"].values]
    labels = [f"{a}--{b}" for a, b in zip(edges["region_a"], edges["region_b"], strict=True)]
    columns = {**edges, "block": np.array(blocks), "feature": np.array(labels)}
    changed = features.assign_coords({n: ("feature", v) for n, v in columns.items()})
    changed = changed.assign_coords(
        region=_each(features["region"], regions),
        region_network=("region", _each(features["region_network"], networks)),
    )
    return replace(given, features=changed)


def _new_networks(features: xr.Dataset) -> dict[str, str]:
    found = dict.fromkeys(map(str, features["region_network"].values))
    return {n: f"N{9 - i}" for i, n in enumerate(found)}


def _each(values: xr.DataArray, names: Mapping[str, str]) -> np.ndarray:
    return np.array([names[str(v)] for v in values.values])


def reorder_regions(given: Inputs) -> Inputs:
    """List the regions the other way round: edges and blocks are then named the other way, too."""
    features = given.features
    regions = pd.DataFrame(
        {"region": features["region"].values, "network": features["region_network"].values}
    )
    n = len(regions)
    matrix = np.zeros((features.sizes["subject"], n, n))
    first, second = np.triu_indices(n, 1)
    matrix[:, first, second] = matrix[:, second, first] = features["y"].values
    back = matrix[:, ::-1, ::-1]
    columns = {
        str(c): v.values
        for c, v in features.coords.items()
        if v.dims == ("subject",) and c != "subject"
    }
    changed = edge_features(
        back[:, first, second],
        list(map(str, features["subject"].values)),
        regions.iloc[::-1].reset_index(drop=True),
        participants=pd.DataFrame(columns, index=pd.Index(features["subject"].values)),
        units=str(features.attrs["units"]),
        provenance="",
    )
    return replace(given, features=changed)


def turn_pair(name: str, separator: str) -> str:
    """A pair named in the order of `reorder_regions`."""
    return separator.join(reversed(name.split(separator)))


def add_unfitted(given: Inputs) -> Inputs:
    """Add a patient without an arm, from a site where nobody else was scanned, at the start."""
    one = given.features.isel(subject=[0]).assign_coords(
        subject=["aaa-first"],
        arm=("subject", ["n/a"]),
        diagnosis=("subject", ["MDD"]),
        site=("subject", ["site9"]),
    )
    both = xr.concat([one, given.features], "subject", coords="minimal", compat="override")
    return replace(given, features=both.assign_attrs(given.features.attrs))


def add_column(given: Inputs) -> Inputs:
    hand = np.where(np.arange(given.features.sizes["subject"]) % 3, "R", "L")
    return given.with_subjects(handedness=hand)


def rename_participants(given: Inputs, name: Callable[[str], str]) -> Inputs:
    return replace(
        given,
        features=given.features.assign_coords(
            subject=[name(str(s)) for s in given.features["subject"].values]
        ),
        symptoms=given.symptoms.set_axis([name(str(s)) for s in given.symptoms.index], axis=0),
    )


def rename_arms(given: Inputs, names: Mapping[str, str]) -> Inputs:
    arm = [names.get(str(a), str(a)) for a in given.features["arm"].values]
    return given.with_subjects(arm=np.array(arm))


def change_covariates(given: Inputs, size: Mapping[str, float], shift: float = 0.0) -> Inputs:
    return given.with_subjects(
        **{name: given.features[name].values * factor + shift for name, factor in size.items()}
    )


def rename_sites(given: Inputs) -> Inputs:
    """Turn the alphabetical order of the sites round: the other one becomes the first level."""
    names = sorted(set(map(str, given.features["site"].values)))
    new = {name: f"place{len(names) - i}" for i, name in enumerate(names)}
    return given.with_subjects(site=_each(given.features["site"], new))


def change_features(given: Inputs, factor: float | np.ndarray, shift: float = 0.0) -> Inputs:
    y = given.features["y"] * factor + shift
    return replace(given, features=given.features.assign(y=(("subject", "feature"), y.values)))


def reverse_one(given: Inputs) -> Inputs:
    return change_features(given, np.where(np.arange(given.features.sizes["feature"]) == 5, -1, 1))


def copy_edge(given: Inputs) -> Inputs:
    """Add a near copy of an edge, as of a region that an atlas lists twice."""
    one = given.features.isel(feature=[5])
    noise = np.random.default_rng(3).normal(size=one["y"].shape) * 1e-3
    one = one.assign(y=(("subject", "feature"), one["y"].values + noise * float(one["y"].std())))
    one = one.assign_coords(feature=["copy"])
    both = xr.concat([given.features, one], "feature", data_vars="minimal")
    return replace(given, features=both.assign_attrs(given.features.attrs))


OTHER_ARM = {"SSRI": "SNRI", "SNRI": "SSRI"}


def _bare(name: str) -> str:
    return name.removeprefix("sub-")


CHANGES: dict[str, Change] = {
    "participants in another order": Change(shuffle_participants, exact=True),
    "edges in another order": Change(shuffle_edges, exact=True),
    "blocks in another order": Change(sort_by_block, exact=True),
    "regions and networks renamed": Change(rename_regions, exact=True, names={"feature": str}),
    "ids of another spelling, same order": Change(
        lambda given: rename_participants(given, _bare),
        exact=True,
        names={"subject": lambda name: f"sub-{name}"},
    ),
    "arms renamed, same order": Change(
        lambda given: rename_arms(given, {"SNRI": "first", "SSRI": "second"}),
        exact=True,
        names={"arm": {"first": "SNRI", "second": "SSRI"}.__getitem__},
    ),
    "a patient who is not fitted, with a site of their own": Change(add_unfitted, exact=True),
    "an unrelated column of participants.tsv": Change(add_column, exact=True),
    "names of arms exchanged": Change(
        lambda given: rename_arms(given, OTHER_ARM), names={"arm": OTHER_ARM.__getitem__}
    ),
    "arms renamed, other order": Change(
        lambda given: rename_arms(given, {"SNRI": "z", "SSRI": "a"}),
        names={"arm": {"z": "SNRI", "a": "SSRI"}.__getitem__},
    ),
    "sites renamed, other order": Change(rename_sites),
    "covariates in another order": Change(
        lambda given: replace(
            given, covariates=given.covariates[::-1], reference=given.reference[::-1]
        )
    ),
    "age in months, motion in micrometres": Change(
        lambda given: change_covariates(given, {"age": 12.0, "mean_fd": 1000.0})
    ),
    "constant added to covariates": Change(
        lambda given: change_covariates(given, {"age": 1.0, "mean_fd": 1.0}, 1000.0)
    ),
    "symptom x 1000": Change(lambda given: replace(given, symptoms=given.symptoms * 1000)),
    "constant added to a symptom": Change(
        lambda given: replace(given, symptoms=given.symptoms + 500)
    ),
    "symptom reversed": Change(
        lambda given: replace(given, symptoms=-given.symptoms), reversed_symptom=True
    ),
    "features x 1000": Change(lambda given: change_features(given, 1000.0), any_units=True),
    "constant added to features": Change(
        lambda given: change_features(given, 1.0, 100.0), any_units=True
    ),
    "one feature reversed": Change(reverse_one, flipped=("5",), any_units=True),
    "all features reversed": Change(
        lambda given: change_features(given, -1.0), flipped=("all",), any_units=True
    ),
    "regions in another order": Change(
        reorder_regions,
        names={
            "feature": lambda name: turn_pair(name, "--"),
            "block": lambda name: turn_pair(name, "-"),
        },
        any_units=True,
    ),
}
