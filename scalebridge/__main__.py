"""`python -m scalebridge` is the command `scalebridge`."""

import sys

from scalebridge.cli import main

sys.exit(main())
