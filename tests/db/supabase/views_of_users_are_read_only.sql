-- Users cannot write even their own rows: they create jobs with create_job, and the engine moves them.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(14);

select pg_temp.make_job('a');
create temporary table before as select * from upload_pipeline.upload_jobs;

-- 55000: a view of two tables cannot be written to, even with a grant.
select results_eq(
  format('select left(a, 5) from pg_temp.answer(%L, pg_temp.claims(''ada'')) as a', statement), array[sqlstate], statement
)
  from unnest(array['hookline_api.my_jobs', 'hookline_api.my_events', 'hookline_api.my_artifacts']) as view,
  lateral (
    values
      (format('insert into %s (job_id) values (gen_random_uuid()) returning job_id::text', view), '55000'),
      (format('update %s set job_id = job_id returning job_id::text', view), '55000'),
      (format('delete from %s returning job_id::text', view), '55000'),
      (format('select job_id::text from %s for update', view), '42501')
  ) as attempt (statement, sqlstate);
select is_empty(
  $$select v, p
      from unnest(array['hookline_api.my_jobs', 'hookline_api.my_events', 'hookline_api.my_artifacts']) as v,
           unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p,
           unnest(array['anon', 'authenticated', 'service_role']) as r
     where has_table_privilege(r, v, p)$$,
  'no role of Supabase has a privilege to write to the views'
);
select set_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'no job was changed');

select * from finish();
rollback;
