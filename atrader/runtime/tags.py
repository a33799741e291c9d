"""Environment variables by which processes of ours are recognised. No imports: it is read before anything else."""

TAG_VARIABLE = "ATRADER_PROCESS_TAG"
"""Marks every process of one run directory; survivors are found by it."""

OWNER_VARIABLE = "ATRADER_PROCESS_OWNER"
"""Marks what a child starts itself, with the child's pid; leftovers are found by it."""

MANAGER_PID_VARIABLE = "ATRADER_MANAGER_PID"
"""Tells the fork server whose death is its own."""
