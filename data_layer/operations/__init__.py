"""What operators do with the stores: backup, check, compaction, archiving."""

from data_layer.operations.access import Access, StoredAccess
from data_layer.operations.work import OPERATIONS, Options, Progress, operate

__all__ = ["OPERATIONS", "Access", "Options", "Progress", "StoredAccess", "operate"]
