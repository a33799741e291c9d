"""Which instances to trust, and with how much: daily results, ranking, correlation, allocation of risk. Pure numpy."""
