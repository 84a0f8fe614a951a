"""The version of PatQL, here so that any layer can say it without importing those above."""

__version__ = "0.3.0"
