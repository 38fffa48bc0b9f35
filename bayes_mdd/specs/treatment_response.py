"""The spec of a whole analysis of treatment response: scans, outcomes, evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, Self

from bayes_mdd.errors import SpecError
from bayes_mdd.specs.analysis import RESPONSE_KIND, AnalysisSpec
from bayes_mdd.specs.base import Spec, check_choices, check_whole
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.specs.sampler import SamplerSpec
from bayes_mdd.specs.spec_file import parse_values, read_values, write_values

#: Fields of `ResponseSpec` that a cohort folder declares.
DECLARED: Final = ("outcome", "baseline", "default_arm", "assignment", "higher_is_better")
#: Columns that the outcome is adjusted for, where the cohort has them.
OPTIONAL_COVARIATES: Final = "covariates_if_present"
#: Stand-ins for what only the cohort declares, to check everything else early.
_STAND_INS: Final = {"outcome": "outcome", "default_arm": "default", "assignment": "randomised"}


@dataclass(frozen=True, kw_only=True)
class OutcomeSpec(Spec):
    """Where the outcome is in a cohort folder.

    Parameters
    ----------
    scale : str, default "hamd17"
        Scale whose total is the outcome.
    endpoint : str, default "ses-week8"
        Session of the outcome.
    baseline : str, default "ses-baseline"
        Session before treatment.
    dimension : str, optional
        A score of the scale, such as ``"core"``. Default: its total.
    incomplete : {"refuse", "exclude"}, default "refuse"
        What to do about patients with an outcome whose baseline or covariates are not known.

    Raises
    ------
    SpecError
        If a name is empty, or both sessions are the same.
    """

    scale: str = "hamd17"
    endpoint: str = "ses-week8"
    baseline: str = "ses-baseline"
    dimension: str | None = None
    incomplete: Literal["refuse", "exclude"] = "refuse"

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("scale", "endpoint", "baseline", "dimension"):
            value = getattr(self, name)
            if name == "dimension" and value is None:
                continue
            if not isinstance(value, str) or not value.strip():
                raise SpecError(f"{name} must be a name, got {value!r}.")
        if self.endpoint == self.baseline:
            raise SpecError(
                f"endpoint and baseline are the same session ('{self.endpoint}'): baseline is the "
                "session before treatment."
            )


@dataclass(frozen=True, kw_only=True)
class EvaluationSpec(Spec):
    """How moderation is tested and a rule of treatment is evaluated.

    Parameters
    ----------
    permutations : int, default 999
        Assignments drawn for the randomisation test of moderation, at least 99.
    policy_permutations : int, default 199
        Assignments drawn for the randomisation p value of the gain; 0 leaves it out.
    folds : int, default 5
        Folds of the evaluation.
    repeats : int, default 10
        Divisions into folds that are averaged where the factors are fitted once.
    stage_one : {"refit", "once"}, default "refit"
        Whether the factors of the scans are fitted again without the patients of each fold, by the
        fast method, or once, to all scans. The outcomes are held out in both cases.
    refit_repeats : int, default 2
        Divisions into folds that are averaged where the factors are fitted again, which takes
        ``folds * (refit_repeats + 2) - 1`` fits.

    Raises
    ------
    SpecError
        If a value is out of its range.
    """

    permutations: int = 999
    policy_permutations: int = 199
    folds: int = 5
    repeats: int = 10
    stage_one: Literal["refit", "once"] = "refit"
    refit_repeats: int = 2

    def __post_init__(self) -> None:
        check_choices(self)
        check_whole(self, 99, "permutations")
        check_whole(self, 0, "policy_permutations")
        check_whole(self, 2, "folds")
        check_whole(self, 1, "repeats", "refit_repeats")
        if 0 < self.policy_permutations < 19:
            raise SpecError(
                f"policy_permutations must be 0 or at least 19, got {self.policy_permutations}."
            )


@dataclass(frozen=True, kw_only=True)
class TreatmentResponseSpec(Spec):
    """All settings of an analysis of treatment response, as in ``models/treatment_response.yaml``.

    Parameters
    ----------
    outcome : OutcomeSpec
        Where the outcome is.
    response : mapping
        Fields of `ResponseSpec` by name, and ``covariates_if_present``. Outcome, baseline,
        direction, default drug and assignment are those that the cohort declares, unless given
        here.
    stage_one : AnalysisSpec
        The factor model of the scans, which is fitted with the arms hidden.
    evaluation : EvaluationSpec
        Tests and folds.
    sampler : SamplerSpec
        How the posterior of the second stage is sampled.
    kind : str, default "treatment_response"
        Kind of the spec file.

    Raises
    ------
    SpecError
        If a key is unknown or a value out of its range.

    Examples
    --------
    >>> spec = TreatmentResponseSpec.from_mapping({"response": {"minimum": 2.0}})
    >>> spec.outcome.endpoint, spec.response["minimum"]
    ('ses-week8', 2.0)
    """

    kind: str = RESPONSE_KIND
    outcome: Any = field(default_factory=OutcomeSpec)
    response: Mapping[str, Any] = field(default_factory=dict)
    stage_one: Any = field(default_factory=AnalysisSpec)
    evaluation: Any = field(default_factory=EvaluationSpec)
    sampler: Any = field(default_factory=SamplerSpec)

    def __post_init__(self) -> None:
        problems = []
        if self.kind != RESPONSE_KIND:
            problems.append(f"kind must be '{RESPONSE_KIND}', got {self.kind!r}.")
        parts: dict[str, type[Spec]] = {
            "outcome": OutcomeSpec,
            "stage_one": AnalysisSpec,
            "evaluation": EvaluationSpec,
            "sampler": SamplerSpec,
        }
        for name, part in parts.items():
            value = getattr(self, name)
            if isinstance(value, part):
                continue
            try:
                built = part.from_mapping({} if value is None else value)
                object.__setattr__(self, name, built)
            except SpecError as error:
                problems.append(f"{name}: {error}")
        given = {} if self.response is None else self.response
        try:
            object.__setattr__(self, "response", _check_response(given))
        except SpecError as error:
            problems.append(f"response: {error}")
        problems += self._stage_one_problems()
        if problems:
            raise SpecError(" ".join(problems))

    def _stage_one_problems(self) -> list[str]:
        model = getattr(self.stage_one, "model", None)
        if model is None:
            return []
        problems = []
        if self.stage_one.kind != "shared_specific":
            problems.append(
                f"stage_one: kind must be 'shared_specific', got '{self.stage_one.kind}'."
            )
        elif model.controls == "arm":
            problems.append(
                "stage_one: model.controls must be 'reference': the factors are those of patients "
                "whose arms are hidden."
            )
        elif model.sharing is not None:
            problems.append("stage_one: model.sharing names arms, but the arms are hidden.")
        return problems

    def with_overrides(self, overrides: Mapping[str, Any]) -> Self:
        """Replace single values, named with dots.

        Parameters
        ----------
        overrides : mapping
            For example ``{"response.minimum": 2, "stage_one.model.n_factors": 4}``.

        Returns
        -------
        TreatmentResponseSpec
            A new spec; this one does not change.

        Raises
        ------
        SpecError
            If a name is unknown or a value is out of range.
        """
        raw = self.to_mapping()
        first: dict[str, Any] = {}
        for dotted, value in overrides.items():
            part, _, key = dotted.partition(".")
            if part == "stage_one" and key:
                first[key] = value
            elif key and isinstance(raw.get(part), dict):
                raw[part][key] = value
            else:
                raise SpecError(
                    f"Cannot set '{dotted}': write outcome.KEY, response.KEY, evaluation.KEY, "
                    "sampler.KEY, or stage_one.PART.KEY, e.g. stage_one.model.n_factors."
                )
        if first:
            raw["stage_one"] = self.stage_one.with_overrides(first).to_mapping()
        return type(self).from_mapping(raw)

    def changes(self, columns: list[str]) -> tuple[dict[str, Any], list[str]]:
        """List the fields of `ResponseSpec` that this spec sets, for the columns of a cohort.

        Parameters
        ----------
        columns : list of str
            Columns of the outcome table that are known and vary.

        Returns
        -------
        changes : dict
            Arguments for `bayes_mdd.response_spec`.
        notes : list of str
            One sentence for each optional covariate that was left out.
        """
        changes = dict(self.response)
        optional = [str(c) for c in changes.pop(OPTIONAL_COVARIATES, ())]
        required = tuple(changes.get("covariates", ()))
        there = tuple(c for c in optional if c in columns and c not in required)
        if required or there:
            changes["covariates"] = (*required, *there)
        notes = [
            f"response.covariates leaves out '{c}': this cohort lacks it or it does not vary."
            for c in optional
            if c not in columns
        ]
        return changes, notes


def _check_response(given: Any) -> dict[str, Any]:
    """Refuse unknown fields and values out of range, as far as they do not depend on a cohort."""
    if not isinstance(given, Mapping):
        raise SpecError(f"must be given as keys and values, got {type(given).__name__}.")
    known = [*(f.name for f in fields(ResponseSpec)), OPTIONAL_COVARIATES]
    problems = []
    for key in given:
        if key not in known:
            hint = get_close_matches(str(key), known, n=1)
            tail = f"Did you mean '{hint[0]}'?" if hint else f"Known keys: {', '.join(known)}."
            problems.append(f"Unknown key '{key}'. {tail}")
    if problems:
        raise SpecError(" ".join(problems))
    stated = dict(given)
    optional = stated.pop(OPTIONAL_COVARIATES, ())
    if isinstance(optional, str) or not all(isinstance(c, str) for c in optional):
        raise SpecError(f"{OPTIONAL_COVARIATES} must be a list of names, got {optional!r}.")
    stand_ins = dict(_STAND_INS)
    if stated.get("allow_observational") is not None:
        # Whether arms are observational is known when the cohort is read.
        stand_ins["assignment"] = "observational"
    checked = ResponseSpec.from_mapping({**stand_ins, **stated})
    plain = checked.to_mapping()
    found = {name: plain[name] for name in stated}
    return {**found, **({OPTIONAL_COVARIATES: list(optional)} if optional else {})}


def read_response_spec(path: str | Path) -> TreatmentResponseSpec:
    """Read the spec of an analysis of treatment response from YAML.

    Parameters
    ----------
    path : str or Path
        A file such as ``models/treatment_response.yaml``.

    Returns
    -------
    TreatmentResponseSpec
        The validated spec.

    Raises
    ------
    SpecError
        If the file is missing or not YAML, is the spec of another analysis, or has an unknown key
        or a value out of range.
    """
    path = Path(path)
    raw = read_values(path)
    kind = raw.get("kind", "shared_specific") if isinstance(raw, Mapping) else None
    if isinstance(raw, Mapping) and kind != RESPONSE_KIND:
        raise SpecError(
            f"{path}: kind is '{kind}'. `bayes-mdd response` takes a spec with kind: "
            f"{RESPONSE_KIND}, whose part 'stage_one' holds the settings of the factor model; "
            "start from models/treatment_response.yaml."
        )
    return parse_values(TreatmentResponseSpec, raw, path)


def write_response_spec(spec: TreatmentResponseSpec, path: str | Path) -> Path:
    """Write the spec of an analysis of treatment response as YAML.

    Parameters
    ----------
    spec : TreatmentResponseSpec
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
