begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select throws_ok(
  $$select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'finish_content of unknown content is refused'
);
select throws_ok(
  $$select upload_pipeline.finish_content(job_id => null, ordinal => null)$$, 'UP001', null,
  'finish_content of null arguments is refused'
);
select throws_ok(
  $$select upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'read_content of unknown content is refused'
);
select throws_ok(
  $$select upload_pipeline.accept_content(job_id => pg_temp.job('a'), ordinal => 1, markdown => '# a')$$, 'UP001', null,
  'accept_content of unknown content is refused'
);
select throws_ok(
  $$select upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'discard_content of unknown content is refused'
);
select throws_ok(
  $$select upload_pipeline.accept_content(job_id => gen_random_uuid(), ordinal => 1, markdown => '# a')$$,
  'UP001', null,
  'accept_content for an unknown job is refused'
);

select * from finish();
rollback;
