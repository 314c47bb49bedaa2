"""Cell problems of solids on regular grids, solved for a whole batch of cells at once."""
