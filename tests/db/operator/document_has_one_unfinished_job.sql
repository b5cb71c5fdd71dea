-- An earlier implementation allowed two active jobs, and matched files of different users: a document leaked.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a', owner => 'ada', file => 'f');
create temporary table before as select * from upload_pipeline.upload_jobs;
select is(
  pg_temp.summary(upload_pipeline.create_job(
    owner_id => pg_temp.owner('ada'), filename => 'renamed.pdf', mime => 'application/pdf', bytes_len => 1,
    file_sha256 => pg_temp.sha('f'), raw_path => 'storage://raw/elsewhere.pdf', correlation_id => 'other'
  )),
  'duplicate uploaded 2', 'create_job for the same file returns the unfinished job'
);
select results_eq(
  'select * from upload_pipeline.upload_jobs', 'select * from before', 'the unfinished job is unchanged'
);
select results_eq(
  'select filename, raw_path from upload_pipeline.documents', $$values ('f.pdf', 'storage://raw/ada/f.pdf')$$,
  'a confirmed document keeps its file'
);

select pg_temp.make_job('b', owner => 'bob', file => 'f');
select isnt(pg_temp.document('b'), pg_temp.document('a'), 'the same file of another owner is another document');
select is(
  (select string_agg(owner_id::text, ' ' order by owner_id) from upload_pipeline.job_overview),
  (select string_agg(id::text, ' ' order by id) from unnest(array[pg_temp.owner('ada'), pg_temp.owner('bob')]) as id),
  'each owner has one job'
);
select throws_ok(
  $$insert into upload_pipeline.upload_jobs (document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id)
    values (pg_temp.document('a'), pg_temp.owner('ada'), 'uploaded', false, false, true, false, true, 'c')$$,
  '23505', null, 'the index refuses a second unfinished job inserted by hand'
);

select * from finish();
rollback;
