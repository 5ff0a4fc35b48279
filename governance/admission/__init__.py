"""One request in, one decision out."""
