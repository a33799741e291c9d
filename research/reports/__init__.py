"""Results of backtests: kept, found again, compared, and shown as a page or a picture.

Layers, each importing only those before it: ``rows`` (what happened, as rows), ``trades`` and ``parquet`` (rows as
columns), ``thinning``, ``excursions`` and ``measures`` (what is worked out of it), ``cautions`` (what makes it
doubtful), ``details`` (what a report draws), ``digests``, ``drafts`` and ``saved`` (the files), ``finished`` (a run
becomes a saved result). Shown: ``figures`` and ``comparing`` (texts), ``drawing`` (marks and their styles), ``axes``,
``charts`` and ``trade_charts`` (a drawing each), ``svg``, ``page_style`` and ``html`` (what pages are made of),
``page`` (one HTML file), ``picture`` (one PNG file, painted from the same drawings); ``search_charts``,
``search_notes`` and ``search_page`` (the same of a search).
"""

from research.reports.finished import Finished, keep
from research.reports.saved import Saved, found, load, named

__all__ = ["Finished", "Saved", "found", "keep", "load", "named"]
