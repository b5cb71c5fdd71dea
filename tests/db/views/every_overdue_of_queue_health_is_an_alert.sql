begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('waits'), pg_temp.make_job('asked'), pg_temp.make_job('erased');
select pg_temp.make_job('abandoned', confirmed => false), pg_temp.make_job('unconfirmed', confirmed => false);
select upload_pipeline.record_submission(job_id => pg_temp.job('asked'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.record_submission(job_id => pg_temp.job('unconfirmed'), attempt => 1, parse_job_id => 'p2');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p2');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'unknown');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('waits'), content => 'x', recognised => false);
select pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('waits'), content => 'y');
select upload_pipeline.erase_document(document_id => pg_temp.document('erased'));
select upload_pipeline.start_announcing();
select pg_temp.make_job('told'), pg_temp.make_job('given up');
select upload_pipeline.cancel_job(job_id => pg_temp.job('told'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('given up'));
update upload_pipeline.notifications
   set run_after = null, dead_at = upload_pipeline.clock()
 where job_id = pg_temp.job('given up');
update upload_pipeline.contents set tries = 4 where path is not null;
update upload_pipeline.deletions set tries = 4;
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind, run_after, tries, last_error)
values ('llamacloud', 'p8', 'delete', '2026-01-02 13:00+00', 4, 'provider_unanswered'),
       ('llamacloud', 'p9', 'delete', null, 1, 'provider_refused');

create temp view overdue as
  select queue::text collate "default" as queue, overdue from upload_pipeline.queue_health where overdue > 0;
-- Each alert, by the queue that it is about.
create temp view alerted as
  select (case a.alert
            when 'jobs_overdue' then a.subject
            when 'source_silent' then a.subject
            when 'content_unstored' then 'content: to store'
            when 'content_undecided' then 'content: to decide'
            when 'delivery_parked' then 'delivery: parked'
            when 'object_undeleted' then 'object: to delete'
            when 'provider_request_undone' then 'provider: requests'
            when 'notification_unsent' then 'notification: to send'
            when 'notification_dead' then 'notification: dead'
          end) collate "default" as queue,
         substring(a.detail from '^\d+')::bigint as number
    from upload_pipeline.alerts as a
   where a.alert not in ('upload_unconfirmed', 'work_unclaimed', 'provider_unserved');

select set_eq('select * from overdue', 'select * from alerted', 'what is overdue at once is an alert');
select pg_temp.set_clock('2026-01-02 12:00+00');
select set_eq('select * from overdue', 'select * from alerted', 'what is overdue a day later is an alert, with its number');
select set_eq(
  'select queue from overdue',
  $$values ('uploaded'), ('parse_queued'), ('content: to store'), ('content: to decide'),
           ('delivery: parked'), ('object: to delete'), ('provider: requests'), ('notification: to send'),
           ('notification: dead'), ('source: llamaparse')$$,
  'every kind of queue is overdue in this test'
);
select is(
  (select subject from upload_pipeline.alerts where alert = 'upload_unconfirmed'), 'parse_ready',
  'a result whose upload was never confirmed is an alert, an abandoned upload is not'
);

select * from finish();
rollback;
