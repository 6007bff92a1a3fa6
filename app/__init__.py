"""Everything that a page, the command line, an alert or a report calls."""
