"""`python -m scalebridge` is the command `scalebridge`."""

from __future__ import annotations

import sys

from scalebridge import interruption


def main() -> int:
    """Run the command line; return the exit status."""
    interruption.install()  # before the imports, which take their time
    from scalebridge import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
