"""The likelihood of the features, with loadings and covariates integrated out."""
