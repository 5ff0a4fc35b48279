"""Quota, change control and compliance decided at admission, and settled against the bill."""
