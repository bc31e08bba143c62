"""SSH servers."""

from tests.support.ssh_servers import login, openssh

__all__ = ["login", "openssh"]
