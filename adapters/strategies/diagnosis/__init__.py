"""Which strategy is right for a micro model: does its history matter, does it fade, and what would a table cost?"""
