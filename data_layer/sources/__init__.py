"""Where bars of the past come from, besides files: brokers and other services that are asked page by page."""

from data_layer.sources.source import BarPage, BarSource, SourceBusy, SourceLimits, SourceRefused, checked

__all__ = ["BarPage", "BarSource", "SourceBusy", "SourceLimits", "SourceRefused", "checked"]
