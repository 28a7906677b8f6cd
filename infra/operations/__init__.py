"""What people and pipelines do with a stack, each by a `make` target of the same name."""

import signal
import sys

# What runpy calls a module whose package is being imported.
if sys.argv[0] == "-m":
    # Until a command can answer for Ctrl-C by itself, which takes seconds of imports, the process
    # just ends.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
