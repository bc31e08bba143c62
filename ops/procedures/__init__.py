"""The definitions: what each procedure does, read by plan, run, page and undo."""
