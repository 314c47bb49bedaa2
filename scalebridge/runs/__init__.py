"""A run: its folder, its processes, who watches them, how it ended, and the record that it leaves."""
