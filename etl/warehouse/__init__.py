"""Where the data lives: a file of tables, its schema's migrations, and the snapshots that readers see."""
