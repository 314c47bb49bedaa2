"""The body named Left."""

import body  # beside this file

from adapters.participant import participant
from scalebridge.fields import Field

if __name__ == "__main__":
    participant(
        lambda case: body.run(case, "Left-Value"),
        body.Settings,
        reads={"Middle-Value": Field("1")},
        writes={"Left-Value": Field("1")},
    )
