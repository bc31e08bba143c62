"""The named rules: what of well-known applications reaches real people or lets somebody in, as data. Pure.

A rule is made of parts. A part names tables (a regular expression for the whole name, in whichever schema) and, where
it does not empty them, columns; it concerns those that are there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ops.defang.catalog import Catalog, Column, Table
from ops.defang.masks import MASKS


@dataclass(frozen=True)
class Part:
    """A part of a rule.

    Args:
        table: a regular expression for the table's whole name.
        column: likewise for its columns; empty where all rows go.
        masks: the masks that would do, the best first: the first that fits is taken.
        value: in the place of a mask: the SQL expression, of the column ``{v}``.
        undone: with ``value``: the condition that is true of a row of which it did not become that.
        beside: columns that tell the table from another one of that name.
    """

    table: str
    column: str = ""
    masks: tuple[str, ...] = ()
    value: str = ""
    undone: str = ""
    beside: tuple[str, ...] = ()

    def tables(self, catalog: Catalog) -> list[Table]:
        """The tables that it concerns; a partition's rows are its partitioned table's."""
        return [
            table
            for table in catalog.values()
            if not table.part and re.fullmatch(self.table, table.name[-1]) and set(self.beside) <= set(table.columns)
        ]

    def columns(self, table: Table) -> list[Column]:
        """The columns of a table that it concerns."""
        if not self.column:
            return []
        found = [column for name, column in table.columns.items() if re.fullmatch(self.column, name)]
        return [one for one in found if not one.made and (self.value or self.mask(one) or one.kind == "text")]

    def mask(self, column: Column) -> str:
        """The mask for a column; empty where none of its fits."""
        return next((name for name in self.masks if not MASKS[name].refuses(column)), "")


@dataclass(frozen=True)
class Rule:
    """A rule: its name, what it does, why, and its parts."""

    name: str
    what: str
    why: str
    parts: tuple[Part, ...]


_OFF = "coalesce({v}, true)"
_TOKENS = (
    "authtoken_token",
    "knox_authtoken",
    "oauth2_provider_(?:accesstoken|refreshtoken|grant|idtoken|devicegrant)",
    "token_blacklist_(?:blacklistedtoken|outstandingtoken)",
    "otp_(?:totp_totpdevice|hotp_hotpdevice|email_emaildevice|static_statictoken|static_staticdevice|yubikey_.*device)",
    "two_factor_phonedevice|mfa_authenticator|otp_webauthn_.*|django_rest_passwordreset_resetpasswordtoken",
    "socialaccount_socialtoken|account_emailconfirmation|social_auth_(?:association|code|nonce|partial)",
    "rest_framework_api_key_apikey|sesame_.*|magic_link_magiclink(?:use)?|drf_.*token|tokens?_token",
)
_MAIL = (
    "post_office_(?:email|log|recipientdeliverystatus|attachment|attachment_emails)",
    "mailer_(?:message|messagelog)",
    "django_yubin_(?:message|queuedmessage|log|attachment)",
    "mailqueue_(?:mailermessage|attachment)",
    "email_log_email|django_mail_admin_(?:outgoingemail|incomingemail|log)|anymail_.*|celery_email_.*|djmail_message",
    "push_notifications_(?:gcm|apns|wns|webpush)device|fcm_django_fcmdevice|webpush_(?:pushinformation|subscriptioninfo)",
)
_JOBS = (
    "django_q_ormq|background_task(?:_completedtask)?|djkombu_message|django_tasks_database_dbtaskresult",
    "procrastinate_(?:jobs|events|periodic_defers)",
)
_HOOKS = ".*_web_?hooks?(?:_?endpoint)?|web_?hooks?_.*|rest_hooks_hook"
_HOOK = r"(?:web_?hooks?|call_?back|hook|notify|notification|endpoint)_?ur[il]s?"

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "sessions",
            "Sessions are removed.",
            "With a session's key from production somebody is logged in on the clone, and the other way round.",
            (Part("django_session|user_sessions_session|sessions?_session|qsessions_session"),),
        ),
        Rule(
            "tokens",
            "Tokens, one-time codes and second factors are removed; secrets of OAuth applications are masked.",
            "They open production as well as its copy.",
            (
                *(Part(table) for table in _TOKENS),
                Part("oauth2_provider_application", "client_secret", ("token", "text", "empty")),
                Part("socialaccount_socialapp", "secret|key|client_id", ("token", "text", "empty")),
                Part("social_auth_usersocialauth|socialaccount_socialaccount", "extra_data", ("empty",)),
            ),
        ),
        Rule(
            "passwords",
            "Passwords become unusable.",
            "A hash can be cracked at leisure; and who knows a password should not be let into a copy by it.",
            (
                Part(".*", "password", ("password", "text", "empty"), beside=("password", "last_login")),
                Part("auth_user", "password", ("password", "text", "empty")),
            ),
        ),
        Rule(
            "sites",
            "The domains of sites become test.invalid, those of further ones test-<id>.invalid.",
            "Links in mails are made of them, and would lead people to production.",
            (
                Part(
                    "django_site",
                    "domain",
                    value="CASE WHEN id = (SELECT min(id) FROM {table}) THEN 'test.invalid' "
                    "ELSE 'test-' || id || '.invalid' END",
                    undone="{v} !~ '^test(-[0-9]+)?[.]invalid$'",
                    beside=("id",),
                ),
                Part(
                    "wagtailcore_site",
                    "hostname",
                    value="'test-' || id || '.invalid'",
                    undone="{v} !~ '^test-[0-9]+[.]invalid$'",
                    beside=("id",),
                ),
            ),
        ),
        Rule(
            "mail",
            "Queued and sent mails are removed, and the devices that are pushed to.",
            "The first worker that starts beside the clone would send them to real people.",
            tuple(Part(table) for table in _MAIL),
        ),
        Rule(
            "schedules",
            "Scheduled tasks are switched off; queued ones are removed.",
            "A scheduler beside the clone would invoice, remind and delete as production's does.",
            (
                Part("django_celery_beat_periodictask", "enabled", value="false", undone=_OFF),
                Part("scheduler_(?:repeatablejob|cronjob|scheduledjob|task)", "enabled", value="false", undone=_OFF),
                Part("django_apscheduler_djangojob", "next_run_time", value="NULL", undone="{v} IS NOT NULL"),
                Part("django_q_schedule", "repeats", value="0", undone="{v} IS DISTINCT FROM 0"),
                *(Part(table) for table in _JOBS),
            ),
        ),
        Rule(
            "webhooks",
            "Addresses that are called become https://….invalid/, and what is signed with is masked.",
            "Whoever listens there would take a test for the truth.",
            (
                Part(".*", _HOOK, ("url", "empty", "null")),
                Part(_HOOKS, "url|target|target_url|endpoint", ("url", "empty", "null")),
                Part(_HOOKS, "secret|secret_key|signing_key", ("token", "text", "empty", "null")),
            ),
        ),
    )
}
