"""The routes below /api/public, one module per family; each offers its ``ROUTES``."""
