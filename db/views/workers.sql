-- The processes that are connected, by what their connections say of themselves, and the leases of workers. Everybody
-- may see the name of a connection in pg_stat_activity, so the view needs no further right. It believes a name only
-- if the login has the role of such a process.
create or replace view upload_pipeline.workers as
with connected as (
  select said.role,
         said.name,
         string_agg(distinct said.version, ', ' order by said.version) as version,
         min(to_timestamp(said.since)) as since,
         count(*) as connections
    from pg_catalog.pg_stat_activity as a
    cross join lateral regexp_match(
      a.application_name, '^hookline-(worker|receiver|dashboard) ([!-~]+) ([0-9]{10}) ([!-~]+)$'
    ) as word
    cross join lateral (
      select word[1] as role, word[2] as version, word[3]::bigint as since, word[4] as name
    ) as said
   where a.datname = current_database()
     and word is not null
     and pg_has_role(
       a.usesysid,
       case said.role when 'worker' then 'hookline_worker' when 'receiver' then 'hookline_ingest'
         else 'hookline_reader' end,
       'member'
     )
   group by said.role, said.name
), held as (
  select of_status.worker,
         sum(of_status.jobs)::bigint as leased,
         jsonb_object_agg(of_status.status, of_status.jobs) as statuses,
         min(of_status.first_end) as first_lease_ends
    from (
      select j.leased_by as worker, j.status, count(*) as jobs, min(j.leased_until) as first_end
        from upload_pipeline.upload_jobs as j
       where j.lease_token is not null
       group by j.leased_by, j.status
    ) as of_status
   group by of_status.worker
), holder as (
  select h.worker,
         h.leased,
         h.statuses,
         h.first_lease_ends,
         'worker' as role,
         -- As the worker shortens its name for its connections: hookline/postgres/session.py.
         case
           when h.worker ~ '^[!-~]{1,24}$' then h.worker
           else left(encode(sha256(convert_to(h.worker, 'UTF8')), 'hex'), 8) || '~'
             || regexp_replace(right(h.worker, 15), '[^!-~]', '?', 'g')
         end as name
    from held as h
)
select coalesce(h.worker, c.name) as worker,
       coalesce(h.role, c.role) as role,
       c.version,
       c.since,
       coalesce(c.connections, 0) as connections,
       coalesce(h.leased, 0) as leased,
       coalesce(h.statuses, '{}') as statuses,
       h.first_lease_ends
  from connected as c
  full join holder as h on (h.role, h.name) = (c.role, c.name);

comment on view upload_pipeline.workers is
  'One row for each worker, receiver and dashboard that is connected, and for each worker that holds jobs: its '
  'version, since when it runs (by its own clock), how many connections it has, how many jobs it holds (leased; by '
  'status in statuses), and when the first of these leases ends. connections is 0 for a worker that is gone, that is '
  'connected through a pooler, or that has an application_name of its own.';

revoke all on upload_pipeline.workers from public;
grant select on upload_pipeline.workers to hookline_reader;
