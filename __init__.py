"""Shotscribe: captioned, deduplicated, streamable text-to-video training datasets from raw video corpora."""

__version__ = "0.1.0"
