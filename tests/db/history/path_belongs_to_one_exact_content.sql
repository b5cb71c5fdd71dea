-- An earlier implementation let a second callback overwrite the parsed object in place.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => 'one')),
  'kept uploaded 2 #1 + .md', 'the first content gets the first path'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => 'two')),
  'kept uploaded 2 #2 + .2.md', 'another content gets another path'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '{"x"}', recognised => false)),
  'unrecognised uploaded 2 #3', 'content of unknown shape gets no path'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('a'), content => 'three')),
  'kept uploaded 2 #4 + .3.md', 'content of unknown shape uses up no path number'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd5', job_id => pg_temp.job('a'), content => 'two')),
  'kept uploaded 2 #2 + .2.md', 'the same content keeps its path'
);
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 2);
select throws_ok(
  $$update upload_pipeline.contents set path = (select path from upload_pipeline.contents where ordinal = 1) where ordinal = 2$$,
  '23505', null, 'an update by hand cannot give a path twice'
);
select throws_ok(
  $$insert into upload_pipeline.contents (job_id, ordinal, attempt, content_sha256, content_bytes, content, path, correlation_id)
    select job_id, 9, attempt, content_sha256, content_bytes, content, path || 'x', correlation_id
      from upload_pipeline.contents where ordinal = 1$$,
  '23505', null, 'an insert by hand cannot give a content two paths'
);
select is(
  (select count(*) from upload_pipeline.contents where path like '%/' || pg_temp.sha('two') || '%'), 0::bigint,
  'no path contains a hash'
);

select * from finish();
rollback;
