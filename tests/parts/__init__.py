"""Real parts for tests: each module starts one on 127.0.0.1 and stops it again by its process id."""
