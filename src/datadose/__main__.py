"""`python -m datadose` is the `datadose` command."""

from datadose.cli import main

main()
