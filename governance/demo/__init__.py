"""The demo: the story of the end-to-end test, told in a terminal, with the recorded traffic of a real cluster."""
