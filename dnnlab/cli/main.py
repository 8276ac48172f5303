"""The command `dnnlab`. This file imports nothing, so that Ctrl-C finds `main` at work at once."""

import sys


def main() -> None:
    """Runs the command line and exits: 0 done, 1 our bug, 2 usage or config, 3 data, 4 run folder,
    5 diverged, 6 machine, 130 or 143 stopped.
    """
    try:
        from dnnlab.cli.shell import shell

        code = shell()
    except KeyboardInterrupt:  # the shell did not stand yet
        print("stopped", file=sys.stderr)
        code = 130
    sys.exit(code)
