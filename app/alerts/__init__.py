"""Alerts: rules over the metrics layer, what they see at a moment of event time, their states, and who is told."""
