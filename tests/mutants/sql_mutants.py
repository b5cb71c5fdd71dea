"""Small faults in the SQL, one at a time: each is a mutant that some test should fail on.

A mutant is a piece of SQL that is run after db/install.sql. Those of the catalogue drop a
constraint, a unique index, a trigger or a revoke. Those of a function replace it by its own text
with one change: a lock clause, a comparison, a word of logic, a condition of a `where`, a raise.
The texts are changed by patterns and not by a parser, since a parser of SQL sees no PL/pgSQL. What
Postgres then refuses to create is no mutant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from support.servers import ROOT

FUNCTIONS = ROOT / "db" / "functions"
TRIGGERS = ROOT / "db" / "triggers"


@dataclass(frozen=True)
class Mutant:
    """`name` says the place and the change, `function` whose tests may fail (None: anyone's)."""

    name: str
    sql: str
    function: str | None = None


_CATALOGUE = """
select format('%s: no %s', c.conrelid::regclass, c.conname),
       format('alter table %s drop constraint %I cascade', c.conrelid::regclass, c.conname)
  from pg_constraint as c
 where c.connamespace = 'upload_pipeline'::regnamespace
   and c.conrelid <> 0
   and c.contype in ('c', 'f', 'u')
   and c.conparentid = 0
union all
select format('%s: no %s', c.contypid::regtype, c.conname),
       format('alter domain %s drop constraint %I', c.contypid::regtype, c.conname)
  from pg_constraint as c
 where c.connamespace = 'upload_pipeline'::regnamespace
   and c.contypid <> 0
   and c.contype = 'c'
union all
select format('%s: no %s', i.indrelid::regclass, i.indexrelid::regclass),
       format('drop index %s', i.indexrelid::regclass)
  from pg_index as i
  join pg_class as r on r.oid = i.indexrelid
 where r.relnamespace = 'upload_pipeline'::regnamespace
   and not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
union all
select format('%s: no trigger %s', t.tgrelid::regclass, t.tgname),
       format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
  from pg_trigger as t
  join pg_class as r on r.oid = t.tgrelid
 where r.relnamespace = 'upload_pipeline'::regnamespace
   and not t.tgisinternal
union all
select format('%s: may be called by anybody', p.oid::regprocedure),
       format('grant execute on function %s to public', p.oid::regprocedure)
  from pg_proc as p
 where p.pronamespace = 'upload_pipeline'::regnamespace
union all
select format('%s: with the rights of its caller', p.oid::regprocedure),
       format('alter function %s security invoker', p.oid::regprocedure)
  from pg_proc as p
 where p.pronamespace = 'upload_pipeline'::regnamespace
   and p.prosecdef
 order by 1
"""


def of_the_catalogue(conn: psycopg.Connection[Any]) -> list[Mutant]:
    return [Mutant(name, sql) for name, sql in conn.execute(_CATALOGUE)]


def of_the_functions() -> list[Mutant]:
    """The mutants of every function and trigger function."""
    paths = [*sorted(FUNCTIONS.rglob("*.sql")), *sorted(TRIGGERS.rglob("*.sql"))]
    return [mutant for path in paths for mutant in of_function(path)]


_LOCK_CLAUSE = (
    r"\bfor (?:no key update|key share|update)(?: of \w+(?:, \w+)*)?(?: skip locked)?(?=[;\n)])"
)
# Each pattern is one kind of fault, with what stands in its place. Longer ones come first: of two
# patterns at one place, the first is taken.
_WORDS = [
    (r"\bskip locked\b", ""),
    (_LOCK_CLAUSE, ""),
    (r"\bperform pg_advisory_xact_lock\([^;]*\);", "null;"),
    (r"\block table [^;]*;", ""),
    (r"\bis not null\b", "is null"),
    (r"\bis null\b", "is not null"),
    (r"\bis not distinct from\b", "is distinct from"),
    (r"\bis distinct from\b", "is not distinct from"),
    (r"\bis not true\b", "is true"),
    (r"\bis not false\b", "is false"),
    (r"\bnot between\b", "between"),
    (r"\bnot in\b", "in"),
    (r"\bnot exists\b", "exists"),
    (r"(?<=[ (])exists(?= \()", "not exists"),
    (r"\bnot (?=[a-z(])", ""),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"(?<= )<>(?= )", "="),
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )!~(?= )", "~"),
    (r"\bgreatest\(", "least("),
    (r"\bleast\(", "greatest("),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"(?<= )\+(?= )", "-"),
]
# An equals sign outside of these is a comparison.
_ASSIGNS = re.compile(r"^\s*(?:set|,)?\s*\w+ = ")
_RAISE = re.compile(r"\braise exception\b.*?;", re.DOTALL)
_STATEMENT = re.compile(r"^ +(?:perform|update|delete|insert)\b[^;]*;", re.MULTILINE | re.DOTALL)
# One condition a line, as the style has it. The next line is no deeper part of it.
_CONDITION = re.compile(r"^( +)(and|or) [^\n]*(?=\n)", re.MULTILINE)
_FIRST = re.compile(r"\b(where|on) [^\n]*(?=\n)")


def of_function(path: Path) -> Iterator[Mutant]:
    text = path.read_text()
    head, body, tail = text.split("$$", 2)
    tail = tail.split("comment on", 1)[0]
    seen: set[str] = set()
    for start, end, new, kind in sorted(set(_edits(body))):
        changed = body[:start] + new + body[end:]
        if changed in seen:
            continue
        seen.add(changed)
        line = head.count("\n") + body[:start].count("\n") + 1
        old = " ".join(body[start:end].split())
        yield Mutant(
            f"{path.stem}:{line}: {kind} {old[:60]!r}" + (f" -> {new!r}" if new else ""),
            f"{_without_drops(head)}$${changed}$${tail.split(';')[0]};",
            path.stem,
        )


def _without_drops(head: str) -> str:
    return head[head.index("create or replace function") :]


def _edits(body: str) -> Iterator[tuple[int, int, str, str]]:
    """Start, end and replacement of each change, and what kind of change it is."""
    code = _blanked(body)
    taken: set[int] = set()
    for pattern, new in _WORDS:
        for found in re.finditer(pattern, code):
            if found.start() not in taken:
                taken.add(found.start())
                yield found.start(), found.end(), new, "replace"
    for found in re.finditer(r"(?<= )=(?= )", code):
        line = code[code.rfind("\n", 0, found.start()) + 1 : found.end()]
        if not _ASSIGNS.match(line + " "):
            yield found.start(), found.end(), "<>", "replace"
    for found in _RAISE.finditer(code):
        yield found.start(), found.end(), "null;", "remove"
    for found in _STATEMENT.finditer(code):
        yield found.start(), found.end(), " null;", "remove"
    for found in (*_CONDITION.finditer(code), *_FIRST.finditer(code)):
        condition = found[0]
        if condition.count("(") == condition.count(")") and not condition.endswith("then"):
            ends = found.end() - (1 if condition.endswith(";") else 0)
            word = re.match(r" *(and|or|where|on) ", condition)
            assert word
            if word[1] in ("where", "on"):
                yield found.start() + len(word[0]), ends, "true", "remove"
            else:
                yield found.start(), ends, "", "remove"


def _blanked(body: str) -> str:
    """The text with comments and literals as blanks, so that positions stay the same."""
    return re.sub(
        r"--[^\n]*|'(?:[^']|'')*'",
        lambda found: re.sub(r"[^\n]", " ", found[0]),
        body,
    )
