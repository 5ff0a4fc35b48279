"""Change requests, reviews, grants and freezes."""
