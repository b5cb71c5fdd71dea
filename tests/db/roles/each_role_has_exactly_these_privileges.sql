begin;
\ir ../raw_dml.psql
select plan(17);

create temp table grantee (role text) on commit drop;
insert into grantee values ('hookline_ingest'), ('hookline_worker'), ('hookline_operator'), ('hookline_reader'), ('public');

select bag_eq(
  $$select g.role, p.proname::text
      from grantee as g, pg_proc as p
     where p.pronamespace = 'upload_pipeline'::regnamespace
       and case g.role
             when 'public' then exists (
               select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee = 0
             )
             else has_function_privilege(g.role, p.oid, 'execute')
           end$$,
  $$select split_part(role, ' ', n), function
      from (
        values
          ('hookline_ingest hookline_worker', 'receive_event'),
          ('hookline_ingest hookline_worker', 'receive_events'),
          ('hookline_ingest hookline_worker', 'receive_content'),
          ('hookline_ingest hookline_worker', 'keep_content'),
          ('hookline_ingest hookline_worker', 'finish_content'),
          ('hookline_ingest hookline_worker', 'claim_contents'),
          ('hookline_ingest hookline_worker', 'abandon_content'),
          ('hookline_ingest hookline_worker', 'claim_deletions'),
          ('hookline_ingest hookline_worker', 'finish_deletion'),
          ('hookline_ingest hookline_worker', 'count_refusals'),
          ('hookline_ingest hookline_worker', 'count_deliveries'),
          ('hookline_ingest hookline_worker hookline_operator', 'read_metrics'),
          ('hookline_reader', 'read_metrics'),
          ('hookline_ingest hookline_worker hookline_operator', 'roll_up_activity'),
          ('hookline_worker', 'record_submission'),
          ('hookline_worker', 'submitted_at'),
          ('hookline_worker', 'claim_jobs'),
          ('hookline_worker', 'heartbeat'),
          ('hookline_worker', 'release_lease'),
          ('hookline_worker', 'advance_job'),
          ('hookline_worker', 'advance_jobs'),
          ('hookline_worker', 'fail_job'),
          ('hookline_worker', 'defer_job'),
          ('hookline_worker', 'apply_parked'),
          ('hookline_worker', 'reserve_credits'),
          ('hookline_worker', 'settle_credits'),
          ('hookline_worker', 'claim_reservations'),
          ('hookline_worker', 'receive_artifacts'),
          ('hookline_worker', 'finish_artifacts'),
          ('hookline_worker', 'claim_provider_requests'),
          ('hookline_worker', 'finish_provider_request'),
          ('hookline_worker', 'fail_provider_request'),
          ('hookline_worker', 'start_announcing'),
          ('hookline_worker', 'claim_notifications'),
          ('hookline_worker', 'finish_notifications'),
          ('hookline_operator', 'retry_notifications'),
          ('hookline_operator', 'stop_announcing'),
          ('hookline_worker hookline_operator', 'pause_stage'),
          ('hookline_operator', 'resume_stage'),
          ('hookline_operator', 'set_credit_cap'), ('hookline_operator', 'set_fallback'), ('hookline_operator', 'set_owner'),
          ('hookline_operator', 'create_job'),
          ('hookline_operator', 'close_group'),
          ('hookline_operator', 'confirm_upload'),
          ('hookline_operator', 'retry_job'),
          ('hookline_operator', 'cancel_job'),
          ('hookline_operator', 'release_job'),
          ('hookline_operator', 'read_content'),
          ('hookline_operator', 'accept_content'),
          ('hookline_operator', 'discard_content'),
          ('hookline_operator', 'purge'),
          ('hookline_operator', 'settle_parked'),
          ('hookline_operator', 'settle_provider_requests'),
          ('hookline_operator', 'erase_document'),
          ('hookline_operator', 'erase_owner'),
          ('hookline_operator', 'check_integrity'),
          ('hookline_operator', 'recount_statuses'),
          ('hookline_operator hookline_reader hookline_worker', 'clock'),
          ('hookline_operator hookline_reader', 'in_utc'),
          ('hookline_operator hookline_reader', 'provider_of')
      ) as may (role, function),
      generate_series(1, 3) as n
     where split_part(role, ' ', n) <> ''$$,
  'the roles may execute exactly these functions'
);

