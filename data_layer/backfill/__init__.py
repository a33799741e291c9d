"""Brings missing history from bar sources into the store, page by page, in the background."""
