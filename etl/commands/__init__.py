"""One module per command of the sync side: options in, one call, words out."""
