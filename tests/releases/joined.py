"""Rows that became part of the rows that led to them, and rows whose table can be mistaken."""

from __future__ import annotations

from tests.releases.case import bad, fine, op

# 60 places: 40 restaurants, 20 shops; the places' columns are made those of their children.
PLACES = """
CREATE TABLE place (id int PRIMARY KEY, name varchar(60) NOT NULL, town varchar(60) NOT NULL);
INSERT INTO place SELECT n, 'Place ' || n % 45, 'Town ' || n % 7 FROM generate_series(1, 60) n;
CREATE TABLE restaurant (place_ptr_id int PRIMARY KEY REFERENCES place, pizza bool NOT NULL);
INSERT INTO restaurant SELECT n, n % 2 = 0 FROM generate_series(1, 40) n;
CREATE TABLE shop (place_ptr_id int PRIMARY KEY REFERENCES place, wares text NOT NULL);
INSERT INTO shop SELECT n, 'Wares ' || n % 3 FROM generate_series(41, 60) n;
CREATE TABLE review (id int PRIMARY KEY, restaurant_id int NOT NULL REFERENCES restaurant, text text);
INSERT INTO review SELECT n, 1 + n % 40, 'Good ' || n FROM generate_series(1, 50) n;
"""
ABSTRACT = """
ALTER TABLE {0} ADD name varchar(60), ADD town varchar(60);
UPDATE {0} c SET (name, town) = (SELECT {1} FROM place p WHERE p.id = {2});
ALTER TABLE {0} DROP CONSTRAINT {0}_place_ptr_id_fkey; ALTER TABLE {0} RENAME place_ptr_id TO id;
"""
DROP = "DROP TABLE place;"


def abstract(restaurant: str = "name, town", shop: str = "name, town", by: str = "c.place_ptr_id") -> str:
    """Make the parent of restaurants and shops abstract."""
    return ABSTRACT.format("restaurant", restaurant, by) + ABSTRACT.format("shop", shop, "c.place_ptr_id") + DROP


ABSTRACTED = [op("AddField", "restaurant", new_column="name"), op("AddField", "restaurant", new_column="town"),
              op("AddField", "shop", new_column="name"), op("AddField", "shop", new_column="town"),
              op("RunPython", code="place restaurant shop name town"),
              op("RenameField", "restaurant", "place_ptr_id", new_column="id"),
              op("RenameField", "shop", "place_ptr_id", new_column="id"), op("DeleteModel", "place")]  # fmt: skip
ANEW = """
CREATE TABLE {0}_new (id int PRIMARY KEY, name varchar(60), town varchar(60), {1});
INSERT INTO {0}_new SELECT p.id, {2}, c.{1} FROM {0} c JOIN place p ON p.id = c.place_ptr_id;
"""
# Customers with an address each: the address becomes part of its customer, with the link.
CUSTOMER = """
CREATE TABLE address (id int PRIMARY KEY, street text NOT NULL, town text NOT NULL);
INSERT INTO address SELECT n, 'Street ' || n % 25, 'Town ' || n % 3 FROM generate_series(1, 30) n;
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, address_id int UNIQUE REFERENCES address);
INSERT INTO customer SELECT n, 'Customer ' || n, CASE WHEN n <= 30 THEN 31 - n END FROM generate_series(1, 35) n;
"""
JOIN = """
ALTER TABLE customer ADD street text, ADD town text;
UPDATE customer c SET (street, town) = (SELECT {0} FROM address a WHERE a.id = {1});
ALTER TABLE customer DROP address_id; DROP TABLE address;
"""
ORPHAN = CUSTOMER + "INSERT INTO address VALUES (31, 'Nowhere', 'Town 1'), (32, 'Elsewhere', 'Town 2');"
# Each address is one customer's, and another one's bill goes there: joined by one link, the other one is gone.
BILLED = CUSTOMER + """
ALTER TABLE customer ADD bill_id int UNIQUE REFERENCES address;
UPDATE customer SET bill_id = id % 30 + 1 WHERE id <= 30;
"""
SHIPPED = CUSTOMER + """
CREATE TABLE shipment (id int PRIMARY KEY, address_id int NOT NULL REFERENCES address, weight int);
INSERT INTO shipment SELECT n, 1 + n % 30, n FROM generate_series(1, 40) n;
"""
SHIPS = """ALTER TABLE shipment DROP CONSTRAINT shipment_address_id_fkey; UPDATE shipment SET address_id = {0};
ALTER TABLE shipment RENAME address_id TO customer_id;
ALTER TABLE shipment ADD FOREIGN KEY (customer_id) REFERENCES customer;"""
SHIPPING = [op("RenameField", "shipment", "address_id", new_column="customer_id"), op("RunPython", code="address"),
            op("RemoveField", "customer", "address_id"), op("DeleteModel", "address")]  # fmt: skip
