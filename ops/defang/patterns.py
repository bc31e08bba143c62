"""What looks like personal data: patterns of names and types, as data. Pure.

They are conservative: a name that is mostly something else (a product's `name`, a page's `title`) is none. Each says
which masks would do, the best first; a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ops.defang.catalog import Catalog, Column
from ops.defang.masks import MASKS
from ops.defang.names import Name


@dataclass(frozen=True)
class Pattern:
    """A pattern.

    Args:
        what: what it finds, for people.
        column: regular expressions for words of the column's name, with ``_`` between a name's words.
        kinds: the classes of types that can hold it.
        masks: those that would do, the best first.
        table: likewise for words of the table's name; any where empty.
    """

    what: str
    column: str
    kinds: tuple[str, ...]
    masks: tuple[str, ...]
    table: str = ""

    def meets(self, table: str, column: Column) -> bool:
        """Whether a column looks like it. A link leads to what is looked at itself."""
        if column.kind not in self.kinds or (column.linked and column.kind not in ("text", "address")):
            return False
        return _has(self.column, column.name) and (not self.table or _has(self.table, table))


def _has(pattern: str, name: str) -> bool:
    return re.search(rf"(?:^|_)(?:{'|'.join(pattern.split())})(?:_|$)", words(name)) is not None


def words(name: str) -> str:
    """A name in small letters with ``_`` between its words: ``homePhone-2`` is ``home_phone_2``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", parted).strip("_").lower()


_TEXT = ("text",)
_GONE = ("empty", "null", "zero")
_SECRET = ("text", "uuid", "bytea", "json", "array")
# Tables of people: there even a plain `name` is one.
PERSON = """
    users? persons? people customers? clients? contacts? members? employees? staff patients? students? pupils? teachers?
    guests? subscribers? applicants? candidates? authors? profiles? kunden? personen? mitarbeiter lehrer schueler nutzer
"""
_NAMES = """
    (?:first|last|middle|full|given|family|maiden|birth|sur|nick|legal|display|contact|user)_?names? surname initials
    vorname nachname familienname geburtsname
"""
_PHONES = """
    (?:tele)?phones?(?:_?(?:number|no|nr))? mobile(?:_?(?:number|phone|no))? cell(?:_?phone)? fax(?:_?number)? tel
    telefon(?:nummer)? handy whatsapp msisdn sms_?number
"""
_PLACES = """
    (?:(?:street|postal|home|billing|shipping|delivery|mailing)_?)?address(?:_?(?:line)?_?\\d)?
    street(?:_?(?:name|number|no))? house_?(?:number|no) zip(?:_?code)? post_?(?:al_?)?code hausnummer strasse adresse
    anschrift plz
"""
_BIRTHS = """
    birth(?:_?(?:date|day))? date_?of_?birth dob born(?:_?(?:on|at))? geburts(?:tag|datum) geboren(?:_am)?
"""
_MONEY = """
    iban bic account_?(?:number|no|holder) sort_?code routing_?number kontonummer kontoinhaber credit_?card cc_?number
    card_?(?:number|no|holder) cvv cvc
"""
_PAPERS = """
    ssn social_?security(?:_?(?:number|no))? national_?id passport(?:_?(?:number|no))? (?:tax|vat)_?(?:id|number)
    steuer(?:nummer|_?id) license_?plate drivers?_?licen[sc]e
"""
_SECRETS = """
    (?:(?:access|refresh|auth|api|reset|session|csrf|bearer|id|device|push|fcm|apns)_?)?tokens?
    (?:(?:client|shared|webhook|totp|otp)_?)?secrets? passwords? passwd passwort passphrase api_?keys? private_?key
    secret_?key session_?key recovery_?codes? pin(?:_?code)? otp credentials?
"""
_TRAITS = """
    gender sex religion ethnicity nationality marital_?status diagnos[ei]s blood_?(?:type|group)
"""

PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "an e-mail address",
        "e_?mails? e_?mail_?address mail_?to mail_?from recipients? reply_?to",
        _TEXT,
        ("email", *_GONE),
    ),
    Pattern("a telephone number", _PHONES, ("text", "number"), ("digits", *_GONE)),
    Pattern("a person's name", _NAMES, _TEXT, ("name", *_GONE)),
    Pattern("a person's name", "name", _TEXT, ("name", *_GONE), table=PERSON),
    Pattern("a postal address", _PLACES, ("text", "json"), ("text", *_GONE)),
    Pattern("a date of birth", _BIRTHS, ("text", "date"), ("year", *_GONE)),
    Pattern("an account or a card", _MONEY, ("text", "number"), ("text", *_GONE)),
    Pattern("an official number", _PAPERS, ("text", "number"), ("text", *_GONE)),
    Pattern(
        "an address on the net",
        "ip ip_?(?:v4|v6)?_?addr(?:ess)? remote_?addr(?:ess)? (?:client|last|remote)_?ip mac_?address user_?agent",
        _TEXT,
        ("text", *_GONE),
    ),
    Pattern("an address on the net", ".*", ("address",), ("ip", "null")),
    Pattern("a secret", _SECRETS, _SECRET, ("token", "empty", "null")),
    Pattern("where somebody was", "latitude longitude geo_?location gps", ("text", "number"), ("null", *_GONE)),
    Pattern("a person's traits", _TRAITS, _TEXT, ("null", "empty", "text")),
)


@dataclass(frozen=True)
class Suspect:
    """A column that looks like personal data, like what, and the mask to draft; empty where none fits."""

    name: Name
    what: str
    mask: str


def suspects(catalog: Catalog) -> Iterator[Suspect]:
    """Every column that looks like personal data, table by table. A partition's is its partitioned table's."""
    for table in catalog.values():
        if table.part:
            continue
        for name, column in table.names.items():
            found = next((one for one in PATTERNS if one.meets(table.name[-1], column)), None)
            if found and not column.made and not column.inherited:
                fits = (mask for mask in found.masks if not MASKS[mask].refuses(column))
                yield Suspect(name, found.what, next(fits, ""))
