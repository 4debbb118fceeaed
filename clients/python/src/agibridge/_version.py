"""The library's version, which is the bridge's."""

__version__ = "0.1.0"
