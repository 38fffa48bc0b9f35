"""Arguments and options that several commands have, declared once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bayes_mdd.cli.shipped import MODELS, RESPONSE_MODELS

SPEC_HELP = f"Spec file (.yaml), or the name of a shipped model ({', '.join(MODELS)})."

Cohort = Annotated[
    Path,
    typer.Argument(metavar="COHORT", help="Cohort folder (participants.tsv, features/, ...)."),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder written by `fit` or `demo`.")]
ResponseSpecName = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help=f"Spec file (.yaml), or the name of a shipped one ({', '.join(RESPONSE_MODELS)}).",
    ),
]
SpecName = Annotated[str, typer.Argument(metavar="SPEC", help=SPEC_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print the log of the package on stderr.")
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print no progress messages; warnings and errors remain."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS|local|FILE",
        help="Run these tasks on a Dask cluster: the address of its scheduler (tcp://host:8786), "
        "processes of this machine (local), or jobs of a batch system (a file such as "
        "slurm.yaml); --jobs is then the number of these processes or batch jobs.",
        show_default="this process and --jobs",
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, help="Random seed. The same seed gives the same numbers.")
]
SamplerSeed = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Random seed, in place of sampler.seed.",
        show_default="sampler.seed of the spec",
    ),
]
WithParticipants = Annotated[
    bool,
    typer.Option(
        "--with-participants",
        help="Name participants, the command line and folders; do not share the files then.",
    ),
]
HashIds = Annotated[
    Path | None,
    typer.Option(
        "--hash-ids",
        metavar="KEYFILE",
        help="Write keyed hashes in place of the ids of participants. The file holds the key; if "
        "it does not exist, it is made with a random one. Keep it secret.",
        show_default="none: ids as they are",
    ),
]
Controls = Annotated[
    list[str] | None,
    typer.Option(
        "--controls",
        metavar="WORD",
        help="Diagnosis that marks healthy controls, e.g. --controls NC; may be repeated.",
        show_default="HC and other known words",
    ),
]
NoControls = Annotated[
    bool,
    typer.Option(
        "--no-controls",
        help="There are no healthy controls: standardise features within the patients.",
    ),
]


def assignments(text: str) -> Any:
    """Declare ``--set KEY=VALUE``.

    Parameters
    ----------
    text : str
        Help text; how a list is written and "may be repeated" are added. A bracket followed by a
        letter would be read as markup and be lost.

    Returns
    -------
    typer option
        For `typing.Annotated`.
    """
    return typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=f"{text}; a list in brackets, within quotation marks; may be repeated.",
    )


Settings = Annotated[
    list[str] | None,
    assignments(
        "Replace a value of the spec, e.g. model.n_factors=6 or 'model.covariates=[ site, age ]'"
    ),
]


def output(text: str, default: str | None = None) -> Any:
    """Declare ``--output``.

    Parameters
    ----------
    text : str
        Help text.
    default : str, optional
        Description of a default that depends on other arguments.

    Returns
    -------
    typer option
        For `typing.Annotated`.
    """
    return typer.Option("--output", "-o", help=text, show_default=default or True)


def force(text: str) -> Any:
    """Declare ``--force``.

    Parameters
    ----------
    text : str
        Help text: what is replaced.

    Returns
    -------
    typer option
        For `typing.Annotated`.
    """
    return typer.Option("--force", help=text)


def former_flag(former: str, name: str) -> Any:
    """Declare the former name of a flag: hidden, with a warning.

    Parameters
    ----------
    former, name : str
        Former and present name, for example ``"--symptom-link"``.

    Returns
    -------
    typer option
        For `typing.Annotated`.
    """
    return typer.Option(former, hidden=True, callback=_warn_of(former, name))


def _warn_of(former: str, name: str) -> Callable[[bool], bool]:
    def warn(given: bool) -> bool:
        if given:
            warnings.warn(
                f"{former} is now called {name}; the former name will be removed in the next "
                "version.",
                DeprecationWarning,
                stacklevel=2,
            )
        return given

    return warn
