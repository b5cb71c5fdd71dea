begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(6);

-- A job at docling has a job '7' there. An envelope of LlamaParse about the same attempt names a job '7', too.
select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', providers => array['docling']);
select upload_pipeline.reserve_credits(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 1, provider => 'docling'
);
select upload_pipeline.settle_credits(job_id => pg_temp.job('a'), attempt => 1, credits => 1);
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => '7');
select upload_pipeline.release_job(job_id => pg_temp.job('a'));
select pg_temp.set_clock('2026-01-01 12:05+00');
insert into upload_pipeline.credit_reservations (job_id, attempt, ordinal, provider, reserved, reserved_at, check_after)
values (pg_temp.job('a'), 1, 2, 'docling', 1, upload_pipeline.clock(), upload_pipeline.clock());
update upload_pipeline.provider_jobs set recorded_at = '2026-01-01 12:00+00';
select upload_pipeline.record_submission(
  job_id => pg_temp.job('a'), attempt => 1, parse_job_id => '7', provider => 'docling'
);

select results_eq(
  $$select provider, parse_job_ids, paid_job_ids from upload_pipeline.claim_reservations()$$,
  $$values ('docling', array['7'], '{}'::text[])$$, 'docling is asked only about its own job'
);
select is(
  upload_pipeline.settle_credits(job_id => pg_temp.job('a'), attempt => 1, credits => 1, parse_job_id => '7')::text,
  'applied', 'and that job is paid, although LlamaParse''s 7 was known when another reservation was settled'
);

update upload_pipeline.upload_jobs set deadline_at = upload_pipeline.clock();
select results_eq(
  $$select c.parse_job_ids from upload_pipeline.claim_jobs(status => 'parse_queued', worker => 'w') as c$$,
  $$values (array['7'])$$, 'a worker is given only the ids of the job''s provider'
);

-- It fails here, although LlamaParse has said that its 7 is ready.
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => '7');
select pg_temp.claim('parse_ready');
select pg_temp.fail('a', permanent => true);
select is(pg_temp.status('a'), 'failed_parse', 'the job has failed');
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => '7'
  )),
  'stale failed_parse 5', 'a repeated report of LlamaParse does not rescue it'
);
select is(
  (upload_pipeline.receive_event(
    source => 'docling', delivery_id => 'd4', body_sha256 => pg_temp.sha('d4'), event_type => 'task_completed',
    code => 'parse_ready', parse_job_id => '7'
  )).outcome::text,
  'applied', 'the first report of docling does'
);

select * from finish();
rollback;
