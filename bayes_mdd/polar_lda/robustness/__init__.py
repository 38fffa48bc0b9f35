"""How far a solution of polar LDA can be trusted."""
