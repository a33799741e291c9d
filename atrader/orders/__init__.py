"""Orders: intents, their states, fills and trades - values only, no I/O."""
