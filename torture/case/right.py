"""The body named Right."""

import body  # beside this file

from adapters.participant import participant
from scalebridge.fields import Field

if __name__ == "__main__":
    participant(
        lambda case: body.run(case, "Right-Value"),
        body.Settings,
        reads={"Middle-Value": Field("1")},
        writes={"Right-Value": Field("1")},
    )
