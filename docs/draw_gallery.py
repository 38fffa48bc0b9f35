"""Draw the gallery of figures and write its page: ``make gallery``.

python docs/draw_gallery.py --run RUN --response RESPONSE_RUN --cohort COHORT [NAME ...]

Every call that the page shows is evaluated as it stands, so that picture and call agree. To add a
figure, add an `Entry`. Names of figures draw only those; the page always lists all.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

PAGE = Path(__file__).with_name("gallery.md")
IMAGES = Path(__file__).parent / "images" / "gallery"
DPI = 110
#: Colours of a picture: enough for figures, and a third of the size of full colour.
COLOURS = 256
#: Folders as the page names them; those given on the command line are read instead.
FOLDERS = {
    "run": "runs/demo",
    "response_run": "runs/demo/response_crossover",
    "cohort": "data/demo",
}

#: What the names in the calls stand for, computed when a picture needs them.
NAMES: dict[str, str] = {
    "idata": "bm.read_run(run)",
    "factors": "bm.classify_factors(idata)",
    "sig": "bm.signatures(idata, factors=factors)",
    "raw": "bm.read_features(cohort)",
    "features": 'bm.reference_to_controls(raw, covariates=["age", "sex", "mean_fd"])',
    "harmonized": 'bm.harmonize_sites(raw, covariates=["age", "sex"])',
    "response": "bm.read_response(response_run)",
    "trial": 'bm.simulate_trial(seed=2, n=100, n_factors=3, benefit_sd=4, missing="not random")',
    "spec": "bm.response_spec(trial.outcomes)",
    "fitted": 'bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")',
    "patients": 'bm.simulate_trial(seed=3, n=60, n_factors=3, prefix="new")',
    "benefits": "bm.predict_benefit(fitted, patients.scores)",
    "missing": "bm.missing_sensitivity(spec, trial.scores, trial.outcomes, trial.visits)",
    "curve": 'pd.read_csv(f"{response_run}/response/curve.tsv", sep="\\t")',
    "toc": 'pd.read_csv(f"{response_run}/response/toc.tsv", sep="\\t")',
    "groups": 'pd.read_csv(f"{response_run}/response/calibration.tsv", sep="\\t")',
    "sizes": """pd.concat(
    [
        bm.plan_power("moderator", benefit_sd=s, reliability=r).assign(benefit_sd=s, reliability=r)
        for s in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1)
        for r in (0.5, 0.8, 1)
    ]
)""",
    "outcomes": (
        'bm.read_outcomes(cohort, scale="hamd17", baseline="ses-baseline", endpoint="ses-week8")'
    ),
    "baselines": """bm.compare_baselines(
    bm.response_spec(outcomes),
    raw,
    outcomes,
    ["majority", "clinical", "ridge", "pca + lars"],
    repeats=2,
    permutations=0,
)""",
    "halves": """{
    site: bm.fit(
        bm.SharedSpecificSpec(n_factors=5),
        features.isel(subject=(features.site == site).values),
        method="fast",
    )
    for site in ("site1", "site2")
}""",
    "other": "bm.simulate_cohort(8).features",
    "followup": 'raw[["y"]].assign(y=raw.y + 0.5 * (other.y - other.y.mean("subject")).values)',
    "change": 'bm.reference_to_controls(bm.change_features(followup, raw[["y"]]))',
    "moved": 'bm.fit(bm.SharedSpecificSpec(n_factors=5), change, method="fast")',
    "polar": """bm.fit(
    bm.PolarLDASpec(n_factors=2, n_restarts=4, n_resamples=20), features, progressbar=False
)""",
}


@dataclass(frozen=True)
class Entry:
    """One figure of the gallery.

    Parameters
    ----------
    name : str
        Of the function in `bayes_mdd.plotting`.
    call : str
        Its arguments, in the names of `NAMES` and `FOLDERS`.
    says : str
        One sentence: what the figure shows.
    image : str, default ""
        Name of its picture, where the function has several; default that of the function.
    """

    name: str
    call: str
    says: str
    image: str = ""

    @property
    def file(self) -> str:
        """Name of its picture."""
        return f"{self.image or self.name}.png"


#: Figures by heading of the page, in its order.
GALLERY: dict[str, tuple[Entry, ...]] = {
    "Factors and arms": (
        Entry(
            "plot_sharing",
            "idata, factors=factors",
            "How the arms share the variance of each factor, from one arm only to the other.",
        ),
        Entry(
            "plot_explained",
            "idata, factors=factors",
            "The share of each arm's variance that each factor explains.",
        ),
        Entry(
            "plot_variance",
            "idata, factors=factors",
            "The same as a heat map with numbers and intervals, and the total of each arm.",
        ),
        Entry(
            "plot_scores",
            "idata, factors=factors",
            "Scores by arm: distribution, mean of the arm, and each participant with an interval.",
        ),
    ),
    "Maps of factors": (
        Entry(
            "plot_connectome",
            'sig, "F2"',
            "The strongest edges of one factor whose interval excludes 0, in a glass brain.",
        ),
        Entry(
            "plot_top_edges",
            'sig, "F3", top=15',
            "The strongest loadings of one factor by name, with intervals.",
        ),
        Entry(
            "plot_circle",
            'sig, "F3", top=40',
            "The strongest edges of one factor on a circle of networks.",
        ),
        Entry(
            "plot_regions",
            'sig, "F3"',
            "How much each region takes part in one factor, in a glass brain.",
        ),
        Entry(
            "plot_regions",
            'sig, "F3", "negative", kind="surface"',
            "The loadings below 0 of one factor on the cortex.",
            "plot_regions_surface",
        ),
        Entry(
            "plot_block_map",
            "idata, labels=factors",
            "The variance that each factor explains in each pair of networks.",
        ),
    ),
    "Symptoms": (
        Entry(
            "plot_symptom_links",
            "idata, factors=factors",
            "The weight of each factor in each symptom.",
        ),
        Entry(
            "plot_score_symptom",
            'idata, "F3", "retardation", factors=factors',
            "A symptom as it was rated against the scores of a factor, with the link of the model.",
        ),
    ),
    "Checks of a fit": (
        Entry(
            "plot_convergence",
            "idata",
            "Whether the chains agree: ranks, traces, energy and R-hat, drawn by ArviZ.",
        ),
        Entry(
            "plot_prior_posterior",
            "idata, factors=factors",
            "What the data changed: prior against posterior of sharing and of weights in symptoms.",
        ),
        Entry(
            "plot_predictive",
            "idata",
            "Whether data replicated by the model look like the data, and statistics of residuals.",
        ),
    ),
    "Several cohorts, and change": (
        Entry(
            "plot_cohorts",
            '{"all": idata, **halves}',
            "Factors of several cohorts, matched by their maps, with intervals in each cohort.",
        ),
        Entry(
            "plot_combined",
            """
    bm.combine_cohorts({site: bm.summarise_cohort(fit) for site, fit in halves.items()})
