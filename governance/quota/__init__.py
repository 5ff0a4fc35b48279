"""What may be taken at most, and the one ledger of what is taken."""
