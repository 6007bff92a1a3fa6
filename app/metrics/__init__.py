"""The metrics layer: every number of pages, commands, alerts and reports is defined and computed here, once."""
