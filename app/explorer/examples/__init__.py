"""Statements to begin with; the first line of each says what it answers."""