INTO_CHILDREN = [
    fine("parent: made abstract, right", abstract(), "each child has its parent's values", schema=PLACES,
         plan=ABSTRACTED),
    fine("parent: made abstract, right, without a plan", abstract(), "each child has its parent's values",
         schema=PLACES),
    bad("parent: made abstract, one child forgotten",
        ABSTRACT.format("restaurant", "name, town", "c.place_ptr_id")
        + "ALTER TABLE shop DROP CONSTRAINT shop_place_ptr_id_fkey;" + DROP, "the twenty places of shops are gone",
        {"place": "lost 20"}, schema=PLACES),
    bad("parent: made abstract, name and town crossed", abstract("town, name"), "forty restaurants",
        {"place": "changed 40"}, schema=PLACES),
    bad("parent: made abstract, a column forgotten", abstract("name, NULL"), "the towns of forty restaurants",
        {"place": "town 40"}, schema=PLACES),
    bad("parent: made abstract, the next one's", abstract(by="c.place_ptr_id + 1"),
        "forty restaurants have the next place's name and town", {"place": "changed 40"}, schema=PLACES),
    bad("parent: made abstract, one wrong", abstract("CASE id WHEN 7 THEN 'X' ELSE name END, town"), "one name",
        {"place": "changed 1"}, schema=PLACES),
    bad("parent: made abstract, a parent without a child", abstract(), "place 61 is nobody's",
        {"place": "lost 1"}, schema=PLACES + "INSERT INTO place VALUES (61, 'Ruin', 'Town 1');"),
    bad("parent: renamed to one of its children, the other one's rows gone",
        "DROP TABLE shop, review, restaurant; ALTER TABLE place RENAME TO restaurant;",
        "twenty shops, and what restaurants were", None, schema=PLACES),
    fine("parent: made abstract, children made anew", ANEW.format("restaurant", "pizza bool", "name, town").replace(
            "c.pizza bool", "c.pizza") + ANEW.format("shop", "wares text", "name, town").replace(
            "c.wares text", "c.wares") + "ALTER TABLE review DROP CONSTRAINT review_restaurant_id_fkey; DROP TABLE "
         "restaurant, shop, place; ALTER TABLE restaurant_new RENAME TO restaurant; ALTER TABLE shop_new RENAME TO "
         "shop; ALTER TABLE review ADD FOREIGN KEY (restaurant_id) REFERENCES restaurant",
         "each child has its parent's values", schema=PLACES),
    fine("parent: only one child leaves", ABSTRACT.format("restaurant", "name, town", "c.place_ptr_id")
         + "DELETE FROM place WHERE id <= 40", "places of shops stay", schema=PLACES),
    bad("parent: only one child leaves, a place too many goes",
        ABSTRACT.format("restaurant", "name, town", "c.place_ptr_id") + "ALTER TABLE shop DROP CONSTRAINT "
        "shop_place_ptr_id_fkey; DELETE FROM place WHERE id <= 41", "the place of shop 41", {"place": "lost 1"},
        schema=PLACES),
    fine("one-to-one: addresses joined into customers, right", JOIN.format("street, town", "c.address_id"),
         "each customer has its address", schema=CUSTOMER, went={"address": "customer"}),
    bad("one-to-one: addresses joined by the wrong number", JOIN.format("street, town", "c.id"),
        "customer n had address 31 - n", {"address": "changed 30"}, schema=CUSTOMER),
    bad("one-to-one: addresses joined, street and town crossed", JOIN.format("town, street", "c.address_id"),
        "thirty addresses", {"address": "changed 30"}, schema=CUSTOMER),
    bad("one-to-one: addresses joined, one wrong", JOIN.format("CASE id WHEN 3 THEN 'X' ELSE street END, town",
        "c.address_id"), "address 3", {"address": "changed 1"}, schema=CUSTOMER),
    bad("one-to-one: addresses joined, those of no customer gone", JOIN.format("street, town", "c.address_id"),
        "two addresses of nobody", {"address": "lost 2"}, schema=ORPHAN),
    bad("one-to-one: addresses joined by one of two links, both dropped",
        JOIN.format("street, town", "c.address_id").replace("DROP address_id", "DROP address_id, DROP bill_id"),
        "thirty links of bills", None, schema=BILLED),
    bad("one-to-one: addresses joined by the other one of two links, both dropped",
        JOIN.format("street, town", "c.bill_id").replace("DROP address_id", "DROP address_id, DROP bill_id"),
        "thirty links of customers", None, schema=BILLED),
    fine("one-to-one: addresses joined, what led to them leads to their customers",
         SHIPS.format("31 - address_id") + JOIN.format("street, town", "c.address_id"), "each is of its address",
         schema=SHIPPED, plan=SHIPPING, went={"address": "customer", "shipment.address_id": "shipment.customer_id"}),
    bad("one-to-one: addresses joined, what led to them left as it was",
        SHIPS.format("address_id") + JOIN.format("street, town", "c.address_id"), "the numbers are other customers'",
        {"shipment": "changed 40"}, schema=SHIPPED, plan=SHIPPING),
    bad("one-to-one: addresses joined, one that led to them leads to another",
        SHIPS.format("CASE id WHEN 3 THEN 1 ELSE 31 - address_id END") + JOIN.format("street, town", "c.address_id"),
        "shipment 3", {"shipment": "changed 1"}, schema=SHIPPED, plan=SHIPPING),
    bad("one-to-one: addresses dropped, with the link",
        "ALTER TABLE customer DROP address_id; DROP TABLE address", "thirty addresses",
        {"address": "lost 30", "customer": "address_id 30 or nothing"}, schema=CUSTOMER),
]  # fmt: skip

