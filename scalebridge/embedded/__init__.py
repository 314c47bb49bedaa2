"""The embedded coupling engine: preCICE's Python interface over the same XML, in pure Python on one machine."""
