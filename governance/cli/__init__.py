"""The governance command."""
