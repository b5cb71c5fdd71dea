begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.silence() returns setof text
language sql volatile as $$
  select format('%s: %s waiting, %s overdue, %s', queue, waiting, overdue, oldest)
    from upload_pipeline.queue_health
   where queue like 'source: %'
   order by queue
$$;
select is_empty('select pg_temp.silence()', 'a source that has sent nothing has no row');
select pg_temp.receive_event(delivery_id => 'd1', code => null);
select upload_pipeline.receive_event(source => 'llamacloud', delivery_id => 'd1', body_sha256 => repeat('0', 64), event_type => 'x');
select pg_temp.set_clock('2026-01-01 13:00+00');
select results_eq(
  'select pg_temp.silence()',
  $$values ('source: llamacloud: 0 waiting, 0 overdue, 01:00:00'), ('source: llamaparse: 0 waiting, 0 overdue, 01:00:00')$$,
  'two silent sources are shown; no job waits for them'
);
select pg_temp.make_job('ours'), pg_temp.make_parsed_job('done'), pg_temp.make_job('theirs');
delete from upload_pipeline.webhook_deliveries where delivery_id = 'content of done';
select upload_pipeline.record_submission(job_id => pg_temp.job('theirs'), attempt => 1, parse_job_id => 'p1');
select is(
  (select pg_temp.silence() limit 1), 'source: llamacloud: 1 waiting, 0 overdue, 01:00:00',
  'a job that a parser has waits for the source'
);
select pg_temp.set_clock('2026-01-01 13:15+00');
select is(
  (select pg_temp.silence() limit 1), 'source: llamacloud: 1 waiting, 0 overdue, 01:15:00', '15 minutes of silence are not overdue'
);
select pg_temp.set_clock('2026-01-01 13:15:01+00');
select is(
  (select pg_temp.silence() limit 1), 'source: llamacloud: 1 waiting, 1 overdue, 01:15:01',
  'more than 15 minutes of silence are overdue'
);
select pg_temp.receive_event(delivery_id => 'd2', code => null);
select is(
  (select string_agg(silence, '; ') from pg_temp.silence() as silence),
  'source: llamacloud: 1 waiting, 1 overdue, 01:15:01; source: llamaparse: 1 waiting, 0 overdue, 00:00:00',
  'each source is judged by itself'
);
select pg_temp.set_clock('2026-01-01 13:20+00');
select pg_temp.receive_event(delivery_id => 'd2', code => null);
select is(
  (select string_agg(silence, '; ') from pg_temp.silence() as silence),
  'source: llamacloud: 1 waiting, 1 overdue, 01:20:00; source: llamaparse: 1 waiting, 0 overdue, 00:04:59',
  'a redelivery does not end the silence'
);


-- Each source has the jobs of its own provider.
select from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', batch => 10, providers => array['docling']);
select upload_pipeline.record_submission(pg_temp.job('ours'), 1, 'p2', provider => 'docling');
select is(
  (select silence from pg_temp.silence() as silence limit 1), 'source: llamacloud: 1 waiting, 1 overdue, 01:20:00',
  'a job of another provider does not wait for this source'
);
select upload_pipeline.cancel_job(job_id => pg_temp.job('theirs'));
select pg_temp.set_clock('2026-01-01 15:00+00');
select is_empty(
  $$select * from upload_pipeline.alerts where alert = 'source_silent'$$, 'and a source whose provider has no job is not silent'
);

select * from finish();
rollback;
