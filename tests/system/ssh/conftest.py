"""SSH servers, and a project whose application and databases are behind one."""

from tests.support.ssh_servers import login, openssh, there

__all__ = ["login", "openssh", "there"]
