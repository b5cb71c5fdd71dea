begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.make_job('c');
select pg_temp.make_job('cancelled');
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
select pg_temp.set_clock('2030-01-01 12:00+00');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), payload => '{"error": "blank page", "code": "theirs"}'
);
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_cancelled', job_id => pg_temp.job('b'));

select results_eq(
  $$select n.name, f.document_id, f.owner_id, f.filename, f.status, f.attempt, f.max_attempts, f.code, f.error, f.correlation_id::text,
           f.failed_at
      from upload_pipeline.failed_jobs as f join named_jobs as n using (job_id) order by n.name$$,
  $$values ('a', pg_temp.document('a'), pg_temp.owner('ada'), 'a.pdf', 'failed_parse', 1, 3, 'parse_failed', 'blank page', 'corr-a',
            timestamptz '2030-01-01 12:00+00'),
           ('b', pg_temp.document('b'), pg_temp.owner('ada'), 'b.pdf', 'failed_parse', 1, 3, 'parse_cancelled', null, 'corr-b',
            timestamptz '2030-01-01 12:00+00')$$,
  'failed_jobs lists each dead letter with the code of its event and the parser''s error'
);
select set_eq(
  $$with due as materialized (
      select f.job_id from upload_pipeline.failed_jobs as f
    ), retried as materialized (
      select r.job_id, r.outcome, r.status
        from due
       cross join lateral upload_pipeline.retry_job(job_id => due.job_id) as r
    )
    select r.outcome::text, n.name, r.status
      from retried as r
      join named_jobs as n on n.job_id = r.job_id$$,
  $$values ('applied', 'a', 'uploaded'), ('applied', 'b', 'uploaded')$$,
  'one statement retries all of them'
);
select is_empty('select * from upload_pipeline.failed_jobs', 'no dead letter is left');
select is(
  (select count(*) from upload_pipeline.events where code = 'job_retried'), 2::bigint, 'each retry has one event'
);

select * from finish();
rollback;
