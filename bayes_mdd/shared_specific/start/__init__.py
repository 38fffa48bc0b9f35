"""Starting values of the chains: components of the features and the mode near them."""
