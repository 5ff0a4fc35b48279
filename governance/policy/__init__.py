"""Rego policies behind one port: OPA, or embedded."""
