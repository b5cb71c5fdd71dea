begin;
\ir ../raw_dml.psql
select plan(12);

select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('b', 'complete');
set constraints all immediate;
set constraints all deferred;

-- What is left of the jobs a and b after the statements.
create function pg_temp.left_after(statements text)
returns text
language plpgsql
as $$
declare
  v_left text;
begin
  execute statements;
  set constraints all immediate;
  select string_agg(format('%s: %s jobs, %s events, %s contents', n.name, jobs, events, contents), '; ' order by n.name)
    into v_left
    from unnest(array['a', 'b']) as n (name),
         lateral (select count(*) from upload_pipeline.upload_jobs where correlation_id = n.name) as j (jobs),
         lateral (select count(*) from upload_pipeline.events where correlation_id = n.name) as e (events),
         lateral (select count(*) from upload_pipeline.contents where correlation_id = n.name) as c (contents);
  select concat_ws('; ', v_left, nullif(count(*), 0) || ' violations') into v_left
    from upload_pipeline.check_integrity();
  raise exception using errcode = 'PASST', message = v_left;
exception
  when sqlstate 'PASST' then
    return sqlerrm;
end;
$$;

select is(
  pg_temp.left_after('select'),
  'a: 1 jobs, 2 events, 1 contents; b: 1 jobs, 3 events, 1 contents', 'both jobs are complete before'
);

select is(pg_temp.left_after(statements), remains, name)
    || E'\n' || is(pg_temp.result_at_commit(statements), 'passed', name || ', by the owner')
  from (
    values
      ('deleting a job deletes its events and contents', $$delete from upload_pipeline.upload_jobs where correlation_id = 'a'$$,
        'a: 0 jobs, 0 events, 0 contents; b: 1 jobs, 3 events, 1 contents'),
      ('deleting a document deletes its jobs', $$
        delete from upload_pipeline.documents as d
         using upload_pipeline.upload_jobs as j
         where j.correlation_id = 'b' and d.document_id = j.document_id$$,
        'a: 1 jobs, 2 events, 1 contents; b: 0 jobs, 0 events, 0 contents'),
      ('deleting all documents deletes everything', 'delete from upload_pipeline.documents',
        'a: 0 jobs, 0 events, 0 contents; b: 0 jobs, 0 events, 0 contents'),
      ('purge deletes finished and abandoned jobs with their history', $$
        select upload_pipeline.purge(older_than => interval '0', least_age => '0')$$,
        'a: 0 jobs, 0 events, 0 contents; b: 0 jobs, 0 events, 0 contents'),
      ('erase_document deletes the jobs of the document', $$
        select upload_pipeline.erase_document(document_id => j.document_id)
          from upload_pipeline.upload_jobs as j
         where j.correlation_id = 'a'$$,
        'a: 0 jobs, 0 events, 0 contents; b: 1 jobs, 3 events, 1 contents')
  ) as removal (name, statements, remains);

select is(
  pg_temp.result_at_commit($$
    delete from upload_pipeline.upload_jobs where correlation_id = 'a';
    select 1 / count(*) from upload_pipeline.events where correlation_id = 'a'$$),
  '22012', 'no event of a deleted job is left'
);

select * from finish();
rollback;
