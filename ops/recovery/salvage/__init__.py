"""Bring lost rows back from a backup into the live database, without changing rows written since.

Begin with ``resolve``, which finds the requested tables. ``names`` parses the typed names. ``live_catalog`` reads
the live tables. ``column_mapping`` maps the backup's tables and columns to live ones. ``related_tables`` finds
related tables. ``staging`` compares the backup's rows with the live ones and decides the fate of each. ``insert``
inserts rows. ``take_back`` proves and undoes the insert. ``report`` describes the result."""
