"""The commands of `scalebridge`, one module each: `add` says what the command takes, `_NAME` does it."""
