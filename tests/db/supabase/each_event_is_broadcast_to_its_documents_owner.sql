begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(9);

delete from realtime.messages;
select pg_temp.make_job('a', owner => 'ada');
select pg_temp.make_job('b', owner => 'bob', confirmed => false);
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), payload => '{"error": "a secret"}'
);

select bag_eq(
  'select topic, event, private, extension from realtime.messages',
  $$values ('hookline:' || pg_temp.owner('ada'), 'job_event', true, 'broadcast'),
           ('hookline:' || pg_temp.owner('ada'), 'job_event', true, 'broadcast'),
           ('hookline:' || pg_temp.owner('ada'), 'job_event', true, 'broadcast'),
           ('hookline:' || pg_temp.owner('bob'), 'job_event', true, 'broadcast')$$,
  'each step sends one message to the owner''s private topic'
);
-- Realtime adds an id to each message.
select bag_eq(
  $$select payload - 'id' from realtime.messages where topic = 'hookline:' || pg_temp.owner('ada')$$,
  $$select a::jsonb from pg_temp.answer('select to_jsonb(v)::text from hookline_api.my_events as v', pg_temp.claims('ada')) as a$$,
  'the message is the row that my_events shows'
);
select bag_eq(
  $$select distinct k from realtime.messages as m, jsonb_object_keys(m.payload - 'id') as k$$,
  array['job_id', 'version', 'document_id', 'ts', 'from_status', 'to_status', 'type', 'severity', 'code'],
  'the message has exactly these keys'
);
select is_empty(
  $$select payload from realtime.messages where payload::text ~ 'secret'$$,
  'the message does not contain the event''s payload'
);

create function pg_temp.moves(statement text) returns integer
language plpgsql as $$
declare
  v_before integer := count(*) from realtime.messages;
begin
  execute statement;
  return (select count(*) from realtime.messages) - v_before;
end;
$$;
select is(
  pg_temp.moves($$select upload_pipeline.retry_job(job_id => pg_temp.job('a'))$$), 1, 'a step sends one message'
);
select is(
  pg_temp.moves($$select upload_pipeline.confirm_upload(
    job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a')
  )$$),
  0, 'a repeated confirmation, which is no step, sends nothing'
);
savepoint before;
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select count(*) as told from realtime.messages \gset
rollback to before;
select is(:told, 6, 'the message is sent in the transaction of its step');
select is((select count(*) from realtime.messages), 5::bigint, 'a rollback takes the message back');
select is(
  pg_temp.moves($$select upload_pipeline.erase_document(document_id => pg_temp.document('b'))$$), 0,
  'an erasure sends nothing'
);

select * from finish();
rollback;
