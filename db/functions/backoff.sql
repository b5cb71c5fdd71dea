create or replace function upload_pipeline.backoff(tries integer)
returns interval
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select make_interval(secs => least(300, 3 * 2 ^ least(greatest(tries, 0), 16)) * (0.75 + random() / 2));
$$;

comment on function upload_pipeline.backoff(integer) is
  'How long to wait after so many tries: 3 s x 2^tries, at most 300 s, give or take a quarter so that many do not return at once.';

revoke all on function upload_pipeline.backoff(integer) from public;
