"""Laws that are learned from a micro model, with the physics built in: what `scalebridge train` makes."""
