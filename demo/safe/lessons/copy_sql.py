"""The SQL that copies lessons to sessions and back, kept in one place so that both ways copy the same columns."""

COLUMNS = "id, contract_id, date, start_time, duration_minutes, room, notes, price"


def copy_rows(source: str, target: str) -> str:
    """Copy all rows with their ids; new ids go on where the source's would, so that no deleted row's id returns."""
    return f"""
        INSERT INTO {target} ({COLUMNS}) SELECT {COLUMNS} FROM {source};
        SELECT setval(
                   pg_get_serial_sequence('{target}', 'id'),
                   greatest(nextval(pg_get_serial_sequence('{source}', 'id')), max(id) + 1),
                   false
               )
          FROM {target};
    """


def rows_not_copied(source: str, target: str) -> str:
    """Select the rows of the source for which the target has no equal row (same id, same content)."""
    return f"SELECT {COLUMNS} FROM {source} EXCEPT SELECT {COLUMNS} FROM {target}"
