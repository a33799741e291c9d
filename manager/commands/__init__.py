"""The two commands: ``atrader-manager`` (the fleet) and ``atrader`` (data and history)."""
