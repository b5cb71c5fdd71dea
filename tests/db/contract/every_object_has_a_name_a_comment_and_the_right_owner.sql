begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(11);

create temp view relation as
  select c.oid, c.relname::text as relation, c.relkind, c.relowner::regrole::text as owner, c.relacl, c.reloptions
    from pg_class as c
   where c.relnamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace)
     and c.relkind not in ('i', 'c');

select bag_eq(
  'select distinct relkind::text from relation', $$values ('r'), ('v')$$,
  'there are only tables and views, no sequences'
);
select is_empty(
  $$select relation from relation where coalesce(obj_description(oid, 'pg_class'), '') !~ '\.$'$$,
  'each table and view has a comment that is a sentence'
);
select is_empty(
  $$select c.oid::regclass
      from pg_class as c
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and c.relkind = 'r'
       and c.relreplident <> 'f'
       and not exists (select from pg_index as i where i.indrelid = c.oid and i.indisprimary)$$,
  'each table can be published: it has a primary key or the replica identity full'
);
select is_empty(
  $$select t.typname
      from pg_type as t
     where t.typnamespace = 'upload_pipeline'::regnamespace
       and (t.typtype = 'd' or exists (select from pg_class as c where c.oid = t.typrelid and c.relkind = 'c'))
       and coalesce(obj_description(t.oid, 'pg_type'), '') !~ '\.$'$$,
  'each type and domain has a comment that is a sentence'
);
select is_empty(
  $$select s from unnest(array['upload_pipeline', 'hookline_api']) as s
     where coalesce(obj_description(s::regnamespace, 'pg_namespace'), '') !~ '\.$'$$,
  'each schema has a comment that is a sentence'
);
select is_empty(
  $$select r.relation, a.attname, col_description(r.oid, a.attnum)
      from relation as r
      join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0
     where col_description(r.oid, a.attnum) !~ '[.]$'$$,
  'each comment on a column is a sentence'
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
  'hookline_owner owns every relation, type and schema'
);
select is_empty(
  $$select c.conrelid::regclass, c.conname
      from pg_constraint as c
     where c.connamespace = 'upload_pipeline'::regnamespace
       and c.contype in ('c', 'f', 'u', 'x')
       and c.conname ~ '_(check|fkey|key|excl)\d*$'$$,
  'no constraint has a generated name'
);
select is_empty(
  $$select c.relname
      from pg_class as c
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and c.relkind = 'i'
       and c.relname ~ '_idx\d*$'$$,
  'no index has a generated name'
);
select bag_eq(
  $$select t.tgname::text, t.tgenabled::text
      from pg_trigger as t
      join pg_class as c on c.oid = t.tgrelid
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and not t.tgisinternal$$,
  $$values ('event_moves_its_job', 'A'), ('events_are_append_only', 'A'), ('events_are_never_truncated', 'A'),
           ('job_is_born_with_its_history', 'A'), ('job_moves_by_events', 'A'), ('one_status_is_initial', 'A'),
           ('initial_status_is_remembered', 'A'), ('events_are_broadcast', 'O'),
           ('steps_are_counted', 'O'), ('deleted_jobs_are_counted', 'O'), ('later_jobs_are_scheduled', 'O')$$,
  'every guard is `enable always`; the broadcast, the counts and the schedule are not, so a replica adds nothing'
);
-- Columns are text without a length and timestamptz.
select is_empty(
  $$select r.relation, a.attname, format_type(a.atttypid, a.atttypmod)
      from relation as r
      join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
     where a.atttypid in (
       'varchar'::regtype, 'char'::regtype, 'bpchar'::regtype, 'timestamp'::regtype, 'json'::regtype, 'money'::regtype
     )$$,
  'no column has another type of text, time or JSON'
);

select * from finish();
rollback;
