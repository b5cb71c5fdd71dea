-- `update ... from (select ... limit n for update skip locked)` claims too much if a nested loop repeats the subquery.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local enable_indexscan = off;
set local enable_bitmapscan = off;
set local enable_material = off;
select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.receive_content(delivery_id => 'd' || n, job_id => pg_temp.job('a'), content => convert_to(n::text, 'UTF8'))
  from generate_series(1, 20) as n;
insert into upload_pipeline.deletions (path, run_after)
select 'storage://parsed/' || n, '2026-01-01 12:00:00+00' from generate_series(1, 20) as n;
select upload_pipeline.start_announcing();
select pg_temp.make_job('cancelled ' || n) from generate_series(1, 20) as n;
select upload_pipeline.cancel_job(job_id => n.job_id) from named_jobs as n where n.name like 'cancelled%';
select pg_temp.set_clock('2026-01-01 13:00:00+00');

select is(
  (select count(*) from upload_pipeline.claim_contents(batch => 2)), 2::bigint,
  'claim_contents takes no more than its batch'
);
select is(
  (select count(*) from upload_pipeline.claim_deletions(batch => 2)), 2::bigint,
  'claim_deletions takes no more than its batch'
);
select is(
  (select count(*) from upload_pipeline.claim_notifications(batch => 2)), 2::bigint,
  'claim_notifications takes no more than its batch'
);

select * from finish();
rollback;
