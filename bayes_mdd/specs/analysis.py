"""One file of ``models/``: model, reference and sampler together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec
from bayes_mdd.specs.polar_lda import PolarLDASpec
from bayes_mdd.specs.quality import QualitySpec
from bayes_mdd.specs.reference import ReferenceSpec
from bayes_mdd.specs.sampler import SamplerSpec
from bayes_mdd.specs.shared_specific import SharedSpecificSpec

#: The spec of each kind of model.
MODELS: Mapping[str, type[Spec]] = {
    "shared_specific": SharedSpecificSpec,
    "polar_lda": PolarLDASpec,
}


@dataclass(frozen=True, kw_only=True)
class AnalysisSpec(Spec):
    """One file of ``models/``: what the command line runs.

    Parameters
    ----------
    model : SharedSpecificSpec or PolarLDASpec
        The model; a spec object also settles `kind`.
    reference : ReferenceSpec
        What features are standardised against.
    quality : QualitySpec
        From where on data are called doubtful.
    sampler : SamplerSpec
        How the posterior is sampled.
    kind : str, default "shared_specific"
        Which model the file is about: a key of `MODELS`.

    Examples
    --------
    >>> spec = AnalysisSpec.from_mapping({"kind": "shared_specific", "model": {"n_factors": 3}})
    >>> spec.model.n_factors
    3
    """

    kind: str = "shared_specific"
    # None becomes the default spec of the kind.
    model: Any = None
    reference: ReferenceSpec = field(default_factory=ReferenceSpec)
    quality: QualitySpec = field(default_factory=QualitySpec)
    sampler: SamplerSpec = field(default_factory=SamplerSpec)

    def __post_init__(self) -> None:
        if self.kind not in MODELS:
            raise SpecError(f"kind must be one of {', '.join(MODELS)}, got {self.kind!r}.")
        if isinstance(self.model, Spec):
            object.__setattr__(self, "kind", kind_of(self.model))
        parts: dict[str, type[Spec]] = {
            "model": MODELS[self.kind],
            "reference": ReferenceSpec,
            "quality": QualitySpec,
            "sampler": SamplerSpec,
        }
        for name, part in parts.items():
            value = getattr(self, name)
            if not isinstance(value, part):
                object.__setattr__(self, name, part.from_mapping(value or {}))

    def with_overrides(self, overrides: Mapping[str, Any]) -> Self:
        """Replace single values by dotted name.

        Parameters
        ----------
        overrides : mapping
            For example ``{"model.n_factors": 8, "sampler.draws": 500}``.

        Returns
        -------
        AnalysisSpec
            A new spec; this one is unchanged.

        Raises
        ------
        SpecError
            If a name is unknown or a value is out of range.
        """
        raw = self.to_mapping()
        for dotted, value in overrides.items():
            part, _, key = dotted.partition(".")
            if key and isinstance(raw.get(part), dict):
                raw[part][key] = value
            elif not key and part == "kind":
                raw[part] = value
            else:
                raise SpecError(
                    f"Cannot set '{dotted}': name a value as model.KEY, reference.KEY, "
                    "quality.KEY or sampler.KEY."
                )
        if "model.sharing" in overrides and "model.n_factors" not in overrides:
            raw["model"].pop("n_factors")
        return type(self).from_mapping(raw)

    def resolve(
        self,
        available_covariates: Iterable[str],
        available_symptoms: Iterable[str],
        *,
        available_reference: Iterable[str] | None = None,
    ) -> tuple[Self, list[str]]:
        """Settle every ``*_if_present`` list against what one cohort has.

        Parameters
        ----------
        available_covariates : iterable of str
            Subject columns that are known and vary among the people to be fitted.
        available_symptoms : iterable of str
            Symptom dimensions that are known and vary among them.
        available_reference : iterable of str, optional
            Subject columns that are known and vary among the reference people; default the
            same as `available_covariates`.

        Returns
        -------
        spec : AnalysisSpec
            The spec with empty ``*_if_present`` lists; this one is unchanged.
        notes : list of str
            One sentence for every name that was left out.

        Examples
        --------
        >>> spec = AnalysisSpec(model=SharedSpecificSpec(covariates_if_present=("site",)))
        >>> spec.resolve(["site", "age"], [])[0].model.covariates
        ('site',)
        >>> spec.resolve(["age"], [])[1]
        ["model.covariates leaves out 'site': this cohort lacks it or it does not vary."]
        """
        covariates, symptoms = tuple(available_covariates), tuple(available_symptoms)
        reference = covariates if available_reference is None else tuple(available_reference)
        model, notes_covariates = _settle(self.model, "model.covariates", covariates)
        model, notes_symptoms = _settle(model, "model.symptoms", symptoms)
        refer, notes_reference = _settle(self.reference, "reference.covariates", reference)
        settled = replace(self, model=model, reference=refer)
        return settled, [*notes_covariates, *notes_symptoms, *notes_reference]


def kind_of(spec: Spec) -> str:
    """Name the kind of model a spec is of.

    Parameters
    ----------
    spec : Spec
        A spec of one of `MODELS`.

    Returns
    -------
    str
        A key of `MODELS`.

    Raises
    ------
    SpecError
        If it is of none of them.

    Examples
    --------
    >>> kind_of(PolarLDASpec())
    'polar_lda'
    """
    for kind, known in MODELS.items():
        if type(spec) is known:
            return kind
    raise SpecError(f"{type(spec).__name__} is no spec of a model ({', '.join(MODELS)}).")


def _settle[S: Spec](spec: S, dotted: str, available: tuple[str, ...]) -> tuple[S, list[str]]:
    """Move the names that are available from ``<list>_if_present`` to ``<list>``."""
    key = dotted.partition(".")[2]
    if not hasattr(spec, f"{key}_if_present"):
        return spec, []
    fixed: tuple[str, ...] = getattr(spec, key)
    wished: list[str] = [n for n in getattr(spec, f"{key}_if_present") if n not in fixed]
    changes: dict[str, Any] = {
        key: (*fixed, *(n for n in wished if n in available)),
        f"{key}_if_present": (),
    }
    notes = [
        f"{dotted} leaves out '{n}': this cohort lacks it or it does not vary."
        for n in wished
        if n not in available
    ]
    return replace(spec, **changes), notes  # type: ignore[type-var]


def read_spec(path: str | Path) -> AnalysisSpec:
    """Read an analysis spec from YAML.

    Parameters
    ----------
    path : str or Path
        A file such as ``models/shared_specific.yaml``.

    Returns
    -------
    AnalysisSpec
        The checked spec.

    Raises
    ------
    SpecError
        If the file is missing, is not YAML, or holds an unknown key or a bad value.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"Cannot read the spec {path}: {error}.") from error
    except yaml.YAMLError as error:
        raise SpecError(f"{path} is not valid YAML: {error}") from error
    try:
        return AnalysisSpec.from_mapping(raw or {})
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def write_spec(spec: AnalysisSpec, path: str | Path) -> Path:
    """Write an analysis spec as YAML.

    Parameters
    ----------
    spec : AnalysisSpec
        The spec.
    path : str or Path
        The file to write.

    Returns
    -------
    Path
        `path`.
    """
    path = Path(path)
    path.write_text(yaml.safe_dump(spec.to_mapping(), sort_keys=False), encoding="utf-8")
    return path
