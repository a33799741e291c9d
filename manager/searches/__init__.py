"""Searches for parameters from the command line: what is wished, how sets are tried, what is said of them."""
