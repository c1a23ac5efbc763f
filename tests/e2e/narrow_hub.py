"""NarrowHub: `sendensed serve` that holds three connections, gives an answer 5 s, and never pings.

What takes ten thousand connections, or a minute, is met at once.
"""

import sys
from functools import partial

from sendensed import app
from sendensed.__main__ import main
from sendensed.net import connection, server
from sendensed.net.limits import Heartbeat, Limits

CONNECTIONS = 3

if __name__ == "__main__":
    server.Limits = partial(Limits, connections=CONNECTIONS, answer=5.0, head_time=5.0)
    connection._SLACK = 0.5
    app.Heartbeat = partial(Heartbeat, every=3600.0)
    sys.exit(main(["serve", *sys.argv[1:]]))
