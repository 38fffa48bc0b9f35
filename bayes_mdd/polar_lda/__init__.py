"""Polar LDA: latent Dirichlet allocation over hyper- and hypo-connected edges."""

from bayes_mdd.polar_lda.em.counts import PublishedReference, make_counts, published_z
from bayes_mdd.polar_lda.em.fitting import fit_counts, infer_counts
from bayes_mdd.polar_lda.em.published import read_documents, read_published_model
from bayes_mdd.polar_lda.robustness.bootstrap import (
    bootstrap_maps,
    posterior_overlap,
    published_overlap,
)
from bayes_mdd.polar_lda.robustness.controls import null_run, token_sensitivity
from bayes_mdd.polar_lda.robustness.stability import nestedness, split_half

__all__ = [
    "PublishedReference",
    "bootstrap_maps",
    "fit_counts",
    "infer_counts",
    "make_counts",
    "nestedness",
    "null_run",
    "posterior_overlap",
    "published_overlap",
    "published_z",
    "read_documents",
    "read_published_model",
    "split_half",
    "token_sensitivity",
]
