"""Agreement of the factors of a fit with findings of the literature."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import SpecError
from bayes_mdd.evidence.agreement import Agreement, adjust_holm, compare_signs
from bayes_mdd.evidence.maps import Maps, place_on_maps, read_maps
from bayes_mdd.evidence.slopes import POOLED, Slopes, read_slopes
from bayes_mdd.evidence.tables import CHANGE, MODERATION, PROGNOSIS, require_findings
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Fewest studies on which agreement is stated. With fewer, even complete agreement has a
#: probability above 0.05 under independent fair signs: 1/2^n if the outcome fixes the sign of a
#: factor, 2/2^n if it is free.
FEWEST_LINKED: Final = 5
FEWEST_FREE: Final = 6
TOO_FEW, MORE, NO_MORE = "too few findings", "more than by chance", "not more than by chance"
ALL_FACTORS: Final = "all factors"
LEVEL: Final = 0.05
_COLUMNS: Final = (
    *("factor", "name", "drug_class", "n_findings", "n_studies", "agreement", "agreement_lower"),
    *("agreement_upper", "expected", "p_chance", "verdict"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class EvidenceConcordance:
    """Agreement of factors with findings of the literature.

    Parameters
    ----------
    table : DataFrame
        One row per factor and drug class; see `evidence_concordance`.
    findings : DataFrame
        Findings that have a place on the map: ``finding_id``, ``citation``, ``drug_class``,
        ``direction``, ``p_same_sign`` (posterior probability that the fit implies the same sign,
        over all factors; missing without outcomes).
    unplaced : DataFrame
        Other findings on this estimand: ``finding_id``, ``reason``.
    estimand : str
        What is compared: ``prognosis``, ``moderation`` or ``change``.
    linked : bool
        Whether the link of the factors with the outcome is known.
    fewest : int
        Number of studies below which nothing is said.
    """

    table: pd.DataFrame
    findings: pd.DataFrame
    unplaced: pd.DataFrame
    estimand: str
    linked: bool
    fewest: int

    @property
    def n_studies(self) -> int:
        """Number of studies that the comparison rests on."""
        return int(self.findings["citation"].nunique())

    @property
    def sentence(self) -> str:
        """The result in words, with the number of findings."""
        n, studies = len(self.findings), self.n_studies
        start = (
            f"{n} finding{'' if n == 1 else 's'} of {studies} "
            f"stud{'y' if studies == 1 else 'ies'} on {self.estimand} can be placed on the maps of "
            "this fit"
        )
        told = self.table[self.table["verdict"] != TOO_FEW]
        if told.empty:
            return f"{start}. At least {self.fewest} studies are needed to say whether they agree."
        if not self.linked:
            more = told[told["verdict"] == MORE]
            listed = ", ".join(f"{r['factor']} ({r['drug_class']})" for _, r in more.iterrows())
            return (
                f"{start}. Factors whose pattern agrees with their signs more than by chance: "
                f"{listed or 'none'} (of {told['factor'].nunique()})."
            )
        row = told.iloc[0]
        return (
            f"{start}. {row['agreement']:.0%} [{row['agreement_lower']:.0%}, "
            f"{row['agreement_upper']:.0%}] have the sign that the fit implies (expected by chance "
            f"{row['expected']:.0%}, p = {row['p_chance']:.3f}): {row['verdict']}."
        )


def evidence_concordance(
    fit: xr.DataTree | xr.Dataset,
    response: xr.DataTree | None = None,
    *,
    findings: pd.DataFrame | None = None,
    estimand: str | None = None,
    factors: Sequence[str] | None = None,
    regions: Mapping[str, Sequence[str]] | None = None,
    networks: Mapping[str, Sequence[str]] | None = None,
    drug_classes: Mapping[str, str] | None = None,
    n_permutations: int = 999,
    seed: int = 1,
) -> EvidenceConcordance:
    """Compare the maps of a fit with the signs of findings of the literature.

    The sign of a factor is arbitrary, so that a loading alone has no sign to compare. With
    `response`, the product of loading and slope of the better outcome on the score is compared: it
    does not change when a factor is reflected, and its sum over factors does not change when
    factors are rotated. Without it, only the pattern is compared: whether places that were reported
    with the same sign have loadings of the same sign, up to one reflection.

    Parameters
    ----------
    fit : DataTree or Dataset
        A fit of factors, from `fit` or `read_run`, or what `signatures` returned (then without
        intervals).
    response : DataTree, optional
        From `fit_response` (or ``analyse_response(...).response``) on the scores of `fit`.
    findings : DataFrame, optional
        From `find_evidence`. Default: `read_evidence`. Only findings with a sign count.
    estimand : {"prognosis", "moderation", "change"}, optional
        Which findings are compared, and with what: slopes of the outcome within the drug class of
        the finding (prognosis, change), or their difference between the classes (moderation, with
        `response` only). Default: ``change`` for fits of change, otherwise ``prognosis``.
    factors : sequence of str, optional
        Factors to compare. Default: those of `response`, or all that have loadings.
    regions, networks : mapping of str to sequence of str, optional
        Regions (networks) of the fit by the name in the findings, where names do not agree, e.g.
        ``{"acc": ["ACC_L", "ACC_R"]}``.
    drug_classes : mapping of str to str, optional
        Drug class by arm, where the name of the arm states neither class nor drug.
    n_permutations : int, default 999
        Permutations of structures (both sides together) and of networks.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    EvidenceConcordance
        ``table`` has one row per factor (``factor`` and, where signatures or scores have it, its
        ``name``): with `response` after a row for all factors together,
        without it for each drug class. ``n_findings``, ``n_studies``; ``agreement``, the share of
        findings with the same sign, each study counting once (posterior mean with 90% interval);
        ``expected`` and ``p_chance``, the mean over permutations and how often they agree at least
        as well; ``verdict``: "more than by chance" (p at most 0.05; of single factors after Holm's
        correction), "not more than by chance", or "too few findings" (fewer than 5 studies, 6
        without `response`; agreement is then missing).

    Raises
    ------
    DataContractError
        If the fit has no maps, or `response` belongs to another fit.
    SpecError
        If an argument is out of range.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> run, response = bm.read_run("trial"), bm.read_response("trial")  # doctest: +SKIP
    >>> print(bm.evidence_concordance(run, response).sentence)  # doctest: +SKIP
    1 finding of 1 study on prognosis can be placed on the maps of this fit. At least 5 studies \
