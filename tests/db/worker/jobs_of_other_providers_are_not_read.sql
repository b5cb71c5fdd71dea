-- Counts the rows that real calls fetch: an index that finds jobs of other providers too would fetch them to tell.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

-- 2,000 jobs of reducto are due, and 2,000 of them are past their deadline.
set local session_replication_role = replica;
alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history;
with made as (
  insert into upload_pipeline.documents (
    owner_id, filename, mime, bytes_len, file_sha256, raw_path, upload_confirmed, created_at
  )
  select gen_random_uuid(), s.status, 'a/b', 1, repeat('a', 64), 'raw', true, '2026-01-01 00:00+00'
    from unnest(array['uploaded', 'parse_queued', 'parsed']) as s (status), generate_series(1, 2000)
  returning document_id, owner_id, filename
)
insert into upload_pipeline.upload_jobs (
  document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id, run_after,
  deadline_at, provider, parsed_path, parsed_sha256, parsed_bytes, created_at, updated_at
)
select m.document_id, m.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content, true, 'x', '2026-01-01 00:00+00',
       '2026-01-01 00:00+00', 'reducto', p.path, p.sha256, p.bytes, '2026-01-01 00:00+00', '2026-01-01 00:00+00'
  from made as m
  join upload_pipeline.statuses as s on s.status = m.filename
  left join (values ('parsed', 'x', repeat('a', 64), 1)) as p (status, path, sha256, bytes) on p.status = s.status;
set local session_replication_role = origin;
analyze upload_pipeline.upload_jobs, upload_pipeline.documents;
select pg_temp.set_clock('2026-01-02 00:00+00');

create function pg_temp.rows_read() returns bigint
language sql volatile as $$
  select sum(coalesce(t.seq_tup_read, 0) + coalesce(t.idx_tup_fetch, 0))::bigint
    from pg_stat_xact_user_tables as t
   where t.schemaname = 'upload_pipeline' and t.relname = 'upload_jobs'
$$;
create function pg_temp.cost(status text, providers text[], out read bigint, out taken bigint)
language plpgsql as $$
declare
  v_before bigint := pg_temp.rows_read();
begin
  select count(*) into taken
    from upload_pipeline.claim_jobs(status => cost.status, worker => 'w', batch => 10, providers => cost.providers);
  read := pg_temp.rows_read() - v_before;
end;
$$;

select is((pg_temp.cost('uploaded', '{llamacloud}')).taken, 0::bigint, 'nothing is due for another provider');
select cmp_ok(
  (pg_temp.cost('uploaded', '{llamacloud}')).read, '<=', 10::bigint, 'which such a claim finds out by few rows'
);
select is((pg_temp.cost('parse_queued', '{llamacloud}')).taken, 0::bigint, 'nor is any job past its deadline');
select cmp_ok(
  (pg_temp.cost('parse_queued', '{llamacloud}')).read, '<=', 10::bigint, 'which reads few rows as well'
);
select is((pg_temp.cost('uploaded', '{llamacloud,reducto}')).taken, 10::bigint, 'a worker with both has its batch');
select cmp_ok(
  (pg_temp.cost('uploaded', '{llamacloud,reducto}')).read, '<=', 90::bigint, 'and reads few rows more than that'
);
select is((pg_temp.cost('parsed', null)).taken, 10::bigint, 'a stage of your own has jobs of all providers');
select cmp_ok((pg_temp.cost('parsed', null)).read, '<=', 90::bigint, 'and reads few rows more than its batch');

select * from finish();
rollback;
