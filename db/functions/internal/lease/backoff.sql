-- Changes nothing. Pauses vary at random, so that many jobs that failed together do not come back together.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.backoff(
  tries integer,
  base interval default '3 seconds',
  cap interval default '300 seconds'
)
returns interval
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select least(cap, base * 2 ^ least(greatest(tries, 0), 16)) * (0.75 + random() / 2);
$$;

comment on function upload_pipeline.backoff(integer, interval, interval) is
  'The pause after this many tries: base * 2^tries, at most cap, plus or minus up to a quarter.';

revoke all on function upload_pipeline.backoff(integer, interval, interval) from public;
