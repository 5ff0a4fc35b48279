"""Addresses of lists: filters stand in the query string, so that a list can be linked to and the way back works."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode


def with_query(path: str, values: Mapping[str, str]) -> str:
    """The path with these values; empty ones are left out."""
    text = urlencode({name: value for name, value in values.items() if value})
    return f"{path}?{text}" if text else path
