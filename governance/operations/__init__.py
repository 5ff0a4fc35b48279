"""What platform engineers do with a running installation: see its clusters, switch them, rebuild a ledger."""
