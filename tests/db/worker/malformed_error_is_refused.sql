begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(19);

select pg_temp.make_job('a');
select pg_temp.claim();
create temp table error (name text, error jsonb) on commit drop;
insert into error values
  ('null', null), ('a string', '"x"'), ('an array', '[]'), ('no code', '{"error": "x"}'), ('no error', '{"code": "x"}'),
  ('a code with a blank', '{"code": "no word", "error": "x"}'), ('an error that is an object', '{"code": "x", "error": {}}'),
  ('a code of 101 characters', jsonb_build_object('code', repeat('x', 101), 'error', 'x')),
  ('an error of 10,000 characters', jsonb_build_object('code', 'x', 'error', repeat('x', 10000)));
select throws_ok(
  format('select upload_pipeline.%s(job_id => pg_temp.job(%L), lease_token => pg_temp.token(%L), error => %L)', function, 'a', 'a', error),
  'UP006', null, format('%s: %s', function, name)
)
  from error, unnest(array['fail_job', 'defer_job']) as function;
select isnt(pg_temp.token('a'), null, 'the lease is kept');

select * from finish();
rollback;
