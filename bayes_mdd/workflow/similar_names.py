"""Optional names of a spec that a cohort has under another spelling: ask instead of leaving out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bayes_mdd.dims import ARM, DIAGNOSIS
from bayes_mdd.errors import DataContractError
from bayes_mdd.specs import AnalysisSpec
from bayes_mdd.specs.column_names import find_similar_columns

SYMPTOMS = "model.symptoms"


def raise_similar_names(spec: AnalysisSpec, available: Mapping[str, Iterable[str]]) -> None:
    """Raise one error for all optional names that are absent while a similar name is present.

    Parameters
    ----------
    spec : AnalysisSpec
        May have ``*_if_present`` lists.
    available : mapping of str to iterable of str
        Columns that are known and vary, by the list of the spec that takes them, for example
        ``{"model.covariates": ["age", "meanFD"]}``.

    Raises
    ------
    DataContractError
        If a name is absent but another column may be meant by it, unless the spec uses that column
        already.

    Examples
    --------
    >>> spec = AnalysisSpec(model={"covariates_if_present": ["age", "mean_fd"]})
    >>> raise_similar_names(spec, {"model.covariates": ["age", "site"]})
    >>> raise_similar_names(spec, {"model.covariates": ["age", "meanFD"]})
    Traceback (most recent call last):
    ...
    bayes_mdd.errors.DataContractError: columns that the spec names: 1 problem(s)
      1. there is no column 'mean_fd' that varies, but there is 'meanFD'. If it is the same \
quantity, rename it to 'mean_fd' in participants.tsv. Otherwise leave the name out: set \
model.covariates_if_present=[age].
    """
    used = _used_names(spec)
    asked: dict[str, list[str]] = {}
    lists: dict[str, list[str]] = {}
    for dotted, present in available.items():
        columns = [c for c in present if c not in (ARM, DIAGNOSIS)]
        for name in _optional(spec, dotted):
            similar = _similar(name, columns, symptoms=dotted == SYMPTOMS)
            if name in columns or not similar or {*similar} & used:
                continue
            asked.setdefault(name, []).extend(s for s in similar if s not in asked.get(name, ()))
            lists.setdefault(name, []).append(dotted)
    if asked:
        problems = [_question(spec, name, asked[name], lists[name]) for name in asked]
        raise DataContractError("columns that the spec names", problems)


def _similar(name: str, columns: list[str], *, symptoms: bool) -> list[str]:
    if symptoms:  # names of scales are fixed; two scales with one dimension have prefixes
        return [c for c in columns if c.endswith(f"_{name}")]
    return find_similar_columns(name, columns)


def _optional(spec: AnalysisSpec, dotted: str) -> list[str]:
    part, _, key = dotted.partition(".")
    return list(getattr(getattr(spec, part), f"{key}_if_present", ()))


def _used_names(spec: AnalysisSpec) -> set[str]:
    """All names that the spec uses whatever the cohort has, or if it has them."""
    names: set[str] = set()
    for dotted in ("model.covariates", "reference.covariates", SYMPTOMS):
        part, _, key = dotted.partition(".")
        names |= {*getattr(getattr(spec, part), key, ())} | {*_optional(spec, dotted)}
    return names


def _question(spec: AnalysisSpec, name: str, similar: list[str], lists: list[str]) -> str:
    listed = " and ".join(f"'{s}'" for s in similar)
    settings = " and ".join(
        f"{dotted}_if_present=[{', '.join(n for n in _optional(spec, dotted) if n != name)}]"
        for dotted in lists
    )
    if lists == [SYMPTOMS]:
        return (
            f"there is no symptom '{name}', but there is {listed}. Name one in model.symptoms, or "
            f"leave the name out: set {settings}."
        )
    return (
        f"there is no column '{name}' that varies, but there is {listed}. If it is the same "
        f"quantity, rename it to '{name}' in participants.tsv. Otherwise leave the name out: set "
        f"{settings}."
    )