are needed to say whether they agree.
    """
    table = require_findings(findings)
    asked = _check(fit, response, estimand, n_permutations)
    loadings, names = read_maps(fit, factors)
    about = table[table["estimand"] == asked]
    signed = about[about["direction"].isin(("+", "-"))]
    unplaced = dict.fromkeys(
        about.loc[~about["finding_id"].isin(signed["finding_id"]), "finding_id"],
        "the source states no sign",
    )
    slopes = None
    if response is not None:
        slopes = read_slopes(response, drug_classes, asked, _source(fit))
        names = read_maps(fit, factors or slopes.factors)[1]
        slopes = slopes.only(names)
        signed, reasons = slopes.choose(signed)
        unplaced |= reasons
    maps, reasons = place_on_maps(loadings, names, signed, regions, networks)
    unplaced |= reasons
    used = signed[signed["finding_id"].isin(list(maps.places))].reset_index(drop=True)
    rng = generator(seed, Stream.EVIDENCE)
    same: Any = np.nan
    if slopes is None:
        rows = _compare_patterns(maps, used, n_permutations, rng)
    else:
        rows, same = _compare_links(maps, used, slopes, n_permutations, rng)
    said = _read_names(fit, response)
    compared = pd.DataFrame(rows, columns=list(_COLUMNS))
    compared["name"] = [said.get(f, f) for f in compared["factor"].astype(str)]
    return EvidenceConcordance(
        table=compared,
        findings=used[["finding_id", "citation", "drug_class", "direction"]].assign(
            p_same_sign=same
        ),
        unplaced=pd.DataFrame(list(unplaced.items()), columns=["finding_id", "reason"]),
        estimand=asked,
        linked=slopes is not None,
        fewest=FEWEST_FREE if slopes is None else FEWEST_LINKED,
    )


def _check(
    fit: xr.DataTree | xr.Dataset,
    response: xr.DataTree | None,
    estimand: str | None,
    n_permutations: int,
) -> str:
    """Check arguments and choose the estimand."""
    problems = []
    asked = estimand or (CHANGE if fit.attrs.get("estimand") == CHANGE else PROGNOSIS)
    if asked not in (PROGNOSIS, MODERATION, CHANGE):
        problems.append(
            f"estimand must be {PROGNOSIS}, {MODERATION} or {CHANGE}, got {estimand!r}."
        )
    if asked == MODERATION and response is None:
        problems.append("estimand 'moderation' needs a response: pass what fit_response returned.")
    if n_permutations < 19:
        problems.append(f"n_permutations must be at least 19, got {n_permutations}.")
    if problems:
        raise SpecError(" ".join(problems))
    return asked


def _read_names(fit: xr.DataTree | xr.Dataset, response: xr.DataTree | None) -> dict[str, str]:
    """Names of factors that signatures or a fit of outcomes hold."""
    if isinstance(fit, xr.Dataset) and "name" in fit.coords:
        keys, names = (fit[v].values.astype(str).tolist() for v in (FACTOR, "name"))
        return dict(zip(keys, names, strict=True))
    stored = {} if response is None else json.loads(str(response.attrs.get("factor_names", "{}")))
    return {str(k): str(v) for k, v in stored.items()}


def _source(fit: xr.DataTree | xr.Dataset) -> str:
    """Fingerprint of a run; empty where it has none."""
    try:
        return str(json.loads(str(fit.attrs.get("provenance", "{}"))).get("fingerprint", ""))
    except (ValueError, AttributeError):
        return ""


def _compare_patterns(
    maps: Maps, used: pd.DataFrame, n_permutations: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Compare factors whose sign is free, for each drug class."""
    rows: list[dict[str, Any]] = []
    named = list(dict.fromkeys(c for c in used["drug_class"] if c not in POOLED))
    for drug_class in named or list(dict.fromkeys(used["drug_class"])):
        own = used[used["drug_class"].isin((drug_class, *POOLED))]
        agreement = None
        if own["ref"].nunique() >= FEWEST_FREE and maps.factors:
            ids = own["finding_id"].tolist()
            mean, draws = maps.at(ids)
            permuted = maps.permuted(ids, n_permutations, rng)
            agreement = compare_signs(
                mean, draws, permuted, _signs(own), own["ref"].to_numpy(float), free=True
            )
        rows += _rows(maps.factors, drug_class, own, agreement)
    return rows


