"""A fitted result as a typed value, read once and handed down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import xarray as xr

from bayes_mdd.dims import ARM, FACTOR
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.files.layout import merge_chains, update_layout
from bayes_mdd.results.groups import PEOPLE, read_group, read_note, say_withheld
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
    def shared(self) -> bool:
        """Whether participants are withheld: a run of ``bayes-mdd export --format share``."""
        return PEOPLE in self.tree.attrs

    @property
    def approximate(self) -> bool:
        """Whether the fit took the fast path, whose intervals are approximate."""
        return self.method == "fast"


def _is_mapping(note: object) -> bool:
    """Whether an attribute is a mapping, or the JSON of one."""
    try:
        content = json.loads(note) if isinstance(note, str) else note
    except ValueError:
        return False
    return isinstance(content, Mapping)


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
    if not isinstance(idata, xr.DataTree):
        raise DataContractError(
            "fitted result",
            [
                f"expected the DataTree that bayes_mdd.fit or read_run returned, got "
                f"{type(idata).__name__}: pass that."
            ],
        )
    idata = update_layout(idata)
    attrs = idata.attrs
    kind = str(attrs.get("model", DEFAULT_KIND))
    if kind not in MODELS:
        raise DataContractError(
            "fitted result",
            [
                f"its model is '{kind}'; this version has {', '.join(MODELS)}. Read it with the "
                "version that wrote it, or fit again."
            ],
        )
    if "spec" not in attrs:
        raise DataContractError(
            "fitted result",
            ["the attribute 'spec' is missing; pass what bayes_mdd.fit or read_run returned."],
        )
    for name in ("spec", "sampler"):
        if name in attrs and not _is_mapping(attrs[name]):
            raise DataContractError(
                "fitted result",
                [f"the attribute '{name}' is no JSON object: the result is damaged; fit again."],
            )
    try:
        spec = MODELS[kind].from_mapping(read_note(idata, "spec"))
        sampler = SamplerSpec.from_mapping(read_note(idata, "sampler"))
    except SpecError as error:
        raise DataContractError(
            "fitted result",
            [
                f"its spec cannot be read by this version: {error} Read it with the version that "
                "wrote it, or fit again."
            ],
        ) from error
    return Result(
        tree=idata,
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


def read_with_participants(idata: xr.DataTree | Result, what: str) -> Result:
    """Read a result for an analysis that needs its participants.

    Parameters
    ----------
    idata : DataTree or Result
        What `fit` or `read_run` returned.
    what : str
        Name of the analysis, for the error.

    Returns
    -------
    Result
        As `read_result` returns it.

    Raises
    ------
    DataContractError
        If participants are withheld, or the result cannot be read.
    """
    result = read_result(idata)
    if result.shared:
        raise DataContractError("shared run", [say_withheld(what)])
    return result
