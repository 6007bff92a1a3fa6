"""Dashboards that people put together: what they are made of, what their tiles answer, and how they are kept."""
