"""What stands between a solver and preCICE."""
