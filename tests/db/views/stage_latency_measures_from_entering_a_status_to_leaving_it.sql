-- 101 jobs stay in uploaded for 10 to 110 s (events without a move do not count), and in parse_queued for 1 s.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

do $$
begin
  for n in 10..110 loop
    perform pg_temp.set_clock(timestamptz '2026-01-01 12:00+00' - make_interval(secs => n));
    perform pg_temp.make_job('j' || n, confirmed => false);
    perform pg_temp.set_clock(timestamptz '2026-01-01 12:00+00' - interval '3 s');
    perform upload_pipeline.confirm_upload(job_id => pg_temp.job('j' || n), bytes_len => length('j' || n), file_sha256 => pg_temp.sha(convert_to('j' || n, 'UTF8')));
  end loop;
end;
$$;
select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.receive_event(delivery_id => name, code => 'parse_started', job_id => job_id) from named_jobs;
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select pg_temp.receive_event(delivery_id => 'f' || name, code => 'parse_failed', job_id => job_id) from named_jobs;
select pg_temp.set_clock('2026-01-01 12:00:11+00');
select upload_pipeline.retry_job(job_id => pg_temp.job('j10'));
select pg_temp.set_clock('2026-01-01 13:00:00+00');

select results_eq(
  'select status, stays, p50_seconds, p95_seconds, p99_seconds from upload_pipeline.stage_latency order by status',
  $$values ('failed_parse', 1::bigint, 10::float8, 10::float8, 10::float8),
           ('parse_queued', 101, 1, 1, 1),
           ('uploaded', 101, 60, 105, 109)$$,
  'the percentiles are of the stays that have ended'
);
select pg_temp.set_clock('2026-01-01 13:00:00+00');
select upload_pipeline.cancel_job(job_id => pg_temp.job('j10'));
select is(
  (select stays from upload_pipeline.stage_latency where status = 'uploaded'), 102::bigint, 'a second stay of a job is counted too'
);

select * from finish();
rollback;
