"""Measure what a rehearsal's migrations cost: locks, rows, time. Begin with ``migration_metrics``."""
