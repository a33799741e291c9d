"""The adapter of OANDA accounts (REST v20)."""
