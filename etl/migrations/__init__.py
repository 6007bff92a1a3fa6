"""Numbered changes of the warehouse's schema; each is applied once, in order, in a transaction of its own."""
