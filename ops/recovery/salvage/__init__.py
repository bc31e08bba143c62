"""Salvage: lost rows come back from a backup into the live database, and nothing that was written since is touched.

``names`` reads what was typed, ``catalog`` the live tables, ``mapping`` says which live table and column holds what the
backup's did, ``closure`` which tables are looked at together, ``stage`` lays the backup's rows beside the live ones and
decides about each, ``insert`` brings them back, ``back`` proves it and takes it away again, ``tell`` says it in words.
"""
