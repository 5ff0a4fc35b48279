"""Manifests in YAML: parse, diff, plan, apply; every apply is a revision."""
