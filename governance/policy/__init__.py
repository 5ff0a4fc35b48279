"""Rego policies behind one port: OPA, embedded, or compiled by OPA."""
