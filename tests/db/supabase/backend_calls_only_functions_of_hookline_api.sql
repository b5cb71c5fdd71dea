begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(34);

-- What each function of hookline_api answers to the backend, and to a signed-in user who owns the job.
create temporary table call (n integer generated always as identity, statement text, answer text);
insert into call (statement, answer) values
  (
    'select outcome || '' '' || status
       from hookline_api.create_job(
         owner_id => pg_temp.owner(''eve''), filename => ''e.pdf'', mime => ''application/pdf'', bytes_len => 1,
         file_sha256 => pg_temp.sha(''e''), raw_path => ''storage://raw/e.pdf'', correlation_id => ''corr-e''
       )',
    'applied uploaded'
  ),
  (
    'select outcome || '' '' || version
       from hookline_api.confirm_upload(job_id => pg_temp.job(''a''), bytes_len => 1, file_sha256 => pg_temp.sha(''a''))',
    'applied 2'
  ),
  (
    'select outcome || '' '' || status from hookline_api.retry_job(job_id => pg_temp.job(''b''), reason => ''again'')',
    'applied uploaded'
  ),
  (
    'select outcome || '' '' || status from hookline_api.cancel_job(job_id => pg_temp.job(''c''), reason => ''no'')',
    'applied cancelled'
  ),
  (
    'select hookline_api.close_group(group_id => pg_temp.owner(''group''))::text', '1'
  ),
  (
    'select jobs || '' '' || objects from hookline_api.erase_document(document_id => pg_temp.document(''d''))',
    '1 1'
  ),
  (
    'select documents || '' '' || jobs || '' '' || objects from hookline_api.erase_owner(owner_id => pg_temp.owner(''bob''))',
    '1 1 1'
  );
select pg_temp.make_job('a', confirmed => false);
select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('b'));
select pg_temp.make_job('c');
select pg_temp.make_job('d', group_id => pg_temp.owner('group'));
select pg_temp.make_job('e', owner => 'bob');

select results_eq(
  format('select a from pg_temp.answer(%L, pg_temp.claims(''ada'')) as a', statement),
  array['42501 permission denied for function ' || substring(statement from 'hookline_api\.(\w+)')],
  'a signed-in user may not call ' || substring(statement from 'hookline_api\.(\w+)')
)
  from call
 order by n;
select results_eq(
  format('select a from pg_temp.answer(%L, pg_temp.claims(''ada''), ''anon'') as a', statement),
  array['42501 permission denied for schema hookline_api'],
  'anon may not call ' || substring(statement from 'hookline_api\.(\w+)')
)
  from call
 order by n;
select results_eq(
  format('select a from pg_temp.answer(%L, role => ''service_role'') as a', replace(statement, 'hookline_api', 'upload_pipeline')),
  array['42501 permission denied for schema upload_pipeline'],
  'the backend may not call it in upload_pipeline: ' || substring(statement from 'hookline_api\.(\w+)')
)
  from call
 order by n;
select results_eq(
  format('select a from pg_temp.answer(%L, role => ''service_role'') as a', statement), array[answer],
  'the backend may call it in hookline_api: ' || substring(statement from 'hookline_api\.(\w+)')
)
  from call
 order by n;

select is(
  (select left(a, 5)
     from pg_temp.answer('select job_id::text from hookline_api.retry_job(gen_random_uuid())', role => 'service_role') as a),
  'UP001', 'an error reaches the backend with its SQLSTATE'
);
select is(
  (select string_agg(format('%s: %s', d.filename, j.correlation_id), ', ')
     from upload_pipeline.upload_jobs as j
     join upload_pipeline.documents as d on d.document_id = j.document_id
    where d.owner_id = pg_temp.owner('eve')),
  'e.pdf: corr-e', 'every argument of create_job is passed on'
);
select is(
  (select string_agg(e.payload ->> 'reason', ', ' order by e.payload ->> 'reason')
     from upload_pipeline.events as e
    where e.payload ? 'reason'),
  'again, no', 'the reasons of retry_job and cancel_job are passed on'
);
select is_empty(
  $$select from pg_temp.answer('select job_id::text from hookline_api.my_jobs', pg_temp.claims('ada'), 'service_role') as a
     where a !~ '^42501'$$,
  'the backend may not read the views of users'
);
select is_empty(
  $$select c.relname
      from pg_class as c
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and c.relkind in ('r', 'v')
       and (select a from pg_temp.answer(
              format('select to_jsonb(t)::text from upload_pipeline.%I as t', c.relname), role => 'service_role'
            ) as a
            limit 1) is distinct from '42501 permission denied for schema upload_pipeline'$$,
  'the backend may read no table of upload_pipeline, although it bypasses row security'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
