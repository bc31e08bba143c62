"""Two schemas as pg_dump prints them, held against each other."""

from __future__ import annotations

from ops.backups.schema_comparison import difference, entries

HEAD = "--\n-- Name: {}; Type: {}; Schema: {}; Owner: {}\n--\n\n{}\n\n"


def dumped(*found: tuple[str, str, str, str, str]) -> str:
    end = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n"
    start = "--\n-- PostgreSQL database dump\n--\n\n\\restrict {}\n\nSET lock_timeout = 0;\n\n"
    return start + "".join(HEAD.format(*one) for one in found) + end


TABLE = ("told", "TABLE", "public", "shop", "CREATE TABLE public.told (\n    id integer\n);")
SCHEMA = ("store", "SCHEMA", "-", "shop", "CREATE SCHEMA store;")
GRANT = ("TABLE told", "ACL", "public", "shop", "GRANT SELECT ON TABLE public.told TO analyst;")


def test_equal_ones_are_counted() -> None:
    found = difference(dumped(SCHEMA, TABLE), dumped(TABLE, SCHEMA))
    assert found.sentence == "2 entries of the schema are equal, as pg_dump prints them"


def test_what_one_side_lacks_and_what_is_in_another_way_is_named_without_its_text() -> None:
    owned = (*TABLE[:3], "boss", TABLE[4])
    found = difference(dumped(TABLE, GRANT), dumped(SCHEMA, owned))
    assert found.sentence == (
        "0 entries of the schema are equal, as pg_dump prints them; only in the live database: acl public.TABLE told; "
        "only in the restored database: schema store; defined differently: table public.told"
    )


def test_what_belongs_to_a_table_goes_with_it() -> None:
    key = ("told told_pkey", "CONSTRAINT", "public", "shop", "ALTER TABLE ONLY public.told ADD …")
    column = ("COLUMN told.id", "COMMENT", "public", "shop", "COMMENT ON COLUMN public.told.id IS 'hush'")
    found = difference(dumped(TABLE, GRANT, key, column), dumped())
    assert found.live == ["table public.told"]


def test_a_list_of_texts_is_the_same_however_it_is_cast() -> None:
    one = "CHECK (((k)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))"
    two = "CHECK (((k)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))"
    texts = [dumped(("k", "CHECK CONSTRAINT", "public", "shop", text)) for text in (one, two)]
    assert difference(*texts).equal == 1
    other = dumped(("k", "CHECK CONSTRAINT", "public", "shop", two.replace("'b'", "'c'")))
    assert difference(texts[0], other).changed == ["check constraint public.k"]


def test_entries_of_one_name_stand_together() -> None:
    more = (*GRANT[:4], "GRANT UPDATE ON TABLE public.told TO clerk;")
    assert len(entries(dumped(GRANT, more))) == 1
    assert difference(dumped(GRANT, more), dumped(GRANT)).changed == ["acl public.TABLE told"]
