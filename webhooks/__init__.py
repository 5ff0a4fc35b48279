"""Doors for machines: parse the wire format, call one use case, answer."""
