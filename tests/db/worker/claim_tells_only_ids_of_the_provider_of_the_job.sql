begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', providers => '{llamacloud}');
select upload_pipeline.reserve_credits(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 1);
-- Both belong to the attempt: the other provider spoke of a provider job that nobody had recorded.
insert into upload_pipeline.provider_jobs (provider, parse_job_id, job_id, attempt)
values ('llamacloud', 'ours', pg_temp.job('a'), 1), ('docling', 'theirs', pg_temp.job('a'), 1);
select upload_pipeline.release_lease(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'));

select is(
  (
    select parse_job_ids
      from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', providers => '{llamacloud}')
  ),
  '{ours}', 'a claimed job tells the ids of its provider'
);
select pg_temp.set_clock('2026-01-01 12:10+00');
select results_eq(
  'select provider, parse_job_ids, paid_job_ids from upload_pipeline.claim_reservations()',
  $$values ('llamacloud', '{ours}'::text[], '{}'::text[])$$, 'and so does a reservation'
);
select pg_temp.set_clock('2026-01-01 12:30+00');
select upload_pipeline.settle_credits(
  job_id => pg_temp.job('a'), attempt => 1, credits => 1, reserved_at => '2026-01-01 12:00+00', parse_job_id => 'ours'
);
update upload_pipeline.upload_jobs set provider = null where job_id = pg_temp.job('a');
select upload_pipeline.release_lease(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'));
select set_eq(
  $$select unnest(parse_job_ids) from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w')$$,
  '{ours,theirs}'::text[], 'of a job without a provider, all are told'
);

select * from finish();
rollback;
