"""Wire messages: one module per service, named after the process that answers."""
