-- Whatever fails in Realtime, the event is kept and only a warning is raised.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
-- On Supabase itself we do not own Realtime, so it cannot be broken for a test.
select pg_has_role(current_user, proowner, 'usage') as is_ours
  from pg_proc
 where oid = 'realtime.send(jsonb, text, text, boolean)'::regprocedure \gset
select plan(12);
\if :is_ours

select pg_temp.make_job('a');

create function pg_temp.send_does(body text) returns void
language plpgsql as $$
begin
  execute format(
    'create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
     returns void language plpgsql as %L', send_does.body
  );
end;
$$;
-- Takes a step of job a as the endpoint's role while Realtime is broken, and rolls all of it back.
create function pg_temp.step_with(broken text) returns text
language plpgsql as $$
declare
  v_role text := current_setting('role');
  v_said text;
begin
  execute step_with.broken;
  set local role hookline_ingest;
  v_said := pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a')));
  perform set_config('role', v_role, true);
  set constraints all immediate;
  v_said := v_said || ', ' || (select count(*) from upload_pipeline.events where job_id = pg_temp.job('a'))
    || ', ' || (select count(*) from upload_pipeline.check_integrity());
  raise exception using errcode = 'PASST', message = v_said;
exception
  when sqlstate 'PASST' then
    return sqlerrm;
end;
$$;

select is(
  pg_temp.step_with(statement), 'applied parse_queued 3 event, 3, 0', name
)
  from (
    values
      ('nothing is broken', 'select'),
      ('send raises', $$select pg_temp.send_does('begin raise exception ''no''; end')$$),
      ('the disk is full', $$select pg_temp.send_does('begin raise disk_full; end')$$),
      ('memory is short', $$select pg_temp.send_does('begin raise out_of_memory; end')$$),
      ('a lock is not available', $$select pg_temp.send_does('begin raise lock_not_available; end')$$),
      ('a deadlock is detected', $$select pg_temp.send_does('begin raise deadlock_detected; end')$$),
      ('send inserts a row and then raises', $$select pg_temp.send_does(
         'begin
            insert into realtime.messages (payload, event, topic, private, extension)
            values (payload, event, topic, private, ''broadcast'');
            perform 1 / 0;
          end'
       )$$),
      ('realtime.messages is missing', 'drop table realtime.messages'),
      ('realtime.send is missing', 'drop function realtime.send(jsonb, text, text, boolean)'),
      ('the schema realtime is missing', 'drop schema realtime cascade')
  ) as t (name, statement);
-- Missing privileges: the trigger function gets an owner who has none.
create role nobody_much nologin;
grant usage on schema upload_pipeline to nobody_much;
select is(
  pg_temp.step_with(
    'grant create on schema upload_pipeline to nobody_much;
     alter function upload_pipeline.broadcast_event() owner to nobody_much'
  ),
  'applied parse_queued 3 event, 3, 0', 'the owner of the function may not call realtime.send'
);
-- Only another session could lock realtime.messages. Here realtime.send checks the lock_timeout that it runs with.
select is(
  pg_temp.step_with(
    $$select pg_temp.send_does(
        'begin
           if current_setting(''lock_timeout'') <> ''100ms'' then
             raise query_canceled;
           end if;
         end'
      )$$
  ),
  'applied parse_queued 3 event, 3, 0', 'realtime.send runs with a lock_timeout of 100 ms'
);

\else
select skip('on Supabase Realtime cannot be broken', 12);
\endif
select * from finish();
rollback;
