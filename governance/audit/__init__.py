"""Who did what to what, when and why: a chain that shows any later change."""
