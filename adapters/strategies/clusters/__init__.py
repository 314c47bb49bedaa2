"""What clustering is made of: histories, similarity, representatives on other ranks, tangents, and what it costs."""
