"""Quota, change control and compliance decided at admission, and settled against the bill."""

__version__ = "0.1.0"
