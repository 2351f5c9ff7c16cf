"""``python -m statebucket``: the command line."""

import sys

from statebucket.cli import main

if __name__ == "__main__":
    sys.exit(main())
