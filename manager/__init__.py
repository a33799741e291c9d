"""The manager process, which starts, watches and restarts all others, and the commands people type.

The composition root: the one part that may import every other.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
