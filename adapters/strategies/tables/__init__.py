"""Tables of micro models: adaptive sparse grids, how they are sampled, kept in files and looked up."""
