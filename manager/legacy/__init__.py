"""Moves installations of the old trader here: reads their folders, writes files, fills the stores, reports."""
