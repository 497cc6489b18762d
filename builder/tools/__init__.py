"""The command `shotscribe`: what is not building. A file a subcommand."""
