"""The body named Middle."""

import body  # beside this file

from adapters.participant import participant
from scalebridge.fields import Field

if __name__ == "__main__":
    participant(
        lambda case: body.run(case, "Middle-Value"),
        body.Settings,
        reads={"Left-Value": Field("1"), "Right-Value": Field("1")},
        writes={"Middle-Value": Field("1")},
    )
