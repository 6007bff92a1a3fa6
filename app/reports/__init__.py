"""The performance report: one set of numbers, those of the pages, as HTML, Markdown and JSON."""
