"""Which instances may open because of what their market is like (docs/selection.md)."""
