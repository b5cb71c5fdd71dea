begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('old', file => 'f');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('old'), content => 'one', parse_job_id => 'p1');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('old'), content => 'two');
select upload_pipeline.finish_content(job_id => pg_temp.job('old'), ordinal => 1);
select upload_pipeline.cancel_job(job_id => pg_temp.job('old'));
select pg_temp.make_job('new', file => 'f');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('new'), content => '{"odd": 1}', recognised => false);
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = upload_pipeline.clock()
 where job_id = pg_temp.job('new');
select pg_temp.make_job('bystander');
select pg_temp.receive_event(delivery_id => 'd4', code => 'parse_failed', job_id => pg_temp.job('bystander'));

select results_eq(
  $$select jobs, objects from upload_pipeline.erase_document(document_id => pg_temp.document('old'))$$,
  'values (2::bigint, 3::bigint)', 'both jobs are erased, and three objects are queued for deletion'
);
set constraints all immediate;
select set_eq(
  'select path from upload_pipeline.deletions',
  $$values (format('storage://parsed/%s/%s.md', pg_temp.document('old'), pg_temp.job('old'))),
           (format('storage://parsed/%s/%s.2.md', pg_temp.document('old'), pg_temp.job('old'))),
           ('storage://raw/ada/f.pdf')$$,
  'objects that are perhaps not stored are queued too: a write may be under way'
);
select results_eq(
  $$select (select count(*) from upload_pipeline.documents), (select count(*) from upload_pipeline.upload_jobs),
           (select count(*) from upload_pipeline.events), (select count(*) from upload_pipeline.webhook_deliveries),
           (select count(*) from upload_pipeline.provider_jobs), (select count(*) from upload_pipeline.contents)$$,
  'values (1::bigint, 1::bigint, 3::bigint, 1::bigint, 0::bigint, 0::bigint)',
  'only the rows of the other document are left'
);
select throws_ok(
  $$select upload_pipeline.erase_document(document_id => pg_temp.document('old'))$$, 'UP001', null,
  'erasing again is refused as unknown'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
