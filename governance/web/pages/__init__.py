"""Routes of the pages: read, call one use case, render."""
