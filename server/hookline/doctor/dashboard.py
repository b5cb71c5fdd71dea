"""Check the dashboard: its settings, and what its login may do."""

from __future__ import annotations

from hookline.dashboard.access import access_of
from hookline.dashboard.reading import reading
from hookline.dashboard.run import opened_site, require_reader
from hookline.doctor.check import Check
from hookline.postgres.errors import DatabaseError
from hookline.settings import ConfigurationError, Settings

__all__ = ["check_dashboard"]


async def check_dashboard(settings: Settings) -> Check | None:
    """The row; None if no setting of the dashboard is there."""
    try:
        if settings.dashboard_database_url is None:
            require_reader(settings)
            return None
        access = access_of(settings)
        async with opened_site(settings) as site, reading(site.pool) as reader:
            is_operator = reader.is_operator
    except ConfigurationError as error:
        return Check("dashboard", "fault", str(error))
    except DatabaseError as error:
        return Check("dashboard", "fault", f"Its database does not answer: {error}.")
    if access.mode == "open":
        sentence = "It shows, on this machine only: nobody can act without a login."
    elif is_operator:
        sentence = "It shows, and who logs in can act."
    else:
        sentence = "It only shows: its login is not in hookline_operator."
    return Check("dashboard", "ok", sentence)
