"""A fitted result as a typed value, read once and handed down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import xarray as xr

from bayes_mdd.dims import ARM, FACTOR
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.files.layout import merge_chains, update_layout
from bayes_mdd.specs import MODELS, SamplerSpec, Spec

#: What an attribute reads when a result does not state it.
NOT_STATED: Final = "not stated"
#: Results of earlier versions do not name their model.
DEFAULT_KIND: Final = "shared_specific"


@dataclass(frozen=True, eq=False)
class Result:
    """A fitted result with what its attributes say, in types.

    Parameters
    ----------
    tree : DataTree
        What `fit` returned.
    kind : str
        Model family, a key of `bayes_mdd.specs.MODELS`.
    method : str
        How the posterior was obtained, e.g. ``"mcmc"`` or ``"fast"``.
    spec : Spec
        The model that was fitted.
    sampler : SamplerSpec
        How it was sampled.
    provenance : mapping
        Versions, seed, checksums, excluded participants, times.
    features : mapping
        Provenance of the features.
    units, reference, estimand : str
        Units of the features, what they were standardised against, and what is estimated.
    """

    tree: xr.DataTree
    kind: str
    method: str
    spec: Spec
    sampler: SamplerSpec
    provenance: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    units: str = "unknown"
    reference: str = NOT_STATED
    estimand: str = "expression"

    def group(self, name: str, variables: Sequence[str] = ()) -> xr.Dataset:
        """Read one group.

        Parameters
        ----------
        name : str
            For example ``"posterior"``.
        variables : sequence of str
            Variables that the group must hold.

        Returns
        -------
        xarray.Dataset
            The group.

        Raises
        ------
        DataContractError
            If the group or one of the variables is missing.
        """
        return read_group(self.tree, name, variables)

    def holds(self, group: str, variable: str) -> bool:
        """Tell whether a group holds a variable.

        Parameters
        ----------
        group, variable : str
            Their names.

        Returns
        -------
        bool
            False also where there is no such group.
        """
        return group in self.tree.children and variable in self.tree[group].data_vars

    @cached_property
    def posterior(self) -> xr.Dataset:
        """Group ``posterior``."""
        return self.group("posterior")

    @cached_property
    def loadings(self) -> xr.Dataset:
        """Group ``loadings``, with the posterior mean maps."""
        return self.group("loadings", ["mean"])

    @cached_property
    def loading_draws(self) -> xr.DataArray | None:
        """Draws of the loadings, dims ``(loading_draw, factor, feature)``: chains in a row."""
        return merge_chains(self.loadings)

    @cached_property
    def constant(self) -> xr.Dataset:
        """Group ``constant_data``."""
        return self.group("constant_data")

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms."""
        return tuple(str(a) for a in self.posterior[ARM].values)

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors."""
        return tuple(str(f) for f in self.loadings[FACTOR].values)

    @property
    def approximate(self) -> bool:
        """Whether the fit took the fast path, whose intervals are approximate."""
        return self.method == "fast"


def read_result(idata: xr.DataTree | Result) -> Result:
    """Read what a fitted result says about itself.

    Parameters
    ----------
    idata : DataTree or Result
        What `fit` or `read_run` returned; a `Result` is passed through.

    Returns
    -------
    Result
        The typed view. Groups are not copied.

    Raises
    ------
    DataContractError
        If the attribute ``spec`` is missing or cannot be read, or the model is unknown.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> read_result(bm.read_run("runs/demo")).spec.n_factors  # doctest: +SKIP
    8
    """
    if isinstance(idata, Result):
        return idata
    attrs = idata.attrs
    kind = str(attrs.get("model", DEFAULT_KIND))
    if kind not in MODELS:
        raise DataContractError(
            "fitted result", [f"its model is '{kind}'; this version has {', '.join(MODELS)}."]
        )
    if "spec" not in attrs:
        raise DataContractError(
            "fitted result",
            ["the attribute 'spec' is missing; pass what bayes_mdd.fit or read_run returned."],
        )
    try:
        spec = MODELS[kind].from_mapping(read_note(idata, "spec"))
        sampler = SamplerSpec.from_mapping(read_note(idata, "sampler"))
    except SpecError as error:
        raise DataContractError(
            "fitted result", [f"its spec cannot be read by this version: {error}"]
        ) from error
    return Result(
        tree=update_layout(idata),
        kind=kind,
        method=str(attrs.get("method", "mcmc")),
        spec=spec,
        sampler=sampler,
        provenance=read_note(idata, "provenance"),
        features=read_note(idata, "features_provenance"),
        units=str(attrs.get("units", "unknown")),
        reference=str(attrs.get("reference", NOT_STATED)),
        estimand=str(attrs.get("estimand", "expression")),
    )


def read_group(idata: xr.DataTree, group: str, names: Sequence[str] = ()) -> xr.Dataset:
    """Read one group of a fitted result as a Dataset.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    group : str
        For example ``"posterior"``.
    names : sequence of str
        Variables that the group must hold.

    Returns
    -------
    xarray.Dataset
        The group.

    Raises
    ------
    DataContractError
        If the group or one of the variables is missing.
    """
    if group not in idata.children:
        found = some(idata.children) or "no groups"
        raise DataContractError(
            "fitted result",
            [f"group '{group}' is missing (found {found}); pass what bayes_mdd.fit returned."],
        )
    dataset = idata.children[group].to_dataset()
    problems = [
        f"'{group}' has no '{n}' (it holds {some(dataset.data_vars, 12)}); "
        "pass what bayes_mdd.fit returned."
        for n in names
        if n not in dataset
    ]
    if problems:
        raise DataContractError("fitted result", problems)
    return dataset


def read_note(idata: xr.DataTree, name: str) -> dict[str, Any]:
    """Read a JSON attribute of a fitted result.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    name : str
        For example ``"provenance"``.

    Returns
    -------
    dict
        Its content; empty when there is none.
    """
    raw = idata.attrs.get(name)
    if isinstance(raw, Mapping):
        return dict(raw)
    try:
        note = json.loads(raw) if raw else {}
    except (TypeError, ValueError):
        note = {}
    return note if isinstance(note, dict) else {"value": note}
