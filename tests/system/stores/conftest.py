"""Every kind of store that can be had here."""

from tests.infra.stores.conftest import *  # noqa: F403
