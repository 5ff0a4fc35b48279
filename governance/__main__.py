"""`python -m governance` is the `governance` command."""

from governance.cli.main import main

main()
