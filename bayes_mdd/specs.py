"""What to fit and how, as immutable values that read from and write to YAML."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml

from bayes_mdd.errors import SpecError, some

Backend = Literal["nutpie", "pymc", "numpyro"]


class _Spec:
    """Reading, writing and identity that every spec shares."""

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Self:
        """Build a spec from parsed YAML; an unknown key is an error, not a default.

        Parameters
        ----------
        raw : mapping
            Keys are the fields of the spec.

        Returns
        -------
        spec
            An instance of this class.

        Raises
        ------
        SpecError
            If a key is unknown (the nearest known one is named) or a value is out of range.
        """
        if not isinstance(raw, Mapping):
            raise SpecError(
                f"{cls.__name__} wants keys and values, got {type(raw).__name__}: {raw!r}."
            )
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        problems = []
        for key in raw:
            if key not in known:
                hint = get_close_matches(str(key), known, n=1)
                tail = f"Did you mean '{hint[0]}'?" if hint else f"Known keys: {', '.join(known)}."
                problems.append(f"Unknown key '{key}' in {cls.__name__}. {tail}")
        if problems:
            raise SpecError(" ".join(problems))
        try:
            return cls(**raw)
        except TypeError as error:
            raise SpecError(f"{cls.__name__}: {error}") from error

    def to_mapping(self) -> dict[str, Any]:
        """Plain values that YAML and JSON can hold.

        Returns
        -------
        dict
            One entry a field; nested specs become dicts, tuples become lists.
        """
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]
        return plain

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change whenever the spec does."""
        text = json.dumps(self.to_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _names(spec: _Spec, *fields_: str) -> None:
    """Turn lists of names into tuples; refuse a bare string and repeated names."""
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise SpecError(f"{name} wants a list of names, got {value!r}.")
        value = tuple(str(v) for v in value)
        twice = sorted({v for v in value if value.count(v) > 1})
        if twice:
            raise SpecError(f"{name} names {some(twice)} more than once.")
        object.__setattr__(spec, name, value)


def _whole(spec: _Spec, minimum: int, *fields_: str) -> None:
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise SpecError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")


def _number(spec: _Spec, *fields_: str) -> None:
    for name in fields_:
        value = getattr(spec, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpecError(f"{name} must be a number, got {value!r}.")


def _positive(spec: _Spec, *fields_: str) -> None:
    _number(spec, *fields_)
    for name in fields_:
        if not 0 < (value := getattr(spec, name)) < float("inf"):
            raise SpecError(f"{name} must be a finite number above 0, got {value}.")


@dataclass(frozen=True, kw_only=True)
class SharedSpecificSpec(_Spec):
    """The factor model whose factors may be shared by the arms or belong to one.

    Features are standardised before the fit (see `reference_to_controls`), so every scale
    below is in standard deviations of a feature.

    Parameters
    ----------
    n_factors : int, default 6
        Factors offered; unused ones shrink to nothing, so offer two or three more than expected.
        With a fixed `sharing` pattern it must equal the pattern's sum or be left out.
    covariates : tuple of str
        Columns of the subject axis that are integrated out, next to the intercept. Text columns
        (``site``) enter as one column a level, numbers as they are.
    covariates_if_present : tuple of str
        The same, for a spec that serves many cohorts: names that a cohort lacks, or that do not
        vary in it, are left out and reported.
    symptoms : tuple of str
        Symptom dimensions linked to the factors.
    symptoms_if_present : tuple of str
        The same, left out and reported where a cohort lacks them.
    sharing : mapping of str to int, optional
        Fixes the pattern instead of learning it: number of factors of all arms (``shared``) and
        of each arm by name, e.g. ``{"shared": 3, "SSRI": 1, "SNRI": 1}``.
    sharing_concentration : float, default 0.6
        Of the Dirichlet prior of sharing; below 1 it prefers factors of all arms or of one.
    factor_scale : float, default 0.001
        Scale of the half-Cauchy prior of a factor's overall block scale, in units of the noise;
        small, so that a factor that nothing needs stays away (Piironen & Vehtari, 2017).
    local_df : float, default 10.0
        Degrees of freedom of the half-t prior of block scales around the factor's overall one.
        1 is the horseshoe, whose tails let a spare factor chase the noise of one small block.
    slab_scale : float, default 2.0
        Upper bound of a block scale (regularised horseshoe).
    feature_noise : {"moderated", "equal"}, default "moderated"
        Whether features of a block differ in noise by factors estimated beforehand from their
        residual variance and shrunk toward each other, or are taken as equally noisy.
    noise_scale : float, default 1.0
        Scale of the half-normal prior of the residual standard deviation of a block.
    symptom_scale : float, default 1.0
        Scale of the half-normal prior of residual symptom standard deviations, in SD of the
        symptom.

    Raises
    ------
    SpecError
        If a value is out of its range.

    Examples
    --------
    >>> spec = SharedSpecificSpec(n_factors=6, covariates=("site",), symptoms=("retardation",))
    >>> spec.n_factors
    6
    >>> SharedSpecificSpec(sharing={"shared": 3, "SSRI": 1, "SNRI": 1}).n_factors
    5
    """

    n_factors: int = 6
    covariates: tuple[str, ...] = ()
    covariates_if_present: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    symptoms_if_present: tuple[str, ...] = ()
    sharing: Mapping[str, int] | None = None
    sharing_concentration: float = 0.6
    factor_scale: float = 0.001
    local_df: float = 10.0
    slab_scale: float = 2.0
    feature_noise: Literal["moderated", "equal"] = "moderated"
    noise_scale: float = 1.0
    symptom_scale: float = 1.0

    def __post_init__(self) -> None:
        _names(self, "covariates", "covariates_if_present", "symptoms", "symptoms_if_present")
        _positive(
            self,
            "sharing_concentration",
            "factor_scale",
            "local_df",
            "slab_scale",
            "noise_scale",
            "symptom_scale",
        )
        if self.feature_noise not in ("moderated", "equal"):
            raise SpecError(
                f"feature_noise must be 'moderated' or 'equal', got {self.feature_noise!r}."
            )
        if self.sharing is not None:
            self._check_pattern(self.sharing)
        _whole(self, 1, "n_factors")

    def _check_pattern(self, pattern: Mapping[str, int]) -> None:
        if not isinstance(pattern, Mapping) or not pattern:
            raise SpecError(
                "sharing wants a number of factors for 'shared' and for arms by name, "
                f"got {pattern!r}."
            )
        clean = {str(k): v for k, v in pattern.items()}
        bad = [f"{k}: {v!r}" for k, v in clean.items() if type(v) is not int or v < 0]
        if bad:
            raise SpecError(f"sharing wants whole numbers of at least 0, got {some(bad)}.")
        total = sum(clean.values())
        default = type(self).__dataclass_fields__["n_factors"].default
        if self.n_factors not in (default, total):
            raise SpecError(
                f"sharing asks for {total} factors in all, n_factors for {self.n_factors}: "
                "make them equal or leave n_factors out."
            )
        object.__setattr__(self, "sharing", clean)
        object.__setattr__(self, "n_factors", total)


@dataclass(frozen=True, kw_only=True)
class ReferenceSpec(_Spec):
    """Against what features are standardised before the fit.

    Parameters
    ----------
    covariates : tuple of str
        Nuisance columns regressed out with coefficients fitted on the reference people.
    covariates_if_present : tuple of str
        The same, left out and reported where a cohort lacks them.
    """

    covariates: tuple[str, ...] = ()
    covariates_if_present: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _names(self, "covariates", "covariates_if_present")


@dataclass(frozen=True, kw_only=True)
class SamplerSpec(_Spec):
    """How to sample the posterior.

    Parameters
    ----------
    seed : int, default 1
        The same seed gives the same numbers on the same machine.
    draws, tune : int, default 1000
        Kept and warm-up draws of each chain.
    chains : int, default 4
        Independent chains; fewer than 2 cannot be checked against each other.
    cores : int, optional
        Chains run at once; default as many as the machine has cores, at most `chains`.
    target_accept : float, default 0.85
        Aimed acceptance of the No-U-Turn sampler; raise it when draws diverge.
    backend : {"nutpie", "pymc", "numpyro"}, default "nutpie"
        The sampler. ``numpyro`` needs the extra ``bayes-mdd[jax]``.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals that are stored with the loadings.
    loading_draws : int, optional
        Draws of whole loading maps to keep; default as many as fit in 64 MB, at most 500.

    Raises
    ------
    SpecError
        If a value is out of its range.
    """

    seed: int = 1
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    target_accept: float = 0.85
    backend: Backend = "nutpie"
    ci_prob: float = 0.9
    loading_draws: int | None = None

    def __post_init__(self) -> None:
        _whole(self, 1, "draws", "tune", "chains")
        _whole(self, 0, "seed")
        for name in ("cores", "loading_draws"):
            if getattr(self, name) is not None:
                _whole(self, 1, name)
        _number(self, "target_accept", "ci_prob")
        for name in ("target_accept", "ci_prob"):
            if not 0 < (value := getattr(self, name)) < 1:
                raise SpecError(f"{name} must lie between 0 and 1, got {value}.")
        if self.backend not in get_args(Backend):
            raise SpecError(f"backend must be one of {get_args(Backend)}, got {self.backend!r}.")


@dataclass(frozen=True, kw_only=True)
class AnalysisSpec(_Spec):
    """One file of ``models/``: what the command line runs.

    Parameters
    ----------
    model : SharedSpecificSpec
        The model.
    reference : ReferenceSpec
        What features are standardised against.
    sampler : SamplerSpec
        How the posterior is sampled.
    kind : {"shared_specific"}
        Which model the file is about.

    Examples
    --------
    >>> spec = AnalysisSpec.from_mapping({"kind": "shared_specific", "model": {"n_factors": 3}})
    >>> spec.model.n_factors
    3
    """

    kind: Literal["shared_specific"] = "shared_specific"
    model: SharedSpecificSpec = field(default_factory=SharedSpecificSpec)
    reference: ReferenceSpec = field(default_factory=ReferenceSpec)
    sampler: SamplerSpec = field(default_factory=SamplerSpec)

    def __post_init__(self) -> None:
        if self.kind != "shared_specific":
            raise SpecError(f"kind must be 'shared_specific', got {self.kind!r}.")
        parts: dict[str, type[_Spec]] = {
            "model": SharedSpecificSpec,
            "reference": ReferenceSpec,
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
                    f"Cannot set '{dotted}': name a value as model.KEY, reference.KEY or "
                    "sampler.KEY."
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


def _settle[S: (SharedSpecificSpec, ReferenceSpec)](
    spec: S, dotted: str, available: tuple[str, ...]
) -> tuple[S, list[str]]:
    """Move the names that are available from ``<list>_if_present`` to ``<list>``."""
    key = dotted.partition(".")[2]
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
    return replace(spec, **changes), notes


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


__all__ = [
    "AnalysisSpec",
    "ReferenceSpec",
    "SamplerSpec",
    "SharedSpecificSpec",
    "read_spec",
    "replace",
    "write_spec",
]
