"""The spec of a whole analysis: model, reference, quality thresholds and sampler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.base import Spec
from bayes_mdd.specs.models import DEFAULT_MODEL, MODELS, kind_of
from bayes_mdd.specs.quality import QualitySpec
from bayes_mdd.specs.reference import ReferenceSpec
from bayes_mdd.specs.sampler import SamplerSpec
from bayes_mdd.specs.spec_file import parse_values, read_values, write_values

#: Kind of the spec files of `bayes-mdd response`, which hold an `AnalysisSpec` as a part.
RESPONSE_KIND = "treatment_response"


@dataclass(frozen=True, kw_only=True)
class AnalysisSpec(Spec):
    """All settings of an analysis, as in the files of ``models/``.

    Parameters
    ----------
    model : Spec or mapping, optional
        The model: an instance of one of the classes in `MODELS`, which also determines `kind`, or
        the values of its fields. Default: the default spec of `kind`.
    reference : ReferenceSpec
        How features are standardised.
    quality : QualitySpec
        Thresholds of the data checks.
    sampler : SamplerSpec
        How the posterior is sampled.
    kind : str, default "shared_specific"
        Kind of model, a key of `MODELS`.

    Examples
    --------
    >>> spec = AnalysisSpec.from_mapping({"kind": "shared_specific", "model": {"n_factors": 3}})
    >>> spec.model.n_factors
    3
    """

    kind: str = DEFAULT_MODEL
    model: Any = None
    reference: ReferenceSpec = field(default_factory=ReferenceSpec)
    quality: QualitySpec = field(default_factory=QualitySpec)
    sampler: SamplerSpec = field(default_factory=SamplerSpec)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in MODELS:
            raise SpecError(f"kind must be one of {', '.join(MODELS)}, got {self.kind!r}.")
        if isinstance(self.model, Spec):
            object.__setattr__(self, "kind", kind_of(self.model))
        parts: dict[str, type[Spec]] = {
            "model": MODELS[self.kind],
            "reference": ReferenceSpec,
            "quality": QualitySpec,
            "sampler": SamplerSpec,
        }
        problems = []
        for name, part in parts.items():
            value = getattr(self, name)
            if isinstance(value, part):
                continue
            if not (value is None or isinstance(value, Mapping)):
                problems.append(
                    f"{name} must be given as keys and values, got {type(value).__name__}: "
                    f"{value!r:.100}."
                )
                continue
            try:
                made = part.from_mapping({} if value is None else value)
            except SpecError as error:
                problems.append(str(error))
            else:
                object.__setattr__(self, name, made)
        if problems:
            raise SpecError(" ".join(problems))

    def with_overrides(self, overrides: Mapping[str, Any]) -> Self:
        """Replace single values, named with dots.

        Parameters
        ----------
        overrides : mapping
            For example ``{"model.n_factors": 8, "sampler.draws": 500}``.

        Returns
        -------
        AnalysisSpec
            A new spec; this one does not change.

        Raises
        ------
        SpecError
            If a name is unknown or a value is out of range.
        """
        raw = self.to_mapping()
        changes: dict[str, dict[str, Any]] = {}
        for dotted, value in overrides.items():
            part, _, key = dotted.partition(".")
            if key and isinstance(raw.get(part), dict):
                changes.setdefault(part, {})[key] = value
            elif not key and part == "kind":
                raw[part] = value
            else:
                raise SpecError(
                    f"Cannot set '{dotted}': write model.KEY, reference.KEY, quality.KEY or "
                    "sampler.KEY."
                )
        for part, values in changes.items():
            spec_class = MODELS.get(str(raw["kind"]), Spec) if part == "model" else Spec
            raw[part] = spec_class.override(raw[part], values)
        return type(self).from_mapping(raw)

    def resolve(
        self,
        available_covariates: Iterable[str],
        available_symptoms: Iterable[str],
        *,
        available_reference: Iterable[str] | None = None,
    ) -> tuple[Self, list[str]]:
        """Replace every ``*_if_present`` list by the names that a cohort has.

        Parameters
        ----------
        available_covariates : iterable of str
            Subject columns that are known and vary among the subjects to be fitted.
        available_symptoms : iterable of str
            Symptom dimensions that are known and vary among these subjects.
        available_reference : iterable of str, optional
            Subject columns that are known and vary among the reference subjects. Default:
            `available_covariates`.

        Returns
        -------
        spec : AnalysisSpec
            The spec with empty ``*_if_present`` lists; this one does not change.
        notes : list of str
            One sentence for each name that was left out.

        Examples
        --------
        >>> spec = AnalysisSpec(model={"covariates_if_present": ["site"]})
        >>> spec.resolve(["site", "age"], [])[0].model.covariates
        ('site',)
        >>> spec.resolve(["age"], [])[1]
        ["model.covariates leaves out 'site': this cohort lacks it or it does not vary."]
        """
        covariates, symptoms = tuple(available_covariates), tuple(available_symptoms)
        reference = covariates if available_reference is None else tuple(available_reference)
        model, notes_covariates = _resolve_list(self.model, "model.covariates", covariates)
        model, notes_symptoms = _resolve_list(model, "model.symptoms", symptoms)
        refer, notes_reference = _resolve_list(self.reference, "reference.covariates", reference)
        resolved = replace(self, model=model, reference=refer)
        return resolved, [*notes_covariates, *notes_symptoms, *notes_reference]


def _resolve_list[S: Spec](spec: S, dotted: str, available: tuple[str, ...]) -> tuple[S, list[str]]:
    """Move available names from ``<list>_if_present`` to ``<list>``."""
    key = dotted.partition(".")[2]
    if not hasattr(spec, f"{key}_if_present"):
        return spec, []
    required: tuple[str, ...] = getattr(spec, key)
    optional: list[str] = [n for n in getattr(spec, f"{key}_if_present") if n not in required]
    changes: dict[str, Any] = {
        key: (*required, *(n for n in optional if n in available)),
        f"{key}_if_present": (),
    }
    notes = [
        f"{dotted} leaves out '{n}': this cohort lacks it or it does not vary."
        for n in optional
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
        The validated spec.

    Raises
    ------
    SpecError
        If the file is missing or not YAML, or has an unknown key or a value out of range.
    """
    path = Path(path)
    raw = read_values(path)
    if isinstance(raw, Mapping) and raw.get("kind") == RESPONSE_KIND:
        raise SpecError(
            f"{path}: kind {RESPONSE_KIND} is a spec of `bayes-mdd response` (in Python "
            "read_response_spec), not of a fit of factors alone: use that command."
        )
    return parse_values(AnalysisSpec, raw, path)


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

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    return write_values(spec, path)
