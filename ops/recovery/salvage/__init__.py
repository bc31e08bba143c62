"""Salvage: lost rows come back from a backup into the live database, and nothing that was written since is touched.

Begin with ``resolve``, which makes of what was typed what is looked for. ``names`` reads what was typed,
``live_catalog`` the live tables, ``column_mapping`` says which live table and column holds what the backup's did,
``related_tables`` which tables are looked at together, ``staging`` lays the backup's rows beside the live ones and
decides about each, ``insert`` brings them back, ``take_back`` proves it and takes it away again, ``report`` says it in
words.
"""
