"""What the methods paragraph cites, as text, Markdown, LaTeX and BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Style = Literal["plain", "markdown", "latex"]


@dataclass(frozen=True)
class Reference:
    """One cited work.

    Parameters
    ----------
    key : str
        Key of BibTeX.
    kind : str
        Entry of BibTeX, e.g. ``"article"``.
    text : str
        As it stands in a list of references.
    doi : str
        Without resolver; empty where there is none.
    fields : mapping of str to str
        Further fields of BibTeX.
    """

    key: str
    kind: str
    text: str
    doi: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def bibtex(self) -> str:
        """The entry as BibTeX."""
        fields = dict(self.fields) | ({"doi": self.doi} if self.doi else {})
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


def _article(
    key: str, text: str, doi: str, author: str, title: str, journal: str, place: str, year: int
) -> Reference:
    volume, _, pages = place.partition(":")
    fields = {"author": author, "title": title, "journal": journal, "year": str(year)}
    fields |= {"volume": volume} | ({"pages": pages.replace("-", "--")} if pages else {})
    return Reference(key, "article", text, doi, fields)


#: Sentences cite them by position, the first is [1].
REFERENCES: Final = (
    _article(
        "DeVito2019",
        "De Vito R, Bellio R, Trippa L, Parmigiani G (2019). Multi-study factor analysis. "
        "Biometrics 75, 337-346.",
        "10.1111/biom.12974",
        "De Vito, Roberta and Bellio, Ruggero and Trippa, Lorenzo and Parmigiani, Giovanni",
        "Multi-study factor analysis",
        "Biometrics",
        "75:337-346",
        2019,
    ),
    _article(
        "Piironen2017",
        "Piironen J, Vehtari A (2017). Sparsity information and regularization in the horseshoe "
        "and other shrinkage priors. Electronic Journal of Statistics 11, 5018-5051.",
        "10.1214/17-EJS1337SI",
        "Piironen, Juho and Vehtari, Aki",
        "Sparsity information and regularization in the horseshoe and other shrinkage priors",
        "Electronic Journal of Statistics",
        "11:5018-5051",
        2017,
    ),
    _article(
        "Hoffman2014",
        "Hoffman MD, Gelman A (2014). The No-U-Turn Sampler: adaptively setting path lengths in "
        "Hamiltonian Monte Carlo. Journal of Machine Learning Research 15, 1593-1623.",
        "",
        "Hoffman, Matthew D. and Gelman, Andrew",
        "The {No-U-Turn} Sampler: adaptively setting path lengths in {Hamiltonian} {Monte} {Carlo}",
        "Journal of Machine Learning Research",
        "15:1593-1623",
        2014,
    ),
    _article(
        "AbrilPla2023",
        "Abril-Pla O et al. (2023). PyMC: a modern and comprehensive probabilistic programming "
        "framework in Python. PeerJ Computer Science 9, e1516.",
        "10.7717/peerj-cs.1516",
        "Abril-Pla, Oriol and others",
        "{PyMC}: a modern and comprehensive probabilistic programming framework in {Python}",
        "PeerJ Computer Science",
        "9:e1516",
        2023,
    ),
    Reference(
        "Poworoznek2021",
        "misc",
        "Poworoznek E, Anceschi N, Ferrari F, Dunson D (2021). Efficiently resolving rotational "
        "ambiguity in Bayesian matrix sampling with matching. arXiv:2107.13783.",
        "10.48550/arXiv.2107.13783",
        {
            "author": "Poworoznek, Evan and Anceschi, Niccolo and Ferrari, Federico and Dunson, "
            "David",
            "title": "Efficiently resolving rotational ambiguity in {Bayesian} matrix sampling "
            "with matching",
            "year": "2021",
            "eprint": "2107.13783",
            "archivePrefix": "arXiv",
        },
    ),
    _article(
        "Vehtari2021",
        "Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner P-C (2021). Rank-normalization, "
        "folding, and localization: an improved R-hat for assessing convergence of MCMC. Bayesian "
        "Analysis 16, 667-718.",
        "10.1214/20-BA1221",
        'Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and B{\\"u}rkner, '
        "Paul-Christian",
        "Rank-normalization, folding, and localization: an improved {R-hat} for assessing "
        "convergence of {MCMC}",
        "Bayesian Analysis",
        "16:667-718",
        2021,
    ),
    _article(
        "Isserlis1918",
        "Isserlis L (1918). On a formula for the product-moment coefficient of any order of a "
        "normal frequency distribution in any number of variables. Biometrika 12, 134-139.",
        "10.1093/biomet/12.1-2.134",
        "Isserlis, L.",
        "On a formula for the product-moment coefficient of any order of a normal frequency "
        "distribution in any number of variables",
        "Biometrika",
        "12:134-139",
        1918,
    ),
    Reference(
        "Olkin1976",
        "incollection",
        "Olkin I, Siotani M (1976). Asymptotic distribution of functions of a correlation matrix. "
        "In: Essays in Probability and Statistics, 235-251.",
        "",
        {
            "author": "Olkin, Ingram and Siotani, Minoru",
            "title": "Asymptotic distribution of functions of a correlation matrix",
            "booktitle": "Essays in Probability and Statistics",
            "pages": "235--251",
            "year": "1976",
        },
    ),
    Reference(
        "Thanwerdas2021",
        "inproceedings",
        "Thanwerdas Y, Pennec X (2021). Geodesics and curvature of the quotient-affine metrics on "
        "full-rank correlation matrices. Geometric Science of Information, LNCS 12829, 93-102.",
        "",
        {
            "author": "Thanwerdas, Yann and Pennec, Xavier",
            "title": "Geodesics and curvature of the quotient-affine metrics on full-rank "
            "correlation matrices",
            "booktitle": "Geometric Science of Information",
            "series": "LNCS",
            "volume": "12829",
            "pages": "93--102",
            "year": "2021",
            "eprint": "2103.04621",
            "archivePrefix": "arXiv",
        },
    ),
    _article(
        "Zellner1962",
        "Zellner A (1962). An efficient method of estimating seemingly unrelated regressions and "
        "tests for aggregation bias. Journal of the American Statistical Association 57, 348-368.",
        "10.1080/01621459.1962.10480664",
        "Zellner, Arnold",
        "An efficient method of estimating seemingly unrelated regressions and tests for "
        "aggregation bias",
        "Journal of the American Statistical Association",
        "57:348-368",
        1962,
    ),
    _article(
        "Martin2026",
        "Martin OA, Abril-Pla O, Deklerk J, Axen SD, Carroll C, Hartikainen A, Vehtari A (2026). "
        "ArviZ: a modular and flexible library for exploratory analysis of Bayesian models. "
        "Journal of Open Source Software 11(119), 9889.",
        "10.21105/joss.09889",
        "Martin, Osvaldo A. and Abril-Pla, Oriol and Deklerk, Jordan and Axen, Seth D. and "
        "Carroll, Colin and Hartikainen, Ari and Vehtari, Aki",
        "{ArviZ}: a modular and flexible library for exploratory analysis of {Bayesian} models",
        "Journal of Open Source Software",
        "11:9889",
        2026,
    ),
    Reference(
        "Nilearn",
        "software",
        "Nilearn contributors. Nilearn. Zenodo.",
        "10.5281/zenodo.8397156",
        {"author": "{Nilearn contributors}", "title": "Nilearn", "publisher": "Zenodo"},
    ),
    Reference(
        "Seyboldt2026",
        "misc",
        "Seyboldt A, Carlson EL, Carpenter B (2026). Preconditioning Hamiltonian Monte Carlo by "
        "minimizing Fisher divergence. arXiv:2603.18845.",
        "10.48550/arXiv.2603.18845",
        {
            "author": "Seyboldt, Adrian and Carlson, Eliot L. and Carpenter, Bob",
            "title": "Preconditioning {Hamiltonian} {Monte} {Carlo} by minimizing {Fisher} "
            "divergence",
            "year": "2026",
            "eprint": "2603.18845",
            "archivePrefix": "arXiv",
        },
    ),
)
#: Positions that other modules cite.
ARVIZ, NILEARN, NUTPIE = 11, 12, 13

_CITED = re.compile(r"\[(\d+(?:, ?\d+)*)\]")
_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{c: rf"\{c}" for c in "&%$#_{}"},
}


def write_methods(sentences: Sequence[str], style: Style = "plain") -> str:
    r"""Join the sentences of the methods, with citations in a style.

    Parameters
    ----------
    sentences : sequence of str
        With numbers of `REFERENCES` in brackets.
    style : {"plain", "markdown", "latex"}
        "plain" numbers the references in the order in which they are cited, "markdown" cites as
        Pandoc does (``[@Key]``), "latex" by ``\cite``. Other text is escaped.

    Returns
    -------
    str
        One paragraph.

    Examples
    --------
    >>> write_methods(["A model [2].", "90% of it [1, 2]."])
    'A model [1]. 90% of it [2, 1].'
    >>> write_methods(["90% of A_B [6]."], "latex")
    '90\\% of A\\_B \\cite{Vehtari2021}.'
    """
    order = {n: i + 1 for i, n in enumerate(_positions(sentences))}
    text = " ".join(sentences)
    parts, at = [], 0
    for match in _CITED.finditer(text):
        numbers = _numbers(match[1])
        if any(n not in order for n in numbers):
            continue
        parts.append(_escape(text[at : match.start()], style))
        keys = [REFERENCES[n - 1].key for n in numbers]
        parts.append(
            {
                "plain": f"[{', '.join(str(order[n]) for n in numbers)}]",
                "markdown": f"[{'; '.join(f'@{k}' for k in keys)}]",
                "latex": rf"\cite{{{','.join(keys)}}}",
            }[style]
        )
        at = match.end()
    return "".join([*parts, _escape(text[at:], style)])


def list_cited(sentences: Sequence[str]) -> list[Reference]:
    """List the references that sentences cite, in their order.

    Parameters
    ----------
    sentences : sequence of str
        With numbers of `REFERENCES` in brackets.

    Returns
    -------
    list of Reference
        Each once.
    """
    return [REFERENCES[n - 1] for n in _positions(sentences)]


def _positions(sentences: Sequence[str]) -> list[int]:
    found = (n for m in _CITED.finditer(" ".join(sentences)) for n in _numbers(m[1]))
    return [n for n in dict.fromkeys(found) if 1 <= n <= len(REFERENCES)]


def _numbers(text: str) -> list[int]:
    return [int(n) for n in text.split(",")]


def _escape(text: str, style: Style) -> str:
    if style == "latex":
        return "".join(_LATEX.get(c, c) for c in text)
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text) if style == "markdown" else text
