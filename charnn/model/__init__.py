"""Tokens and state to log-probabilities and state, in torch and in NumPy."""
