"""Telling people and programs, through an outbox written with what it tells."""