""",
            "Patterns of several cohorts: each cohort alone, all combined, and a new cohort.",
        ),
        Entry(
            "plot_change_maps",
            'moved, "F1"',
            "Follow-up minus baseline along a factor: signed change by pair of networks and arm.",
        ),
    ),
    "Data": (
        Entry(
            "plot_quality",
            "bm.check_quality(raw)",
            "Head motion by group, extreme values, and how features follow motion.",
        ),
        Entry(
            "plot_site_effects",
            'raw, harmonized, covariates=["age", "sex"]',
            "Variance of features explained by site, before and after harmonisation.",
        ),
    ),
    "Treatment response": (
        Entry(
            "plot_crossover",
            "response",
            "Outcomes of patients on each drug, and the benefit of the other drug, against the "
            "score of a factor.",
        ),
        Entry(
            "plot_response_factors",
            "response",
            "Prognosis on either drug beside moderation of the difference between the drugs.",
        ),
        Entry(
            "plot_benefits",
            "benefits",
            "What each patient would gain from the other drug, sorted, without ids.",
        ),
        Entry(
            "plot_icons",
            '{"SNRI preferred": 31, "SSRI preferred": 22, "no preference": 47}',
            "What a rule would recommend to a hundred patients.",
        ),
        Entry(
            "plot_gain_curve",
            "curve",
            "What a rule gains against how often it states a preference, in held-out patients.",
        ),
        Entry(
            "plot_priorities",
            "toc",
            "What the patients of highest predicted benefit gain beyond the average.",
        ),
        Entry(
            "plot_benefit_calibration",
            "groups",
            "Observed against predicted benefit in groups of held-out patients.",
        ),
        Entry(
            "plot_tipping",
            "missing",
            "How results depend on what missing outcomes are assumed to be.",
        ),
        Entry(
            "plot_power",
            "sizes, trial=(0.75, 60)",
            "How many patients a trial needs to find that a factor moderates the response.",
        ),
        Entry(
            "plot_baselines",
            "baselines.table, baselines.paired",
            "Machine-learning baselines on common folds, with paired differences.",
        ),
    ),
    "Polar LDA": (
        Entry(
            "plot_compositions",
            "polar",
            "How much participants and arms express each factor of a polar LDA.",
        ),
        Entry("plot_null", "polar", "The gain of a polar LDA against fits to permuted edges."),
    ),
}


class Values(Mapping[str, Any]):
    """The names of the calls; each is evaluated when it is first asked for.

    Parameters
    ----------
    folders : dict of str to str
        Folders by name, as in `FOLDERS`.
    """

    def __init__(self, folders: dict[str, str]) -> None:
        import pandas as pd

        import bayes_mdd as bm

        self._found: dict[str, Any] = {"bm": bm, "pd": pd, **folders}

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            if name not in NAMES:
                raise KeyError(name)
            self._found[name] = evaluate(NAMES[name], self)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._found, **NAMES})

    def __len__(self) -> int:
        return len({**self._found, **NAMES})


def evaluate(code: str, values: Values) -> Any:
    """Evaluate an expression of this file.

    Parameters
    ----------
    code : str
        Python.
    values : Values
        The names in it.

    Returns
    -------
    object
        Its value.
    """
    return eval(code, {}, values)


def write_call(entry: Entry) -> str:
    """Write the call of an entry.

    Parameters
    ----------
    entry : Entry
        A figure.

    Returns
    -------
    str
        Python.
    """
    return f"bm.plotting.{entry.name}({entry.call})"


def save(figure: Any, path: Path) -> int:
    """Save a figure as a small PNG file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : Path
        The file.

    Returns
    -------
    int
        Its size in bytes.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, facecolor="white")
    drawn.seek(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    few = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return path.stat().st_size


def write_page() -> str:
    """Write the page of the gallery.

    Returns
    -------
    str
        Markdown.
    """
    names = "\n".join(f"{name} = {code}" for name, code in {**_quoted(), **NAMES}.items())
    parts = [
        "<!-- Written by docs/draw_gallery.py: make gallery -->",
        "# Gallery of figures",
        "Every figure of the package, of the synthetic demo cohort (no real person). All functions "
        "are in `bm.plotting`, return the Matplotlib figure, and draw into axes of the caller when "
        "given `ax` or `axes`. Each picture was drawn by the call below it; the "
        "[last section](#names-in-the-calls) says what the names in the calls are.",
    ]
    for heading, entries in GALLERY.items():
        parts.append(f"## {heading}")
        shown = ""
        for entry in entries:
            # A function with several pictures has one heading.
            parts += [f"### {entry.name}"] if entry.name != shown else []
            shown = entry.name
            parts += [
                f"![{entry.says}](images/gallery/{entry.file})",
                entry.says,
                f"```python\n{write_call(entry)}\n```",
            ]
    parts += [
        "## Names in the calls",
        "`bayes-mdd demo` writes the runs.",
        f"```python\nimport pandas as pd\n\nimport bayes_mdd as bm\n\n{names}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _quoted() -> dict[str, str]:
    return {name: f'"{folder}"' for name, folder in FOLDERS.items()}


def main() -> None:
    """Draw, and write the page."""
    parser = argparse.ArgumentParser(description="Draw the gallery of figures, write its page.")
    for name, folder in FOLDERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=folder)
    parser.add_argument("names", nargs="*", help="figures to draw; default all")
    given = vars(parser.parse_args())
    chosen = given.pop("names")
    entries = [e for group in GALLERY.values() for e in group]
    if unknown := set(chosen) - {e.name for e in entries}:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    values = Values(given)
    for entry in entries:
        if not chosen or entry.name in chosen:
            size = save(evaluate(write_call(entry), values), IMAGES / entry.file)
            print(f"{entry.name}: {size / 1024:.0f} kB", flush=True)  # noqa: T201
    PAGE.write_text(write_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
