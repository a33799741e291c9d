"""The gateway's order journal: what must be on disk before anything is sent, published or answered."""

from broker_api.journal.attribution import Attribution
from broker_api.journal.batch import Batch
from broker_api.journal.entry import Entry, digest_of
from broker_api.journal.journal import Journal, JournalFull

__all__ = ["Attribution", "Batch", "Entry", "Journal", "JournalFull", "digest_of"]
