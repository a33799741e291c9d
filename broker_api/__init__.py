"""Everything that talks to a broker.

The ``Broker`` protocol, the gateway process that owns one account, the order journal, and one folder per adapter.
Imports ``atrader`` and the client of ``data_layer``.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
