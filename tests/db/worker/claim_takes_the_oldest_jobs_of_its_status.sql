begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(10);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('first');
select pg_temp.set_clock('2026-01-01 12:01+00');
select pg_temp.make_job('second');
select pg_temp.set_clock('2026-01-01 12:02+00');
select pg_temp.make_job('third');
select pg_temp.make_job('unconfirmed', confirmed => false);
select pg_temp.make_job('elsewhere');
select upload_pipeline.record_submission(job_id => pg_temp.job('elsewhere'), attempt => 1, parse_job_id => 'p0');
select pg_temp.make_job('later');
update upload_pipeline.upload_jobs set run_after = '2026-01-01 12:10:00+00' where job_id = pg_temp.job('later');
-- This job has a provider job of attempt 1 and was retried. Claims return the provider jobs of the current attempt.
select pg_temp.make_job('asked');
select upload_pipeline.record_submission(job_id => pg_temp.job('asked'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('asked'));
update upload_pipeline.upload_jobs set run_after = '2026-01-01 12:10:00+00' where job_id = pg_temp.job('asked');

select is(pg_temp.claim(batch => 2), 'first second', 'a claim takes the oldest jobs, no more than the batch');
select isnt(pg_temp.token('first'), pg_temp.token('second'), 'each job has its own lease token');
select results_eq(
  $$select leased_by, leased_until, version from upload_pipeline.job_overview where job_id = pg_temp.job('first')$$,
  $$values ('w', timestamptz '2026-01-01 12:03+00', 2)$$, 'the lease lasts as long as asked, and a claim is no step'
);
select is(pg_temp.claim(), 'third', 'leased, unconfirmed and later jobs and those of other statuses are not claimed');
select is(pg_temp.claim(), null, 'then no job is left to claim');
select is_empty(
  $$select * from upload_pipeline.claim_jobs(status => 'parse_queued', worker => 'w')$$,
  'jobs that the parser has are not claimed'
);
select pg_temp.set_clock('2026-01-01 12:09:59.999+00');
select upload_pipeline.release_lease(job_id => pg_temp.job(n), lease_token => pg_temp.token(n)) from unnest(array['first', 'second', 'third']) as n;
select is(pg_temp.claim(), 'first second third', 'released jobs can be claimed again');
select pg_temp.set_clock('2026-01-01 12:10+00');
select upload_pipeline.record_submission(job_id => pg_temp.job('asked'), attempt => 2, parse_job_id => 'p2');
select pg_temp.set_clock('2026-01-01 12:11+00');
select upload_pipeline.record_submission(job_id => pg_temp.job('asked'), attempt => 2, parse_job_id => 'p3');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p3');
select results_eq(
  $$select c.job_id, c.document_id, c.owner_id, c.filename, c.mime, c.bytes_len, c.file_sha256, c.raw_path, c.version,
           c.attempt, c.max_attempts, c.correlation_id, c.parsed_path, c.parse_job_ids, c.lease_token is not null, c.leased_until
      from upload_pipeline.claim_jobs(status => 'parse_ready', worker => 'w', lease => '1 hour') as c$$,
  $$values (pg_temp.job('asked'), pg_temp.document('asked'), pg_temp.owner('ada'), 'asked.pdf', 'application/pdf', 5::bigint,
            pg_temp.sha('asked'), 'storage://raw/ada/asked.pdf', 6, 2, 3, 'corr-asked', null::text, array['p3', 'p2'], true,
            timestamptz '2026-01-01 13:11+00')$$,
  'a claim returns the document and the provider jobs of this attempt, latest first'
);
select pg_temp.make_parsed_job('parsed');
select results_eq(
  $$select parsed_path like 'storage://parsed/%', parsed_sha256, parsed_bytes
      from upload_pipeline.claim_jobs(status => 'parsed', worker => 'w')$$,
  $$values (true, pg_temp.sha('# x'), 3::bigint)$$, 'a claim of a parsed job returns its content'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
