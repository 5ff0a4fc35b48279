"""The Kubernetes door: admission reviews in, verdicts out; the watch that tells the ledger what exists."""
