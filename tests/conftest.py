"""What all tests need of the process that they run in."""

import signal

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start; some of them
# are about Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
