"""`python -m scanwise`: the command line."""

import sys

from scanwise.cli import main

if __name__ == "__main__":
    sys.exit(main())
