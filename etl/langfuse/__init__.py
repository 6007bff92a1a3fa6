"""Reading a Langfuse server: the client, what the server offers, and what to fetch from it."""
