begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
create function pg_temp.pause() returns numeric
language plpgsql as $$
declare
  v_now timestamptz := (select run_after from upload_pipeline.contents);
begin
  perform pg_temp.set_clock(v_now);
  perform upload_pipeline.claim_contents();
  return (select extract(epoch from run_after - v_now) from upload_pipeline.contents);
end;
$$;
select is_empty(
  $$select n, seconds
      from generate_series(0, 11) as n, lateral (select pg_temp.pause() as seconds offset n - n) as p
     where seconds not between 30 + least(300, 3 * 2 ^ n) * 0.75 and 30 + least(300, 3 * 2 ^ n) * 1.25$$,
  'the backoff is 30 s plus 3 s x 2^tries, at most 300 s, with 25 % jitter'
);
select is((select tries from upload_pipeline.contents), 12, 'each try is counted');
update upload_pipeline.contents set tries = 2000000000;
select cmp_ok(pg_temp.pause(), '<=', 405::numeric, 'a very large number of tries causes no overflow');

select * from finish();
rollback;
