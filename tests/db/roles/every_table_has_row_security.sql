begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

create temp view relation as
  select c.relname::text collate "default" as relation, c.relrowsecurity, c.relforcerowsecurity
    from pg_class as c
   where c.relnamespace = 'upload_pipeline'::regnamespace
     and c.relkind in ('r', 'p', 'f');

select is_empty('select relation from relation where not relrowsecurity', 'every table has row security enabled');
select is_empty(
  'select relation from relation where relforcerowsecurity',
  'no table forces row security on its owner, whose functions need all rows'
);

-- Tables that are granted by mistake show no rows. Readers may see the tables of the state machine.
select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'pj-1');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
insert into upload_pipeline.deletions (path, run_after) values ('storage://parsed/x', now());
insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)
values (pg_temp.job('a'), 'text', 1, repeat('a', 64), 1, 'storage://parsed/a.text');
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind) values ('acme', 'p', 'cancel');
insert into upload_pipeline.refused_deliveries (minute, source, reason, count) values (now(), 's', 'r', 1);
select upload_pipeline.record_action('purge', null);
insert into upload_pipeline.owner_settings (owner_id, max_running) values (pg_temp.owner('ada'), 1);
insert into upload_pipeline.credit_caps (provider, scope, period, credits, starts_at) values ('local', 'all', 'day', 1, now());
insert into upload_pipeline.fallbacks (provider, next_provider) values ('llamacloud', 'docling');
insert into upload_pipeline.provider_pauses (status, provider, paused_until, paused_because) values ('uploaded', 'local', now(), 'x');
insert into upload_pipeline.credit_reservations (job_id, attempt, ordinal, owner_id, provider, reserved, reserved_at, check_after)
values (pg_temp.job('a'), 1, 1, pg_temp.owner('ada'), 'p', 1, now(), now());
insert into upload_pipeline.job_groups (group_id, owner_id) values (gen_random_uuid(), pg_temp.owner('ada'));
insert into upload_pipeline.notifications (event_id, job_id, version)
select e.event_id, e.job_id, e.version from upload_pipeline.events as e where e.version = 1;
grant select on all tables in schema upload_pipeline to hookline_ingest, hookline_reader;
create function pg_temp.seen_by(role text) returns setof text
language plpgsql as $$
declare
  v_role text := current_setting('role');
  v_relation text;
  v_seen boolean;
begin
  foreach v_relation in array array(select relation from relation) loop
    perform set_config('role', seen_by.role, true);
    execute format('select exists (select from upload_pipeline.%I)', v_relation) into v_seen;
    perform set_config('role', v_role, true);
    if v_seen then
      return next v_relation;
    end if;
  end loop;
end;
$$;
select is_empty(
  $$select pg_temp.seen_by('hookline_ingest')$$, 'with a mistaken grant the endpoint sees no row of any table'
);
select bag_eq(
  $$select pg_temp.seen_by('hookline_reader')$$,
  array['error_codes', 'event_codes', 'fallbacks', 'operator_actions', 'providers', 'statuses', 'transitions'],
  'with a mistaken grant a reader sees only the state machine, its parsers and what operators did'
);
select bag_eq(
  $$select pg_temp.seen_by('hookline_operator')$$,
  array['error_codes', 'event_codes', 'fallbacks', 'operator_actions', 'providers', 'statuses', 'transitions'],
  'an operator sees no more'
);
select set_eq(
  $$select pg_temp.seen_by('hookline_owner')$$, 'select relation from relation',
  'every table has a row, which the owner sees'
);

select * from finish();
rollback;