# What children add becomes columns of their parent; a place may be a restaurant and a shop.
BOTH = PLACES + "INSERT INTO shop SELECT n, 'Wares ' || n % 3 FROM generate_series(36, 40) n;"
FOLD = """
ALTER TABLE place ADD pizza bool, ADD wares text;
UPDATE place p SET pizza = c.pizza FROM restaurant c WHERE c.place_ptr_id = p.id;
UPDATE place p SET wares = c.wares FROM shop c WHERE c.place_ptr_id = {0};
ALTER TABLE review DROP CONSTRAINT review_restaurant_id_fkey; DROP TABLE restaurant, shop;
ALTER TABLE review RENAME restaurant_id TO place_id; ALTER TABLE review ADD FOREIGN KEY (place_id) REFERENCES place;
"""
FOLDED = [
    fine("children: folded into their parent", FOLD.format("p.id"), "each place has what its children had", schema=BOTH,
         went={"restaurant": "place", "shop": "place"}),
    bad("children: folded into their parent, those of the other child left out", FOLD.format("p.id AND pizza IS NULL"),
        "five shops that are restaurants, too", {"shop": "lost 5"}, schema=BOTH),
    bad("children: folded into their parent, the next one's", FOLD.format("p.id + 1"),
        "the wares of another place", None, schema=BOTH),
]

