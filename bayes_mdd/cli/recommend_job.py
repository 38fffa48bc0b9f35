"""The job of ``bayes-mdd recommend``: benefits of new patients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import bayes_mdd as bm
from bayes_mdd.cli.messages import log
from bayes_mdd.cli.new_cohort import read_new_cohort, report_excluded
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError, some
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.files.targets import check_writable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: Columns of the table of patients, with their meaning; UNIT stands for that of the outcome.
COLUMNS = {
    "participant_id": "Participant",
    "recommendation": "Drug, 'no preference' (the default or the wish of the patient stands), or "
    "why none is given",
    "benefit": "Expected benefit of the other drug (UNIT); above 0 in its favour",
    "benefit_lower": "Lower end of the 90% interval",
    "benefit_lower_50": "Lower end of the 50% interval",
    "benefit_upper_50": "Upper end of the 50% interval",
    "benefit_upper": "Upper end of the 90% interval",
    "p_benefit": "Probability of any benefit",
    "p_minimum": "Probability of a benefit of more than the minimum",
    "in_support": "Whether the scores lie within those of the fitted patients",
}


@dataclass(frozen=True, eq=False)
class Recommendations:
    """Benefits of new patients.

    Parameters
    ----------
    people : Dataset
        From `bayes_mdd.predict_benefit`.
    excluded : dict of str to str
        Participants without a prediction, with the reason.
    """

    people: xr.Dataset
    excluded: dict[str, str]

    @property
    def counts(self) -> pd.DataFrame:
        """Number of patients by recommendation."""
        import pandas as pd

        said = pd.Series(self.people["recommendation"].values.astype(str))
        counts = said.value_counts().rename_axis("recommendation").rename("participants")
        return counts.reset_index()

    @property
    def table(self) -> pd.DataFrame:
        """One row per patient."""
        import pandas as pd

        people = self.people
        names = [c for c in COLUMNS if c not in ("participant_id", "benefit")]
        table = pd.DataFrame(
            {
                "participant_id": people["subject"].values.astype(str),
                "benefit": people["benefit_mean"].values,
                **{n: people[n].values for n in names},
            }
        )[list(COLUMNS)]
        for name, values, _ in _by_arm(people):
            table[name] = values
        return table

    @property
    def unit(self) -> str:
        """Unit of benefits and expected outcomes."""
        return str(self.people.attrs["unit"])

    def to_sidecar(self) -> str:
        """Write the meaning of the table as JSON."""
        attrs = self.people.attrs
        columns = {name: text.replace("UNIT", self.unit) for name, text in COLUMNS.items()}
        columns |= {name: text for name, _, text in _by_arm(self.people)}
        rule = {"p_star": float(attrs["p_star"]), "minimum": float(attrs["minimum"])}
        content = {
            "estimand": attrs["estimand"],
            "default_arm": attrs["default_arm"],
            "other_arm": attrs["other_arm"],
            "unit": self.unit,
            "rule": rule,
            "observational_reason": attrs["reason"] or None,
            "use": "Research only: not a medical device, not for decisions about a patient.",
            "columns": columns,
        }
        return json.dumps(content, indent=2) + "\n"


def _by_arm(people: xr.Dataset) -> Iterator[tuple[str, Any, str]]:
    """Columns of each drug: name, values and meaning."""
    if "expected" not in people:
        return
    unit = people.attrs["unit"]
    arms = people["arm"].values.astype(str)
    for arm in arms:
        draws = people["expected"].sel(arm=arm)
        yield (
            f"expected_{arm}", draws.mean(("chain", "draw")).values,
            f"Expected outcome on {arm} ({unit})",
        )  # fmt: skip
        for end, q, words in (("lower", 0.05, "Lower"), ("upper", 0.95, "Upper")):
            yield (
                f"expected_{arm}_{end}", draws.quantile(q, ("chain", "draw")).values,
                f"{words} end of its 90% interval",
            )  # fmt: skip
    if "p_remission" in people:
        for arm in arms:
            values = people["p_remission"].sel(arm=arm).values
            yield f"p_remission_{arm}", values, f"Probability of remission on {arm}"
    if "p_at_most" in people:
        for arm in arms:
            for level in people["level"].values[:-1]:
                values = people["p_at_most"].sel(arm=arm, level=level).values
                text = f"Probability of an outcome of at most {level:g} on {arm}"
                yield f"p_at_most_{level:g}_{arm}", values, text


def recommend_cohort(
    run: Path,
    cohort: Path,
    *,
    session: str | None,
    training: Path | None,
    average_levels: bool,
    other_reference: bool,
    controls: tuple[str, ...] | None,
    p_star: float | None,
    minimum: float | None,
    seed: int,
) -> Recommendations:
    """Project new patients on the factors of a run and predict their benefit.

    Parameters
    ----------
    run, cohort : Path
        The run folder, and the cohort of new patients.
    session : str or None
        Session of the new cohort.
    training : Path or None
        Cohort of the fit; its controls are then the reference.
    average_levels : bool
        Whether new sites are averaged over the known ones; refused otherwise.
    other_reference : bool
        Whether another reference than that of the fit is accepted.
    controls : tuple of str or None
        Diagnoses that mark controls in the new cohort.
    p_star, minimum : float or None
        The rule; default that of the run.
    seed : int
        Random seed.

    Returns
    -------
    Recommendations
        Benefits and recommendations.
    """
    response = bm.read_response(run)
    idata = bm.read_run(run)
    new = read_new_cohort(idata, cohort, session=session, training=training, controls=controls)
    _refuse_fitted(idata, new.features, cohort)
    levels: Literal["refuse", "average"] = "average" if average_levels else "refuse"
    projected = bm.project(
        idata,
        bm.hide_arms(_with_arms(new.features)),
        new_levels=levels,
        other_reference=other_reference,
        training=None if new.training is None else bm.hide_arms(new.training),
        symptoms=new.symptoms,
        seed=seed,
    )
    report_excluded(projected)
    excluded: dict[str, str] = json.loads(projected.attrs["excluded"])
    if not projected.sizes["subject"]:
        raise DataContractError(str(cohort), ["no participant can be projected."])
    people = bm.predict_benefit(
        response,
        bm.score_moments(projected),
        _read_covariates(response, cohort, controls, list(projected["subject"].values.astype(str))),
        p_star=p_star,
        minimum=minimum,
        seed=seed,
    )
    return Recommendations(people, excluded)


def _refuse_fitted(idata: xr.DataTree, features: xr.Dataset, cohort: Path) -> None:
    """Refuse a cohort that holds patients of the fit only."""
    known = set(idata["posterior"].to_dataset()["subject"].values.astype(str))
    names = features["subject"].values.astype(str)
    if "diagnosis" in features.coords:
        names = names[features["diagnosis"].values.astype(str) != "HC"]
    if len(names) and all(n in known for n in names):
        raise DataContractError(
            str(cohort),
            [
                f"all patients ({some(names)}) are in the fit, which knows their outcome: give new "
                "patients. What the rule gains for patients like those of the fit is in the report."
            ],
        )


def _with_arms(features: xr.Dataset) -> xr.Dataset:
    """Give new patients whose cohort has no column of arms a missing one."""
    if "arm" in features.coords:
        return features
    return features.assign_coords(arm=("subject", ["n/a"] * features.sizes["subject"]))


def _read_covariates(
    response: xr.DataTree, folder: Path, controls: tuple[str, ...] | None, names: list[str]
) -> pd.DataFrame | None:
    """Read baseline and covariates of new patients; None where they are incomplete, with a note."""
    spec = json.loads(response.attrs["spec"])
    codings = [str(c["name"]) for c in json.loads(response.attrs["codings"])]
    cohort = bm.read_cohort(folder, controls=controls)
    table = cohort.participants.copy()
    table.index = table.index.astype(str)
    baseline = spec["baseline"]
    if baseline is not None and baseline not in table:
        scale = str(baseline).removesuffix("_baseline")
        found = [c for c in (scale, f"{scale}_total") if c in cohort.symptoms]
        if found:
            table[baseline] = cohort.symptoms[found[0]].to_numpy()
    # The number of trials of a binomial outcome is that of the fit unless it is given.
    wanted = [*codings]
    if spec["kind"] == "binomial" and "n_trials" in table:
        wanted.append("n_trials")
    lacking = [c for c in wanted if c not in table or _is_missing(table.loc[names, c]).any()]
    if lacking:
        log.info(
            "Expected outcomes on each drug are left out: %s is not known for all participants.",
            ", ".join(lacking),
        )
        return None
    return table.loc[names, wanted]


def _is_missing(values: pd.Series) -> pd.Series:
    return values.isna() | values.astype(str).isin(["n/a", ""])


def check_target(path: Path, *, overwrite: bool) -> None:
    """Check where rows of patients will be written, before anything is computed.

    Parameters
    ----------
    path : Path
        The table.
    overwrite : bool
        Whether it may be replaced.

    Raises
    ------
    SpecError
        If the name does not end in ``.tsv``.
    RunFolderError
        If it exists and may not be replaced.
    WriteError
        If it cannot be written.
    """
    if path.suffix != ".tsv":
        raise SpecError(f"recommendations are a table: expected a name in .tsv, got {path}.")
    existing = [p.name for p in (path, path.with_suffix(".json")) if p.exists()]
    if existing and not overwrite:
        raise RunFolderError(
            f"{path.parent} already holds {', '.join(existing)}: choose another name, or replace "
            "these files with --force."
        )
    check_writable(path)


def write_people(found: Recommendations, path: Path) -> list[Path]:
    """Write one row per patient, with a sidecar.

    Parameters
    ----------
    found : Recommendations
        From `recommend_cohort`.
    path : Path
        The table.

    Returns
    -------
    list of Path
        What was written.
    """
    from bayes_mdd.response.store import to_tsv

    make_folder(path.parent)
    return [
        write_text(path, to_tsv(found.table)),
        write_text(path.with_suffix(".json"), found.to_sidecar()),
    ]
