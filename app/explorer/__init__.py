"""SQL of people on the current snapshot: checked, bounded, and run in a process of its own.

Pages and commands call ``run`` or ``start`` of ``app.explorer.run``; nothing else of the project runs SQL that somebody
typed.
"""
