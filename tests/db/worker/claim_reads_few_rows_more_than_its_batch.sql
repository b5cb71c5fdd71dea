-- Counts the rows that real calls of claim_jobs fetch or scan, whatever plan Postgres chooses.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

-- 50,000 waiting jobs, 50,000 leased, 50,000 finished, and 10,000 that the parser has. Foreign keys and the checks at
-- commit are off, or the set-up would take a minute. Documents that no claim reads are left out.
create function pg_temp.id(kind integer, n integer) returns uuid
language sql immutable as $$
  select format('%s-0000-4000-8000-%s', lpad(kind::text, 8, '0'), lpad(n::text, 12, '0'))::uuid
$$;
set local session_replication_role = replica;
alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history;
insert into upload_pipeline.documents (
  document_id, owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed, created_at
)
select pg_temp.id(kind, n), pg_temp.id(kind, n), 'a.pdf', 'a/b', 1, repeat('a', 64), 'raw', true, '2026-01-01 00:00+00'
  from unnest(array[1, 2, 4]) as kind, generate_series(1, 7000) as n;
insert into upload_pipeline.upload_jobs (
  job_id, document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id, run_after,
  deadline_at, lease_token, leased_by, leased_until, last_error, created_at, updated_at
)
select id, id, id, s.status, s.terminal, s.failed, s.claimable, s.has_content, true, 'x', at,
       case when not s.terminal then at end,
       case when held then id end,
       case when held then 'w' end,
       case when held then timestamptz '2026-01-02 00:00+00' + n * interval '1 s' end,
       case when s.failed then jsonb '{}' end, at, at
  from (
    values (1, 'uploaded', false, 50000), (2, 'uploaded', true, 50000), (3, 'failed_parse', false, 50000),
           (4, 'parse_queued', false, 10000)
  ) as k (kind, status, held, jobs)
  join upload_pipeline.statuses as s on s.status = k.status
 cross join generate_series(1, k.jobs) as n
 cross join lateral (
   select timestamptz '2026-01-01 00:00+00' + n * interval '1 s' as at, pg_temp.id(kind, n) as id offset 0
 ) as due;
set local session_replication_role = origin;
-- Autovacuum does this within a minute.
analyze upload_pipeline.upload_jobs, upload_pipeline.documents;
select pg_temp.set_clock('2026-01-02 00:00+00');

-- The rows that this transaction has scanned, or fetched by an index, so far.
create function pg_temp.rows_read() returns bigint
language sql volatile as $$
  select sum(coalesce(t.seq_tup_read, 0) + coalesce(t.idx_tup_fetch, 0))::bigint
    from pg_stat_xact_user_tables as t
   where t.schemaname = 'upload_pipeline' and t.relname in ('upload_jobs', 'documents', 'provider_jobs')
$$;
-- Of several claims: the most rows that one has read, and the number of jobs that the last one took.
create function pg_temp.cost(calls integer, status text, batch integer, out most bigint, out taken bigint)
language plpgsql as $$
declare
  v_before bigint;
begin
  most := 0;
  for n in 1..calls loop
    v_before := pg_temp.rows_read();
    select count(*) into taken
      from upload_pipeline.claim_jobs(status => cost.status, worker => 'w', batch => cost.batch, lease => '1 day');
    most := greatest(most, pg_temp.rows_read() - v_before);
  end loop;
end;
$$;

-- Ten calls use both the custom and the generic plan. Each job is read to be counted, to find its owner, to be found and
-- to be written, its document twice (once for the foreign key). The planner reads a few rows at the ends of an index.
select is((pg_temp.cost(10, 'uploaded', 10)).taken, 10::bigint, 'each claim takes its batch');
select cmp_ok(
  (pg_temp.cost(10, 'uploaded', 10)).most, '<=', 6 * 10 + 20::bigint, 'a claim of 10 reads at most 80 rows'
);
select cmp_ok((pg_temp.cost(10, 'uploaded', 1)).most, '<=', 6 * 1 + 20::bigint, 'a claim of 1 reads at most 26 rows');
select cmp_ok(
  (pg_temp.cost(10, 'uploaded', 100)).most, '<=', 6 * 100 + 20::bigint, 'a claim of 100 reads at most 620 rows'
);
select cmp_ok(
  (pg_temp.cost(10, 'parse_queued', 10)).most, '<=', 4 * 10 + 20::bigint,
  'a claim of 10 jobs past their deadline reads at most 60 rows'
);
select cmp_ok(
  (pg_temp.cost(10, 'parse_ready', 10)).most, '<=', 20::bigint, 'a claim that finds no job reads at most 20 rows'
);
update upload_pipeline.statuses
   set paused_until = '2026-01-03 00:00+00', paused_because = 'x', paused_by = 'y'
 where status = 'uploaded';
select cmp_ok(
  (pg_temp.cost(10, 'uploaded', 10)).most, '<=', 20::bigint, 'a claim of a paused status reads at most 20 rows'
);
update upload_pipeline.statuses set paused_until = null, paused_because = null, paused_by = null where status = 'uploaded';

-- Forty leases have expired. Each claim sweeps ten.
select pg_temp.set_clock('2026-01-02 00:00:40.5+00');
select cmp_ok(
  (pg_temp.cost(5, 'parse_ready', 1)).most, '<=', 20 * 10::bigint,
  'a claim that sweeps ten leases reads at most 200 rows'
);
select is(
  (select count(*) from upload_pipeline.events where code = 'lease_expired'), 40::bigint, 'five claims have swept all forty leases'
);

select * from finish();
rollback;
