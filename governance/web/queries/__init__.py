"""Reads for the pages: rows in, views out. Nothing here writes."""
