"""The applications whose traffic the demo shows: support agent, documentation assistant, coding agent, batch jobs."""
