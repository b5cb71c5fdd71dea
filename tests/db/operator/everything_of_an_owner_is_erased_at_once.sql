begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 100);
select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner('ada'), period => 'day', credits => 50);
select pg_temp.make_parsed_job('purged');
select upload_pipeline.cancel_job(job_id => pg_temp.job('purged'));
select pg_temp.set_clock('2026-01-10 12:00+00');
select upload_pipeline.purge(older_than => '7 days');
select is((select jobs from upload_pipeline.document_overview), 0, 'a document whose job was purged is in document_overview');
select isnt(
  (select purged_paths from upload_pipeline.document_overview), '{}', 'with the object that the job left'
);

select pg_temp.make_job('open'), pg_temp.make_job('unconfirmed', confirmed => false);
select pg_temp.make_job('bob', owner => 'bob');
select pg_temp.claim();
select pg_temp.reserve('open', 10), pg_temp.reserve('bob', 20);
select upload_pipeline.record_submission(job_id => pg_temp.job('open'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('open'), content => '# x');
select pg_temp.receive_event(delivery_id => 'd2', code => null, event_type => 'parse.new', parse_job_id => 'p1');

select results_eq(
  $$select documents, jobs, objects from upload_pipeline.erase_owner(owner_id => pg_temp.owner('ada'))$$,
  'values (3::bigint, 2::bigint, 5::bigint)', 'the documents with and without a job, their jobs and their objects'
);
select is(
  (select string_agg(filename, ' ') from upload_pipeline.document_overview), 'bob.pdf', 'another owner''s document stays'
);
select is_empty('select * from upload_pipeline.webhook_deliveries', 'no delivery about a job of the owner stays');
select is(pg_temp.used('ada'), null, 'the owner''s cap is deleted');
select is(pg_temp.used(), 30::numeric, 'what was spent stays in the sum of all owners');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 100);
select is(pg_temp.used(), 30::numeric, 'also after a recount');
select is(
  upload_pipeline.settle_credits(job_id => pg_temp.job('open'), attempt => 1, credits => 4)::text, 'applied',
  'what was reserved for an erased job is settled'
);
select is(pg_temp.used(), 24::numeric, 'in the sum of all owners');
select results_eq(
  $$select documents, jobs, objects from upload_pipeline.erase_owner(owner_id => pg_temp.owner('ada'))$$,
  'values (0::bigint, 0::bigint, 0::bigint)', 'an owner of whom there is nothing is no error'
);
select throws_ok('select upload_pipeline.erase_owner(owner_id => null)', 'UP006', null, 'null is no owner');
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
