begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(10);

create temp view relation as
  select c.oid, c.relname::text as relation, c.relkind, c.relowner::regrole::text as owner, c.relacl, c.reloptions
    from pg_class as c
   where c.relnamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace)
     and c.relkind not in ('i', 'c');

select bag_eq(
  'select distinct relkind::text from relation', $$values ('r'), ('v')$$,
  'tables and views only: nothing counts in a sequence'
);
select is_empty(
  $$select relation from relation where coalesce(obj_description(oid, 'pg_class'), '') !~ '\.$'$$,
  'each has a comment that is a sentence'
);
select is_empty(
  $$select t.typname
      from pg_type as t
     where t.typnamespace = 'upload_pipeline'::regnamespace
       and (t.typtype = 'd' or exists (select from pg_class as c where c.oid = t.typrelid and c.relkind = 'c'))
       and coalesce(obj_description(t.oid, 'pg_type'), '') !~ '\.$'$$,
  'so has each type and domain'
);
select is_empty(
  $$select s from unnest(array['upload_pipeline', 'hookline_api']) as s
     where coalesce(obj_description(s::regnamespace, 'pg_namespace'), '') !~ '\.$'$$,
  'so has each schema'
);
select is_empty(
  $$select r.relation, a.attname, col_description(r.oid, a.attnum)
      from relation as r
      join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0
     where col_description(r.oid, a.attnum) !~ '[.]$'$$,
  'what is said of a column is a sentence'
);
select is_empty(
  $$select relation, owner from relation where owner <> 'hookline_owner'
    union all
    select t.typname, t.typowner::regrole::text
      from pg_type as t
     where t.typnamespace = 'upload_pipeline'::regnamespace and t.typowner <> 'hookline_owner'::regrole
    union all
    select n.nspname, n.nspowner::regrole::text
      from pg_namespace as n
     where n.nspname in ('upload_pipeline', 'hookline_api') and n.nspowner <> 'hookline_owner'::regrole$$,
  'everything is the owner''s'
);
select is_empty(
  $$select c.conrelid::regclass, c.conname
      from pg_constraint as c
     where c.connamespace = 'upload_pipeline'::regnamespace
       and c.contype in ('c', 'f', 'u', 'x')
       and c.conname ~ '_(check|fkey|key|excl)\d*$'$$,
  'every rule has a name of its own'
);
select is_empty(
  $$select c.relname
      from pg_class as c
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and c.relkind = 'i'
       and c.relname ~ '_idx\d*$'$$,
  'and every index'
);
select bag_eq(
  $$select t.tgname::text, t.tgenabled::text
      from pg_trigger as t
      join pg_class as c on c.oid = t.tgrelid
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and not t.tgisinternal$$,
  $$values ('event_moves_its_job', 'A'), ('events_are_append_only', 'A'), ('events_are_never_truncated', 'A'),
           ('job_is_born_with_its_history', 'A'), ('job_moves_by_events', 'A'), ('events_are_broadcast', 'O')$$,
  'every guard is on, whatever session_replication_role is; a replica announces nothing'
);
-- Text has no length and time has a zone.
select is_empty(
  $$select r.relation, a.attname, format_type(a.atttypid, a.atttypmod)
      from relation as r
      join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
     where a.atttypid in (
       'varchar'::regtype, 'char'::regtype, 'bpchar'::regtype, 'timestamp'::regtype, 'json'::regtype, 'money'::regtype
     )$$,
  'text is text, time has a zone'
);

select * from finish();
rollback;
