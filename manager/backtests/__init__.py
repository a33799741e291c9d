"""Backtests from the command line: what is wished, what is loaded for it, where it runs, what is kept of it."""
