"""Polar LDA: latent Dirichlet allocation over hyper- and hypo-connected edges."""

from bayes_mdd.polar_lda.counts import PublishedReference, make_counts, published_z
from bayes_mdd.polar_lda.fitting import fit_counts, infer_counts
from bayes_mdd.polar_lda.published import read_documents, read_published_model

__all__ = [
    "PublishedReference",
    "fit_counts",
    "infer_counts",
    "make_counts",
    "published_z",
    "read_documents",
    "read_published_model",
]
