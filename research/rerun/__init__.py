"""A recorded session compared with the same session run again.

``record`` (what was decided and what came of it, from either side), ``puppet`` (the other instances of the account, as
they were recorded), ``handled`` (the order in which quotes and bars were), ``retold`` (the account as the worker heard
of it), ``compare`` (the first difference), ``bars``
(bars that are other ones than the worker had).
"""

from research.rerun.bars import BarNews, bar_news
from research.rerun.compare import Comparison, Difference, compare, compare_answers, compare_decisions
from research.rerun.handled import HandledTape, handled_quotes, moments, places_among
from research.rerun.puppet import Puppet
from research.rerun.record import Record, record_of, record_of_rows
from research.rerun.retold import Hearing, Story, telling

__all__ = [
    "BarNews",
    "Comparison",
    "Difference",
    "HandledTape",
    "Hearing",
    "Puppet",
    "Record",
    "Story",
    "bar_news",
    "compare",
    "compare_answers",
    "compare_decisions",
    "handled_quotes",
    "moments",
    "places_among",
    "record_of",
    "record_of_rows",
    "telling",
]
