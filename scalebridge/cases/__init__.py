"""A case before it runs: read from `case.yaml`, asked about, and looked over."""
