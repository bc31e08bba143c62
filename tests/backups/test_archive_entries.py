"""What of a dump's table of contents is restored, and in which order."""

from __future__ import annotations

from ops.backups.archive_entries import Place, chosen

LIST = """;
; Selected TOC Entries:
;
5; 2615 2200 SCHEMA - public postgres
2617; 0 0 ACL - SCHEMA public postgres
2; 3079 16385 EXTENSION - uuid-ossp
2618; 0 0 COMMENT - EXTENSION "uuid-ossp"
3; 3079 16386 EXTENSION - citext
2619; 0 0 COMMENT - EXTENSION citext\x20
220; 1259 16988 TABLE public told shop
2620; 0 0 COMMENT public TABLE told shop
224; 1259 17005 MATERIALIZED VIEW public My View shop
2604; 0 16988 TABLE DATA public told shop
2610; 0 0 BLOBS - 77 shop
2470; 2606 17001 CONSTRAINT public told told_pkey shop
2607; 0 17005 MATERIALIZED VIEW DATA public My View shop
2608; 0 17011 MATERIALIZED VIEW DATA public My View more shop
""".splitlines()
VIEWS = {"17005"}
OTHERS = Place("pg_database_owner", frozenset({"postgres"}), frozenset({"citext", "uuid-ossp"}))


def names(lines: list[str]) -> list[str]:
    return [line.split(" ", 3)[3].strip() for line in lines]


def test_all_of_it_is_restored_at_once_where_nothing_is_to_be_left_out() -> None:
    found = chosen(LIST, Place("shop"), (), owned=True, apart=False)
    assert found.first == [] and found.said == []
    assert found.rest == LIST[3:]


def test_tables_come_before_their_rows_and_what_says_more_of_them_later() -> None:
    found = chosen(LIST, Place("shop"), (), owned=True, apart=True)
    kinds = ("SCHEMA - public", "EXTENSION - uuid", "EXTENSION - citext", "TABLE public", "MATERIALIZED VIEW public")
    assert [name.startswith(kind) for name, kind in zip(names(found.first), kinds, strict=True)] == [True] * 5
    assert sorted(found.first + found.rest) == sorted(LIST[3:])
    assert "ACL - SCHEMA public postgres" in names(found.rest)


def test_what_a_new_database_has_already_is_left_out_and_named() -> None:
    found = chosen(LIST, OTHERS, (), owned=True, apart=False)
    left = set(names(LIST[3:])) - set(names(found.rest))
    assert left == {"SCHEMA - public postgres", 'COMMENT - EXTENSION "uuid-ossp"', "COMMENT - EXTENSION citext"}
    assert (
        "schema public belongs to pg_database_owner there, and not to postgres" in found.said and len(found.said) == 3
    )
    bare = chosen(LIST, OTHERS, (), owned=False, apart=False)
    assert "SCHEMA - public postgres" in names(bare.rest), "its owner is not restored there anyway"


def test_only_the_views_that_are_filled_at_the_end_are_left_out() -> None:
    found = chosen(LIST, Place("shop"), VIEWS, owned=True, apart=False)
    assert found.said == []
    assert "MATERIALIZED VIEW DATA public My View shop" not in names(found.rest)
    assert names(found.rest)[-1] == "MATERIALIZED VIEW DATA public My View more shop"
