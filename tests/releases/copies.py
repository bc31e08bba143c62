"""Rows copied into a new table and the old one dropped: whole, in part, twice, or with a value spoilt on the way."""

from __future__ import annotations

from dataclasses import dataclass

from tests.releases.case import Case, altered, bad, either, fine

COLUMNS = ("student_id", "amount", "net", "tax", "units", "paid_at", "day", "method", "reference", "memo", "data", "ok")
RECEIPT = """
CREATE TABLE school_receipt (LIKE school_payment INCLUDING ALL);
ALTER TABLE school_receipt ALTER {forgotten} DROP NOT NULL;
ALTER TABLE school_receipt ADD FOREIGN KEY (student_id) REFERENCES school_student DEFERRABLE INITIALLY DEFERRED;
INSERT INTO school_receipt (id, {columns}) {rows};
DROP TABLE school_payment;
"""
PAYMENT_IS_RECEIPT = {"school_payment": "school_receipt"}


def copied(rows: str, forgotten: str = "memo") -> str:
    """Copy payments into receipts. ``rows`` selects all columns."""
    return RECEIPT.format(columns=", ".join(COLUMNS), rows=rows, forgotten=forgotten)


def selected(key: str = "id", rest: str = "", **other: str) -> str:
    """A SELECT of payments, some of whose columns are other expressions."""
    return f"SELECT {key}, {', '.join(other.get(name, name) for name in COLUMNS)} FROM school_payment p {rest}"


# In no order, and each once, for the numbers 1 to 30: 31 is a prime.
SHUFFLED = "100 + id * 12 % 31"

WHOLE = [
    fine("copy: same ids", copied(selected()), "every row has its copy", went=PAYMENT_IS_RECEIPT),
    fine("copy: same ids, written in another order", copied(selected(rest="ORDER BY reference DESC")),
         "the order of rows means nothing", went=PAYMENT_IS_RECEIPT),
    fine("copy: new ids in order", copied(selected("id + 500")), "nothing links to payments, and every row is there",
         went=PAYMENT_IS_RECEIPT),
    fine("copy: new ids in reverse", copied(selected("1000 - id")), "ids mean nothing by themselves",
         went=PAYMENT_IS_RECEIPT),
    fine("copy: new ids in no order", copied(selected(SHUFFLED)), "as Session.objects.create gives them",
         went=PAYMENT_IS_RECEIPT),
    fine("copy: new ids out of the old ones", copied(selected("31 - id")),
         "a key that another row had before is still a new key", went=PAYMENT_IS_RECEIPT),
    fine("copy: same ids, and unrelated rows besides",
         copied(selected() + " UNION ALL " + selected("id + 100", "WHERE id <= 3", reference="'new ' || id", net="0",
                                                      day="date '2026-11-01'")),
         "rows may be added", went=PAYMENT_IS_RECEIPT),
    fine("copy: new ids, and unrelated rows besides",
         copied(selected("id + 500") + " UNION ALL " + selected("id", "WHERE id <= 3", reference="'new ' || id",
                                                               net="0", day="date '2026-11-01'")),
         "rows may be added, also with ids that the old ones had", went=PAYMENT_IS_RECEIPT),
    fine("copy: new ids, columns renamed",
         copied(selected(SHUFFLED)) + "ALTER TABLE school_receipt RENAME reference TO code;"
         "ALTER TABLE school_receipt RENAME paid_at TO received_at;",
         "each value is in its row, under another name", went={"school_payment.reference": "school_receipt.code"}),
    fine("copy: new ids, and wider columns",
         copied(selected("id + 500")) + "ALTER TABLE school_receipt ALTER reference TYPE text, ALTER units TYPE int8;",
         "a wider type is no change", went=PAYMENT_IS_RECEIPT),
    fine("copy: same ids, wider columns and one more",
         copied(selected()) + "ALTER TABLE school_receipt ADD currency char(3) NOT NULL DEFAULT 'EUR', "
         "ALTER method TYPE varchar(40), ALTER amount TYPE numeric(12, 2);",
         "a new column takes nothing away", went=PAYMENT_IS_RECEIPT),
    fine("copy: into a new table with uuid keys",
         "CREATE TABLE school_receipt AS SELECT gen_random_uuid() AS uid, student_id, amount, net, tax, units, paid_at,"
         "day, method, reference, memo, data, ok FROM school_payment; ALTER TABLE school_receipt ADD PRIMARY KEY (uid);"
         "DROP TABLE school_payment;",
         "the key is another one, every other value is there", went=PAYMENT_IS_RECEIPT),
    fine("copy: there and back",
         copied(selected(SHUFFLED)) + "CREATE TABLE school_payment (LIKE school_receipt INCLUDING ALL);"
         "INSERT INTO school_payment SELECT * FROM school_receipt; DROP TABLE school_receipt;",
         "a table written anew under its old name, with new keys, loses nothing; but nothing says that the keys "
         "meant nothing", debatable=True),
]  # fmt: skip

