"""The worker process, which runs one strategy instance and nothing else, and the built-in strategies.

Imports ``atrader``, the clients of ``data_layer`` and ``broker_api``, and ``framework_bridge``.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