# The other way round: what two models have in common becomes a parent.
CONCRETE = """
CREATE TABLE restaurant (id int PRIMARY KEY, name varchar(60) NOT NULL, town varchar(60) NOT NULL, pizza bool NOT NULL);
INSERT INTO restaurant SELECT n, 'Place ' || n % 35, 'Town ' || n % 7, n % 2 = 0 FROM generate_series(1, 40) n;
CREATE TABLE shop (id int PRIMARY KEY, name varchar(60) NOT NULL, town varchar(60) NOT NULL, wares text NOT NULL);
INSERT INTO shop SELECT n, 'Place ' || n, 'Town ' || n % 7, 'Wares ' || n % 3 FROM generate_series(41, 60) n;
"""
PARENT = """
CREATE TABLE place (id int PRIMARY KEY, name varchar(60) NOT NULL, town varchar(60) NOT NULL);
INSERT INTO place SELECT {0} FROM restaurant UNION ALL SELECT {1} FROM shop;
ALTER TABLE restaurant RENAME id TO place_ptr_id; ALTER TABLE shop RENAME id TO place_ptr_id;
ALTER TABLE restaurant DROP name, DROP town; ALTER TABLE shop DROP name, DROP town;
ALTER TABLE restaurant ADD FOREIGN KEY (place_ptr_id) REFERENCES place;
ALTER TABLE shop ADD FOREIGN KEY (place_ptr_id) REFERENCES place;
"""
ALL = "id, name, town"
PARENTED = [op("CreateModel", "place"), op("RunPython", code="place restaurant shop name town"),
            *(op("RenameField", table, "id", new_column="place_ptr_id") for table in ("restaurant", "shop")),
            *(op("RemoveField", table, name) for table in ("restaurant", "shop") for name in ("name", "town"))]
INTO_PARENT = [
    fine("parent: made of two models, right", PARENT.format(ALL, ALL), "each row has its parent", schema=CONCRETE,
         plan=PARENTED, went={"restaurant.name": "place.name", "shop.town": "place.town"}),
    bad("parent: made of two models, name and town crossed", PARENT.format("id, town, name", ALL), "forty restaurants",
        {"restaurant": "name 40, town 40"}, schema=CONCRETE, plan=PARENTED),
    bad("parent: made of two models, of the next one", PARENT.format("id % 40 + 1, name, town", ALL),
        "names repeat after 35, towns after seven", {"restaurant": "name 40, town 40"}, schema=CONCRETE,
        plan=PARENTED),
    bad("parent: made of two models, one column forgotten", PARENT.format(ALL, "id, name, ''"), "twenty towns",
        {"shop": "town 20"}, schema=CONCRETE, plan=PARENTED),
]  # fmt: skip

# Two tables of the same columns: notes are copied under new keys while remarks are renamed.
NOTES = """
CREATE TABLE note (id int PRIMARY KEY, author text, text text);
INSERT INTO note SELECT n, 'A' || n % 4, 'Note ' || n FROM generate_series(1, 20) n;
CREATE TABLE remark (id int PRIMARY KEY, author text, text text);
INSERT INTO remark SELECT n, 'A' || n % 4, 'Remark ' || n FROM generate_series(1, {0}) n;
"""
COPY = """
ALTER TABLE remark RENAME TO comment; CREATE TABLE memo (LIKE note INCLUDING ALL);
INSERT INTO memo SELECT id + 100, author, {0} FROM note {1}; DROP TABLE note;
"""
COPIED = [op("RenameModel", "remark", new_table="comment"), op("CreateModel", "memo"),
          op("RunPython", code="note memo"), op("DeleteModel", "note")]  # fmt: skip
THERE = {"note": "memo", "remark": "comment"}
TWO_ALIKE = [
    case
    for rows in (12, 20, 25)
    for case in (
        fine(f"alike: copied beside one of {rows} rows that is renamed, right", COPY.format("text", ""),
             "each has its table", schema=NOTES.format(rows), went=THERE, plan=COPIED),
        fine(f"alike: copied beside one of {rows} rows that is renamed, right, without a plan", COPY.format("text", ""),
             "each has its table", schema=NOTES.format(rows), went=THERE),
        bad(f"alike: copied beside one of {rows} rows that is renamed, a column forgotten", COPY.format("NULL", ""),
            "twenty texts", {"note": "text 20"}, schema=NOTES.format(rows), plan=COPIED),
        bad(f"alike: copied beside one of {rows} rows that is renamed, all texts other",
            COPY.format("upper(text)", ""), "twenty texts", {"note": "changed 20 or lost 20"},
            schema=NOTES.format(rows), plan=COPIED),
        bad(f"alike: copied beside one of {rows} rows that is renamed, not all", COPY.format("text", "WHERE id > 3"),
            "three notes", {"note": "lost 3"}, schema=NOTES.format(rows), plan=COPIED),
        bad(f"alike: not copied beside one of {rows} rows that is renamed",
            COPY.format("text", "WHERE false"), "all notes", {"note": "lost 20"}, schema=NOTES.format(rows),
            plan=COPIED),
    )
]  # fmt: skip