PART = {
    "half": ("WHERE id <= 15", 15, "LIMIT or a batch loop that ends early"),
    "all but one": ("WHERE id <> 17", 1, "one row is enough"),
    "only those of a filter": ("WHERE ok", 7, "objects.filter() instead of all()"),
    "by the wrong manager": ("WHERE memo <> ''", 20, "NULL is not <> '' either"),
    "the first page": ("ORDER BY id LIMIT 20", 10, "a page instead of all"),
    "none": ("WHERE false", 30, "the incident"),
    "joined to what few have": (
        "JOIN school_student s ON s.id = p.student_id AND s.phone IS NOT NULL", 8,
        "an inner join leaves out those without a partner: students 9 to 12 made the payments 8 to 11 and 20 to 23"),
    "distinct methods": ("WHERE id IN (SELECT min(id) FROM school_payment GROUP BY method)", 27, "DISTINCT ON"),
}  # fmt: skip


def parts() -> list[Case]:
    """Partial copies, by old and by new ids."""
    found = []
    for name, (rest, lost, why) in PART.items():
        qualified = rest.replace("WHERE id", "WHERE p.id")
        for keys, key in (("same ids", "p.id"), ("new ids", "p.id + 500")):
            columns = ", ".join(f"p.{name}" for name in COLUMNS)
            rows = f"SELECT {key}, {columns} FROM school_payment p {qualified}"
            found.append(bad(f"copy: {name}, {keys}", copied(rows), why, {"school_payment": f"lost {lost}"}))
    return found


WRONG_ROWS = [
    bad("copy: half of them twice, to make the number right",
        copied(selected("id", "WHERE id <= 15") + " UNION ALL " + selected("id + 15", "WHERE id <= 15")),
        "30 rows, of which 15 are nowhere", {"school_payment": "lost 15"}),
    bad("copy: half of them twice, all under new ids",
        copied(selected("id + 500", "WHERE id <= 15") + " UNION ALL " + selected("id + 600", "WHERE id <= 15")),
        "30 rows, of which 15 are nowhere", {"school_payment": "lost 15"}),
    bad("copy: one of them twice instead of another",
        copied(selected("id", "WHERE id <> 30") + " UNION ALL " + selected("30", "WHERE id = 1")),
        "30 rows with the same ids, of which one has another's content",
        {"school_payment": "lost 1 or changed 1"}),
    bad("copy: one row twice", copied(selected() + " UNION ALL " + selected("id + 100", "WHERE id = 9")),
        "a payment that is there twice was made up by the copy; but no row is lost", None, debatable=True),
    bad("copy: each row twice", copied(selected() + " UNION ALL " + selected("id + 100")),
        "the copy ran twice; but no row is lost", None, debatable=True),
    bad("copy: each row twice, new ids", copied(selected("id + 100") + " UNION ALL " + selected("id + 200")),
        "the copy ran twice; but no row is lost", None, debatable=True),
    bad("copy: all rows made equal to the first",
        copied("SELECT q.id, " + ", ".join(f"p.{name}" for name in COLUMNS)
               + " FROM school_payment p, school_payment q WHERE p.id = 1"),
        "a variable of the loop that is not renewed", {"school_payment": "lost 29 or changed 29"}),
]  # fmt: skip


@dataclass(frozen=True)
class Spoilt:
    """A value that does not arrive as it was: which columns become what, in how many rows, and whether it is gone."""

    columns: dict[str, str]
    rows: int
    why: str
    gone: tuple[str, ...] = ()


