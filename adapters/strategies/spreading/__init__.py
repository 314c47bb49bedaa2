"""How rows are spread over ranks: what they cost, who solves them, and how they get there and home again."""
