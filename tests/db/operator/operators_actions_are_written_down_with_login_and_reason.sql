begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a'), pg_temp.make_job('b');
select upload_pipeline.pause_stage('uploaded', '2026-01-01 13:00+00', 'new key');
select upload_pipeline.resume_stage('uploaded', 'key is there');
select upload_pipeline.resume_stage('uploaded', 'was not paused');
select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner('ada'), period => 'day', credits => 5);
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), max_running => 5, reason => 'too many');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'), reason => 'asked for');
select upload_pipeline.erase_owner(owner_id => pg_temp.owner('ada'));
select upload_pipeline.purge(older_than => '1 day', dry_run => true), upload_pipeline.purge(older_than => '1 day');

create function pg_temp.hash(id uuid) returns text
language sql as $$ select pg_temp.sha(convert_to(id::text, 'UTF8')) $$;

select bag_eq(
  'select action, subject, reason, details from upload_pipeline.operator_actions',
  $$values ('pause_stage', 'uploaded', 'new key', '{"until": "2026-01-01T13:00:00+00:00"}'::jsonb),
           ('resume_stage', 'uploaded', 'key is there', '{}'),
           ('set_credit_cap', pg_temp.hash(pg_temp.owner('ada')), null,
            '{"scope": "owner", "provider": "llamacloud", "period": "day", "credits": "5"}'),
           ('set_owner', pg_temp.hash(pg_temp.owner('ada')), 'too many', '{"max_running": 5}'),
           ('erase_document', pg_temp.hash(pg_temp.document('a')), 'asked for', '{"jobs": 1, "objects": 1}'),
           ('erase_owner', pg_temp.hash(pg_temp.owner('ada')), null, '{"documents": 1, "jobs": 1, "objects": 1}')$$,
  'each action that changed something has a row, without the ids of what was erased'
);
select results_eq(
  'select distinct login, at from upload_pipeline.operator_actions',
  $$values (session_user::text collate "default", timestamptz '2026-01-01 12:00+00')$$, 'a row names the login and the time'
);
select throws_ok(format('select upload_pipeline.%s', call), 'UP006', null, call || ' is refused')
  from unnest(array[
    $$erase_owner(gen_random_uuid(), '')$$,
    $$set_owner(gen_random_uuid(), max_running => 1, reason => repeat('x', 501))$$
  ]) as call;
select is((select count(*) from upload_pipeline.owner_settings), 0::bigint, 'a refused reason undoes the action');

select pg_temp.set_clock('2027-01-01 12:00+00');
select pg_temp.make_job('c');
select upload_pipeline.cancel_job(job_id => pg_temp.job('c'));
select pg_temp.set_clock('2027-03-01 12:00+00');
select upload_pipeline.purge(older_than => '30 days', reason => 'every month');
select results_eq(
  'select action, subject, reason, details from upload_pipeline.operator_actions',
  $$values ('purge', null, 'every month', '{"older_than": "30 days", "jobs": 1, "documents": 0, "deliveries": 0}'::jsonb)$$,
  'a purge has a row, and deletes old rows'
);

create role worker_of_test in role hookline_worker;
set local session authorization worker_of_test;
select upload_pipeline.pause_stage('uploaded', now() + interval '1 hour', 'quota');
reset session authorization;
select is((select count(*) from upload_pipeline.operator_actions), 1::bigint, 'a pause by a worker is no action of an operator');
select throws_ok(
  'set local role hookline_operator; delete from upload_pipeline.operator_actions', '42501', null,
  'an operator cannot delete what was written down'
);

select * from finish();
rollback;
