-- Counted around real calls, so it is the plan of the statement that runs.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
-- 20,000 deliveries of another application are parked, and 20,000 provider jobs are known.
insert into upload_pipeline.webhook_deliveries (
  source, delivery_id, body_sha256, event_type, outcome, parse_job_id, code, first_seen, last_seen, check_after
)
select 'llamacloud', 'd' || n, repeat('0', 64), 'x', 'parked', 'theirs ' || n, 'parse_ready', at, at, at
  from generate_series(1, 20000) as n
  cross join lateral (select timestamptz '2025-12-31 12:00+00' + n * interval '1 s' as at) as seen;
insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)
select 'ours ' || n, pg_temp.job('a'), 1 from generate_series(1, 20000) as n;
analyze upload_pipeline.webhook_deliveries, upload_pipeline.provider_jobs;

create function pg_temp.rows_read() returns bigint
language sql volatile as $$
  select sum(coalesce(t.seq_tup_read, 0) + coalesce(t.idx_tup_fetch, 0))::bigint
    from pg_stat_xact_user_tables as t
   where t.schemaname = 'upload_pipeline' and t.relname in ('webhook_deliveries', 'provider_jobs')
$$;
create temp table read (n integer, answer text, rows bigint);
do $$
declare
  v_before bigint;
begin
  for v_n in 1..3 loop
    v_before := pg_temp.rows_read();
    insert into read (n, answer) select v_n, upload_pipeline.apply_parked();
    update read set rows = pg_temp.rows_read() - v_before where read.n = v_n;
  end loop;
end;
$$;
select is((select count(answer) from read), 0::bigint, 'none of the first deliveries is ours');
select cmp_ok((select max(rows) from read), '<=', 4 * 100 + 100::bigint, 'each call reads a bounded number of rows');
select is(
  (select count(*) from upload_pipeline.webhook_deliveries where check_after > '2026-01-01 12:00+00'), 300::bigint,
  'and leaves the deliveries that it has checked for later'
);
select is(
  (select check_after from upload_pipeline.webhook_deliveries where delivery_id = 'd1'), timestamptz '2026-01-02 11:59:59+00',
  'the older a delivery is, the later it is checked again'
);
-- One that was missed is found although 19,700 others are due.
update upload_pipeline.webhook_deliveries set parse_job_id = 'ours 7' where delivery_id = 'd350';
select is(upload_pipeline.apply_parked(), 'ours 7', 'a delivery whose provider job is known is found in its turn');

select * from finish();
rollback;