def _compare_links(
    maps: Maps,
    used: pd.DataFrame,
    slopes: Slopes,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[list[dict[str, Any]], Array]:
    """Compare what factors imply for the outcome, all together and each."""
    names = (ALL_FACTORS, *maps.factors)
    if used.empty or not maps.factors:
        return _rows(names, "all", used, None), np.empty(len(used))
    ids = used["finding_id"].tolist()
    mean, draws = maps.at(ids)
    slope = slopes.of(used["drug_class"])
    rows = np.linspace(0, len(slope) - 1, max(len(draws), min(len(slope), 400))).round().astype(int)
    taken = np.linspace(0, len(draws) - 1, len(rows)).round().astype(int)
    implied = _with_total(draws[taken] * slope[rows])
    signs = _signs(used)
    same = (0.5 + 0.5 * np.sign(implied[:, 0]) * signs).mean(axis=0)
    agreement = None
    if used["ref"].nunique() >= FEWEST_LINKED:
        average = slope.mean(axis=0)
        permuted = maps.permuted(ids, n_permutations, rng)
        agreement = compare_signs(
            _with_total((mean * average)[None])[0], implied, _with_total(permuted * average),
            signs, used["ref"].to_numpy(float), free=False,
        )  # fmt: skip
    return _rows(names, "all", used, agreement), np.asarray(same)


def _with_total(values: Array) -> Array:
    """Put the sum over factors before them, shape (draw, 1 + factor, finding)."""
    return np.concatenate([values.sum(axis=1, keepdims=True), values], axis=1)


def _signs(findings: pd.DataFrame) -> Array:
    return np.where(findings["direction"] == "+", 1.0, -1.0)


def _rows(
    names: Sequence[str], drug_class: str, findings: pd.DataFrame, agreement: Agreement | None
) -> list[dict[str, Any]]:
    known = {
        "drug_class": drug_class,
        "n_findings": len(findings),
        "n_studies": int(findings["ref"].nunique()),
    }
    if agreement is None:
        none = dict.fromkeys(_COLUMNS[5:-1], float("nan"))
        return [{"factor": name, **known, **none, "verdict": TOO_FEW} for name in names]
    p_values = agreement.p_values
    single = np.array([name != ALL_FACTORS for name in names])
    judged = p_values.copy()
    judged[single] = adjust_holm(p_values[single])
    low, high = np.quantile(agreement.draws, [0.05, 0.95], axis=0)
    return [
        {
            "factor": name,
            **known,
            "agreement": float(agreement.draws[:, k].mean()),
            "agreement_lower": float(low[k]),
            "agreement_upper": float(high[k]),
            "expected": float(agreement.null[:, k].mean()),
            "p_chance": float(p_values[k]),
            "verdict": MORE if judged[k] <= LEVEL else NO_MORE,
        }
        for k, name in enumerate(names)
    ]
