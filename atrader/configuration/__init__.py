"""Configuration: frozen models with units, defaults and the reasons for them, and how they are read."""
