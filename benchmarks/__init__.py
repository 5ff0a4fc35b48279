"""What one admission costs: measured on real parts, printed as ratios, asserted nowhere."""
