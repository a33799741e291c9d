"""Bars and quotes from and to files. A bad row is named by file, line and reason; nothing else is lost."""

from data_layer.files.reading import FileRows, ReadOptions, read_file, read_frame
from data_layer.files.rows import BadRow

__all__ = ["BadRow", "FileRows", "ReadOptions", "read_file", "read_frame"]
