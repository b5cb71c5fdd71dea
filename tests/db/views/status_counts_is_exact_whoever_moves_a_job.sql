begin;
\ir ../raw_dml.psql
\ir ../jobs.psql
select plan(7);

create function pg_temp.wrong_counts() returns table (status text, counted bigint, jobs bigint)
language sql as $$
  select c.status, c.jobs, (select count(*) from upload_pipeline.upload_jobs as j where j.status = c.status)
    from upload_pipeline.status_counts as c
   where c.jobs <> (select count(*) from upload_pipeline.upload_jobs as j where j.status = c.status)
$$;

select pg_temp.make_job(name) from unnest(array['a', 'b', 'c', 'd']) as name;
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'));
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('b'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('c'));
select results_eq(
  'select status, jobs from upload_pipeline.status_counts where jobs <> 0 order by status',
  $$values ('cancelled', 1::bigint), ('failed_parse', 1), ('parse_queued', 1), ('uploaded', 1)$$,
  'each status has its jobs'
);
select is_empty('select * from pg_temp.wrong_counts()', 'after steps by functions');

select upload_pipeline.retry_job(job_id => pg_temp.job('b'), reason => 'again');
select is_empty('select * from pg_temp.wrong_counts()', 'after a retry of a dead letter');

select pg_temp.make_job_in_status('raw', 'parse_ready');
select pg_temp.insert_event('raw', 3, 'parse_ready', 'cancelled', 'operator');
select pg_temp.update_job('raw', 'cancelled', 3);
delete from upload_pipeline.upload_jobs where correlation_id = 'raw';
select pg_temp.make_job_in_status('raw-' || s.status, s.status) from upload_pipeline.statuses as s;
select is_empty('select * from pg_temp.wrong_counts()', 'after raw DML that makes and deletes jobs');

select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select is_empty('select * from pg_temp.wrong_counts()', 'after an erasure');

select pg_temp.set_clock(now() + interval '100 days');
select upload_pipeline.purge(older_than => interval '90 days');
select is_empty('select * from pg_temp.wrong_counts()', 'after a purge');

select upload_pipeline.roll_up_activity();
select is_empty('select * from pg_temp.wrong_counts()', 'after all of it is one number');

select * from finish();
rollback;
