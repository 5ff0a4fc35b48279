"""Money after the fact: what was really spent, allocated, reconciled and settled."""
