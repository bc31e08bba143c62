"""Releases on a production under a load like pgbench's: none is refused wrongly, and no planted loss is missed."""