create temp view privilege as
  select g.role, c.relname::text as relation, p.privilege
    from grantee as g,
         pg_class as c,
         unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p (privilege)
   where c.relnamespace = 'upload_pipeline'::regnamespace
     and c.relkind in ('r', 'v', 'm', 'p', 'f', 'S')
     and (
       has_table_privilege(g.role, c.oid, p.privilege)
       or (
         p.privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
         and has_any_column_privilege(g.role, c.oid, p.privilege)
       )
     );

select bag_eq(
  'select role, relation, privilege from privilege',
  $$select role, relation, 'SELECT'
      from unnest(array['hookline_operator', 'hookline_reader']) as role,
           unnest(array[
             'job_overview', 'job_timeline', 'failed_jobs', 'queue_health', 'stage_latency', 'delivery_log', 'refusal_log',
             'stored_objects', 'artifact_overview', 'provider_request_log', 'notification_log', 'credit_status', 'job_costs',
             'document_overview', 'group_status', 'alerts', 'activity',
             'delivery_activity', 'workers', 'overdue_counts', 'status_counts', 'statuses', 'transitions',
             'event_codes', 'error_codes', 'providers', 'fallbacks', 'operator_actions'
           ]) as relation
    union all
    values ('hookline_worker', 'credit_status', 'SELECT')$$,
  'the roles may read exactly these tables and views'
);

select bag_eq(
  $$select g.role, p.privilege
      from grantee as g, unnest(array['USAGE', 'CREATE']) as p (privilege)
     where has_schema_privilege(g.role, 'upload_pipeline', p.privilege)$$,
  $$select role, 'USAGE' from grantee where role <> 'public'$$,
  'the roles have USAGE on the schema and not CREATE'
);

select bag_eq(
  $$select m.roleid::regrole::text, m.member::regrole::text
      from pg_auth_members as m
     where m.member::regrole::text like 'hookline\_%'$$,
  $$values ('hookline_ingest', 'hookline_worker'), ('hookline_reader', 'hookline_operator')$$,
  'the worker is a member of ingest, the operator of reader, and no other role is a member'
);

select is_empty(
  $$select r.rolname
      from pg_roles as r
     where r.rolname like 'hookline\_%'
       and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolcanlogin or r.rolreplication or r.rolbypassrls)$$,
  'no role can log in or has a special attribute'
);

-- The same, tried with statements.
select pg_temp.make_job_in_status('a', 'uploaded');
set constraints all immediate;
set constraints all deferred;

select is(pg_temp.result_at_commit(statements, by => role), outcome, format('%s: %s', role, statements))
  from (
    values
      ('hookline_ingest', 'select from upload_pipeline.upload_jobs', '42501'),
      ('hookline_ingest', 'select from upload_pipeline.job_overview', '42501'),
      ('hookline_ingest', 'select upload_pipeline.check_integrity()', '42501'),
      ('hookline_ingest', 'select * from upload_pipeline.claim_contents()', 'passed'),
      ('hookline_worker', 'select * from upload_pipeline.claim_contents()', 'passed'),
      ('hookline_worker', 'select upload_pipeline.lock_job(null)', '42501'),
      ('hookline_worker', 'select from upload_pipeline.credit_status', 'passed'),
      ('hookline_worker', 'select from upload_pipeline.credit_reservations', '42501'),
      ('hookline_ingest', $$select * from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w')$$, '42501'),
      ('hookline_worker', $$select * from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w')$$, 'passed'),
      ('hookline_operator', 'select * from upload_pipeline.job_overview, upload_pipeline.check_integrity()', 'passed'),
      ('hookline_operator', 'delete from upload_pipeline.upload_jobs', '42501')
  ) as trial (role, statements, outcome);

select * from finish();
rollback;