NEXT = "(SELECT q.{0} FROM school_payment q WHERE q.id = p.id % 30 + 1)"
SPOILT = {
    "values swapped between two rows": Spoilt(
        {"reference": "CASE id WHEN 1 THEN 'RF0002' WHEN 2 THEN 'RF0001' ELSE reference END"}, 2, "sums are equal"),
    "two columns swapped": Spoilt({"amount": "net", "net": "amount"}, 30, "the application reads each for the other"),
    "a value of the next row": Spoilt({"reference": NEXT.format("reference")}, 30, "a join off by one"),
    "a flag of the next row": Spoilt(
        {"ok": NEXT.format("ok")}, 14, "false at 4, 8 … 28: these and the ones before them differ from the next"),
    "NULL made empty": Spoilt({"memo": "coalesce(memo, '')"}, 10, "an empty text is another value than NULL"),
    "empty made NULL": Spoilt({"memo": "nullif(memo, '')"}, 10, "an empty text is a value", ("memo",)),
    "text cut to 50": Spoilt({"reference": "left(reference, 50)"}, 6, "every fifth is longer"),
    "lower": Spoilt({"method": "lower(method)"}, 20, "Card and SEPA"),
    "trimmed": Spoilt({"memo": "trim(memo)"}, 10, "every third memo has blanks around it"),
    "rounded": Spoilt({"amount": "round(amount)"}, 23, "three of four have cents, but 28 and so on"),
    "divided as integers": Spoilt({"units": "units / 2 * 2"}, 15, "odd numbers"),
    "float cut to single precision": Spoilt({"tax": "tax::real"}, 29, "only 4.75 has an exact float"),
    "float through numeric of one digit": Spoilt(
        {"tax": "tax::numeric(8, 1)"}, 27, "n * 0.19 has one digit at 10, 20, 30"),
    "an hour later": Spoilt({"paid_at": "paid_at + interval '1 hour'"}, 30, "a timezone taken off twice"),
    "two hours earlier": Spoilt({"paid_at": "paid_at - interval '2 hours'"}, 30, "local time taken for UTC in summer"),
    "an hour in summer only": Spoilt(
        {"paid_at": "paid_at AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'Etc/GMT-1'"}, 26,
        "summer began before the fifth"),
    "seconds cut off": Spoilt(
        {"paid_at": "date_trunc('hour', paid_at)"}, 30, "all are at half past"),
    "a day early": Spoilt({"day": "day - 1"}, 30, "midnight in Berlin is the day before in UTC"),
    "the default instead of the value": Spoilt({"ok": "true"}, 7, "a field forgotten whose default is often right"),
    "a key of the JSON dropped": Spoilt({"data": "data - 'coupon'"}, 15, "every second has a coupon"),
    "a column forgotten": Spoilt({"memo": "NULL"}, 20, "20 memos are not NULL", ("memo",)),
    "a link forgotten": Spoilt({"student_id": "NULL"}, 30, "all of them had one", ("student_id",)),
    "some values forgotten": Spoilt({"memo": "CASE WHEN id > 6 THEN memo END"}, 4, "of the first six, four have a memo",
                                    ("memo",)),
    "links of the next row": Spoilt({"student_id": "student_id % 12 + 1"}, 30, "no link leads where it led"),
    "one link to another": Spoilt({"student_id": "CASE WHEN id = 4 THEN 1 ELSE student_id END"}, 1, "4 was of 5"),
    "decoded twice": Spoilt(
        {"memo": "replace(memo, 'danke', 'dänke')"}, 10, "an encoding repaired that was not broken"),
    "a value in the JSON changed": Spoilt({"data": "data || '{\"source\": \"web\"}'"}, 15, "desk became web"),
}  # fmt: skip


def spoilt() -> list[Case]:
    """Each way to spoil a value: in a copy by the same ids, in one by new ids, and where the table stays."""
    found = []
    for name, how in SPOILT.items():
        forgotten = how.gone[0] if how.gone else "memo"
        same = copied(selected(**how.columns), forgotten)
        new = copied(selected(SHUFFLED, **how.columns), forgotten)
        sets = ", ".join(f"{column} = {value}" for column, value in how.columns.items())
        update = f"ALTER TABLE school_payment ALTER {forgotten} DROP NOT NULL; UPDATE school_payment p SET {sets};"
        lost = either(how.rows, *how.gone)
        found += [
            bad(f"copy: {name}, same ids", same, how.why, {"school_payment": lost}),
            bad(f"copy: {name}, new ids", new, how.why, {"school_payment": lost}),
            bad(f"update: {name}", update, how.why, {"school_payment": altered(how.rows, *how.gone)}),
        ]
    return found


CASES = WHOLE + parts() + WRONG_ROWS + spoilt()
