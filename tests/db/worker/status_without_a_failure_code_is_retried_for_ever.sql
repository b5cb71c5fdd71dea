begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

update upload_pipeline.statuses set failure_code = null where status = 'uploaded';
select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
create temp table verdict (number integer, receipt text) on commit drop;
do $$
begin
  for n in 1..12 loop
    perform pg_temp.set_clock(timestamptz '2026-01-01 12:00+00' + n * interval '1 hour');
    perform pg_temp.claim();
    insert into verdict values (n, pg_temp.fail('a', permanent => n > 10));
  end loop;
end;
$$;
select results_eq(
  'select receipt from verdict order by number', $$select format('applied uploaded %s event', 2 + n) from generate_series(1, 12) as n$$,
  'every failure is retried, even a permanent one'
);
select ok(
  (select extract(epoch from run_after - upload_pipeline.clock()) between 225 and 375 from upload_pipeline.upload_jobs),
  'the backoff has reached its cap'
);
select is_empty('select from upload_pipeline.failed_jobs', 'the job is no dead letter');

select * from finish();
rollback;
