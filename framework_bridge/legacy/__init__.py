"""Readers of the files an installation of the old trader consists of. Pure: text in, values and findings out."""
