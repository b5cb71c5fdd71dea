"""Find what is wrong with DATABASE_URL, or with a variable that libpq adds to it.

libpq itself parses the URL. Here it gets the URL with a host that cannot exist, so it sends
nothing. Values that libpq checks only while it connects (numbers, addresses, files) are checked
here.
Source: https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["url_fault", "variable_fault"]

_OPTIONS = {option.keyword.decode(): option for option in pq.Conninfo.get_defaults()}
# Not the name of a directory, so there is no socket below it.
_NOWHERE = "/dev/null"

_ADDED = "(which libpq adds to DATABASE_URL)"
_PERCENT = "user and password are percent-encoded, port is a number"
_POOLER = "set HOOKLINE_PREPARE_THRESHOLD=off behind a transaction pooler"
_POOL_SIZE = "HOOKLINE_POOL_SIZE is the number of connections"

# Parameters of other programs that read the same variable: the program, and what to set here.
_FOREIGN = {
    "pgbouncer": ("Prisma", _POOLER),
    "connection_limit": ("Prisma", _POOL_SIZE),
    "pool_timeout": ("Prisma", ""),
    "socket_timeout": ("Prisma", ""),
    "statement_cache_size": ("Prisma and asyncpg", _POOLER),
    "sslaccept": ("Prisma", "sslmode=verify-full checks the certificate"),
    "sslidentity": ("Prisma", "sslcert and sslkey name the client's certificate"),
    "schema": ("Prisma", "Hookline's schema is always upload_pipeline"),
    "currentSchema": ("JDBC", "Hookline's schema is always upload_pipeline"),
    "search_path": ("pgx and Go", "Hookline's functions set their own"),
    "prepareThreshold": ("JDBC", _POOLER),
    "preparedStatementCacheQueries": ("JDBC", _POOLER),
    "prepared_statements": ("Rails", _POOLER),
    "prepared_statement_cache_size": ("SQLAlchemy", _POOLER),
    "prepared_statement_name_func": ("SQLAlchemy", _POOLER),
    "prepare_threshold": ("psycopg", _POOLER),
    "default_query_exec_mode": ("pgx", _POOLER),
    "pool": ("Rails", _POOL_SIZE),
    "pool_size": ("SQLAlchemy", _POOL_SIZE),
    "max_overflow": ("SQLAlchemy", _POOL_SIZE),
    "pool_max_conns": ("pgx", _POOL_SIZE),
    "pool_min_conns": ("pgx", _POOL_SIZE),
    "async_fallback": ("SQLAlchemy", ""),
    "ssl": ("asyncpg and JDBC", "sslmode=require asks for TLS"),
    "sslfactory": ("JDBC", "sslmode=verify-full checks the certificate"),
    "uselibpqcompat": ("node-postgres", ""),
    "supa": ("Supabase's integration for Vercel", ""),
    "workaround": ("Supabase's integration for Vercel", ""),
}
_LEGAL = {
    "sslmode": "disable, allow, prefer, require, verify-ca, verify-full",
    "target_session_attrs": "any, read-write, read-only, primary, standby, prefer-standby",
    "channel_binding": "disable, prefer, require",
    "gssencmode": "disable, prefer, require",
    "load_balance_hosts": "disable, random",
    "sslnegotiation": "postgres, direct",
}
_NUMBERS = (
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout"),
)
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


def url_fault(url: str) -> str | None:
    """What is wrong with a URL, as half a sentence, or None. It never holds the password."""
    scheme, colon, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql") or not colon:
        return _scheme_fault(scheme if colon else url)
    # A password that is not percent-encoded would be read as another part, and then be shown.
    address, _, query = rest.partition("?")
    authority, _, path = address.partition("/")
    if authority.count("@") > 1 or "@" in path or "@" in query:
        return _PERCENT
    if fault := _names_fault(query):
        return fault
    try:
        given = _parts(url)
    except ProgrammingError:
        return _PERCENT
    if not re.fullmatch(r"[0-9,]*", given.get("port", "")):
        return _PERCENT
    if fault := _values_fault(given) or _authority_fault(given):
        return fault
    refusal = _refusal(given)
    return None if refusal and _variable_named_in(refusal, given) else refusal


def variable_fault(url: str) -> str | None:
    """A sentence about a variable such as PGSSLMODE that is wrong, or None.

    libpq adds it to this URL, which is right.
    """
    given = _parts(url)
    for variable, keyword in _variables_beside(given).items():
        if fault := _values_fault({keyword: os.environ[variable]}):
            return f"{variable} {_ADDED} is wrong: {fault}"
    refusal = _refusal(given)
    at_fault = _variable_named_in(refusal, given) if refusal else None
    return f"{at_fault} {_ADDED} is wrong: {refusal}" if at_fault else None


def _parts(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url).items()}


def _variables_beside(given: Mapping[str, str]) -> dict[str, str]:
    """The variables that are set and that libpq adds to these parameters, with their keywords."""
    return {
        variable: keyword
        for keyword, option in _OPTIONS.items()
        if option.envvar and keyword not in given
        if os.environ.get(variable := option.envvar.decode())
    }


def _variable_named_in(refusal: str, given: Mapping[str, str]) -> str | None:
    """The variable that a refusal is about. Only its name depends on the words of libpq."""
    words = set(re.findall(r"[a-z_]+", refusal))
    if words & given.keys():
        return None
    beside = _variables_beside(given)
    return next((variable for variable, keyword in beside.items() if keyword in words), None)


def _values_fault(parts: Mapping[str, str]) -> str | None:
    """An error that libpq would find only while it connects, or not at all."""
    for port in parts.get("port", "").split(","):
        if port and not (port.isdecimal() and 0 < int(port) < 65536):
            return f"port {port} is not a number from 1 to 65535"
    for address in parts.get("hostaddr", "").split(","):
        if address and not _is_ip_address(address):
            return f"`hostaddr={address}` is not an IP address"
    for name in _NUMBERS:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", parts.get(name, "0").strip()):
            return f"`{name}={parts[name]}` is not a number"
    for name in _FILES:
        if (file := parts.get(name)) and not (name == "sslrootcert" and file == "system"):
            try:
                open(file, "rb").close()
                if name == "sslrootcert":
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
            except ssl.SSLError:
                return f"`{name}={file}` has no certificates as PEM"
            except (OSError, ValueError) as error:
                return f"`{name}={file}`: {getattr(error, 'strerror', None) or error}"
    return None


def _authority_fault(given: Mapping[str, str]) -> str | None:
    """Whether the server's certificate has to be verified, but no authority's certificate is there.

    A socket of this machine has no TLS.
    """
    mode = given.get("sslmode") or os.environ.get("PGSSLMODE", "")
    root = given.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    remote = any(host and host[0] != "/" for host in given.get("host", "").split(","))
    if not (mode in ("verify-ca", "verify-full") and remote) or root:
        return None
    usual = Path("~/.postgresql/root.crt").expanduser()
    if usual.exists():
        return None
    return f"`sslmode={mode}` needs `sslrootcert=` and a file, or `system`: there is no {usual}"


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _refusal(given: Mapping[str, str]) -> str | None:
    """Why libpq does not even try to connect: its own words, and the values that are legal."""
    harmless = {
        name: value
        for name, value in given.items()
        if name not in ("host", "hostaddr", "port") and _OPTIONS[name].dispchar != b"*"
    }
    conninfo = make_conninfo("", host=_NOWHERE, **harmless).encode()
    # PQping returns it as a number, since messages may be translated: "the parameters are
    # nonsensical".
    if pq.PGconn.ping(conninfo) != pq.Ping.NO_ATTEMPT:
        return None
    attempt = pq.PGconn.connect_start(conninfo)
    reason = attempt.get_error_message().strip()
    attempt.finish()
    legal = next((f" ({_LEGAL[name]})" for name in _LEGAL if f"{name} value" in reason), "")
    return f"{reason}{legal}"


def _scheme_fault(scheme: str) -> str:
    start = scheme.lower()
    if start.startswith("jdbc:"):
        return "it is a URL of JDBC: remove `jdbc:`, and write user:password@ before the host"
    if match := re.match(r"(?:postgres|postgresql)\+([a-z0-9_]+)$", start):
        return f"`+{match[1]}` is SQLAlchemy's: remove it"
    if start.startswith("prisma"):
        return "it is a URL of Prisma's proxy: use that of the database itself"
    return "it is a postgresql:// URL"


def _names_fault(query: str) -> str | None:
    seen: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        name, value = unquote(name), unquote(value)
        if name == "ssl" and value == "true":
            name, value = "sslmode", "require"  # libpq reads it so, for JDBC's sake.
        if name not in _OPTIONS:
            return _unknown(name)
        if seen.setdefault(name, value) != value:
            return f"it has `{name}` twice, with two values"
    return None


def _unknown(name: str) -> str:
    if name in _FOREIGN:
        owner, instead = _FOREIGN[name]
        return f"`{name}` is a parameter of {owner}, not of libpq: remove it" + (
            f"; {instead}" if instead else ""
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,40}", name):
        return "what follows `?` is name=value, with `&` between them"
    near = difflib.get_close_matches(name.lower(), _OPTIONS, n=1)
    return f"`{name}` is not a parameter of libpq: " + (
        f"did you mean {near[0]}?" if near else "remove it"
    )