# Payments by kind; the tables of each kind have no column for it.
KINDS = """
CREATE TABLE payment (id int PRIMARY KEY, kind varchar(10), day date NOT NULL,
    amount numeric(8, 2) NOT NULL, note text);
INSERT INTO payment SELECT n, ('{cash,card,bank}'::text[])[1 + n % {0}], date '2026-01-01' + n,
    n * 1.5, 'P' || n
    FROM generate_series(1, 30) n;
"""
SPLIT = """
CREATE TABLE {0} (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, day date, amount numeric(8, 2),
    note text);
INSERT INTO {0} (day, amount, note) SELECT day, amount, {2} FROM payment WHERE {1} ORDER BY note;
"""


def split(kinds: int, *parts: str) -> str:
    return "".join(parts) + "DROP TABLE payment;"


def schema(kinds: int) -> str:
    return KINDS.replace("{0}", str(kinds))


CASH, CARD = SPLIT.format("cash", "kind = 'cash'", "note"), SPLIT.format("card", "kind = 'card'", "note")
BANK = SPLIT.format("bank", "kind = 'bank'", "note")
SPLITTING = [op("CreateModel", "cash"), op("CreateModel", "card"), op("RunPython", code="payment cash card kind"),
             op("DeleteModel", "payment")]  # fmt: skip
BY_KIND = [
    fine("kinds: two tables, new keys, without the kind", split(2, CASH, CARD), "each table is of one kind",
         schema=schema(2)),
    fine("kinds: three tables, new keys, without the kind", split(3, CASH, CARD, BANK), "each table is of one kind",
         schema=schema(3)),
    fine("kinds: two tables, new keys, without the kind, which the code names", split(2, CASH, CARD),
         "each table is of one kind", schema=schema(2), plan=SPLITTING),
    bad("kinds: a column forgotten that happens to be one value in each table", split(2, CASH, CARD),
        "nothing says that the table means it", {"payment": "kind 30"}, schema=schema(2),
        plan=[*SPLITTING[:2], op("RunPython", code="payment cash card"), SPLITTING[-1]]),
    bad("kinds: three kinds in two tables", split(3, CASH, SPLIT.format("card", "kind <> 'cash'", "note")),
        "who tells card from bank now?", {"payment": "kind 20"}, schema=schema(3)),
    bad("kinds: one kind forgotten", split(3, CASH, CARD), "ten by bank", {"payment": "lost 10"}, schema=schema(3)),
    bad("kinds: one payment in the wrong table",
        split(2, SPLIT.format("cash", "kind = 'cash' AND id <> 4 OR id = 7", "note"),
              SPLIT.format("card", "kind = 'card' AND id <> 7 OR id = 4", "note")),
        "payments 4 and 7 have each other's kind", {"payment": "kind 2"}, schema=schema(2)),
    bad("kinds: one payment of each forgotten", split(2, SPLIT.format("cash", "kind = 'cash' AND id <> 4", "note"),
        SPLIT.format("card", "kind = 'card' AND id <> 7", "note")), "payments 4 and 7", {"payment": "lost 2 or lost 1"},
        schema=schema(2)),
    bad("kinds: another column forgotten besides", split(2, SPLIT.format("cash", "kind = 'cash'", "NULL"), CARD),
        "the notes of cash", {"payment": "note 15"}, schema=schema(2)),
    bad("kinds: another column forgotten in both", split(2, SPLIT.format("cash", "kind = 'cash'", "NULL"),
        SPLIT.format("card", "kind = 'card'", "NULL")), "all notes", {"payment": "note 30"}, schema=schema(2)),
]  # fmt: skip

CASES = INTO_CHILDREN + FOLDED + INTO_PARENT + TWO_ALIKE + BY_KIND
