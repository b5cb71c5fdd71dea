begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(7);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('a');
-- Fails every try at the moment when it is due; the pauses, rounded to the second.
create function pg_temp.fail_until_dead() returns interval[]
language plpgsql as $$
declare
  v_pauses interval[];
  v_row upload_pipeline.notifications;
  v_before timestamptz;
begin
  loop
    v_before := upload_pipeline.clock();
    perform pg_temp.claim_notifications();
    exit when pg_temp.finish_notification('a', 3, error => 'answered 503') = 'dead';
    v_row := pg_temp.notification('a', 3);
    v_pauses := v_pauses || (v_row.run_after - v_before);
    perform pg_temp.set_clock(v_row.run_after);
  end loop;
  return v_pauses;
end;
$$;
create temp table pauses as
  select p.pause, p.n, least(interval '3 hours', interval '5 seconds' * 2 ^ (p.n - 1)) as exact
    from unnest(pg_temp.fail_until_dead()) with ordinality as p (pause, n);

select is((select count(*) from pauses), 18::bigint, 'it is tried again 18 times');
select is_empty(
  $$select * from pauses where pause not between 0.75 * exact and 1.25 * exact$$,
  'the pauses are 5 s, doubled each time, at most 3 h, each with a jitter of a quarter'
);
select ok(
  (select sum(pause) between interval '17 hours' and interval '30 hours' from pauses), 'together they are about a day'
);
select is(pg_temp.outbox(), 'a3 dead', 'then it is dead');
select is((pg_temp.notification('a', 3)).error, 'answered 503', 'with the error of the last try');

select upload_pipeline.retry_notifications();
select pg_temp.claim_notifications();
select pg_temp.finish_notification('a', 3, error => 'answered 429', pause => '2 hours');
select is(
  (pg_temp.notification('a', 3)).run_after, upload_pipeline.clock() + interval '2 hours',
  'a longer pause that the application asks for is kept'
);
select throws_ok(
  $$select * from upload_pipeline.finish_notifications('{}', '{}', array['x'], '{}', '{}')$$, 'UP006', null,
  'arrays of different lengths are refused'
);

select * from finish();
rollback;
