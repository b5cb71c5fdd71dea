begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

select pg_temp.make_job('a');
create temporary table good as
select 'llamaparse' as source, 'd1' as delivery_id, pg_temp.sha('d1') as body_sha256, 'parse.error' as event_type,
       'parse_failed' as code, pg_temp.job('a') as job_id, 'p1' as parse_job_id, '{}'::jsonb as payload,
       'c1' as correlation_id;
create temporary table bad (argument text, value jsonb);
insert into bad values
  ('source', null), ('source', '""'), ('source', '"Llama"'), ('source', '"9a"'), ('source', '"a-b"'),
  ('source', to_jsonb(repeat('a', 64))),
  ('delivery_id', null), ('delivery_id', '""'), ('delivery_id', to_jsonb(repeat('d', 201))),
  ('body_sha256', null), ('body_sha256', '""'), ('body_sha256', to_jsonb(upper(pg_temp.sha('d1')))),
  ('body_sha256', to_jsonb(pg_temp.sha('d1') || 'a')), ('body_sha256', to_jsonb(repeat('g', 64))),
  ('event_type', null), ('event_type', '""'), ('event_type', to_jsonb(repeat('e', 201))),
  ('code', '"no_such_code"'), ('code', '""'),
  ('parse_job_id', '""'), ('parse_job_id', to_jsonb(repeat('p', 201))),
  ('payload', null), ('payload', '[]'), ('payload', '"text"'),
  ('correlation_id', '""'), ('correlation_id', to_jsonb(repeat('c', 201))), ('correlation_id', '"a\nb"'),
  ('correlation_id', '"a\u007fb"');

create function pg_temp.receive_event_with(argument text, value jsonb) returns text
language plpgsql as $$
declare
  g good;
  v_message text;
begin
  select (jsonb_populate_record(good, jsonb_build_object(argument, value))).* into g from good;
  if argument = 'payload' then
    g.payload := value;
  end if;
  perform upload_pipeline.receive_event(
    source => g.source, delivery_id => g.delivery_id, body_sha256 => g.body_sha256, event_type => g.event_type,
    code => g.code, job_id => g.job_id, parse_job_id => g.parse_job_id, payload => g.payload,
    correlation_id => g.correlation_id
  );
  return 'accepted';
exception
  when others then
    get stacked diagnostics v_message = message_text;
    return sqlstate || case when v_message like '%invalid ' || argument then ' ' || argument else ': ' || v_message end;
end;
$$;

select is_empty(
  $$select b.argument, b.value, t from bad as b, pg_temp.receive_event_with(b.argument, b.value) as t
     where t <> 'UP006 ' || b.argument$$,
  'each invalid argument raises UP006 with its name in the message'
);
select is(
  pg_temp.receive_event_with('job_id', null), 'accepted', 'a delivery may name its job by the provider job alone'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed')$$, 'UP006', null,
  'a delivery that names no job is refused'
);
select throws_ok(
  $$select upload_pipeline.receive_content(source => 'Bad', delivery_id => 'd', body_sha256 => pg_temp.sha('d'),
      event_type => 'parsed', job_id => pg_temp.job('a'), content => '# a')$$,
  'UP006', null, 'receive_content: source'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => '', job_id => pg_temp.job('a'), content => '# a')$$, 'UP006', null,
  'receive_content: delivery_id'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd', job_id => null, content => '# a')$$, 'UP006', null,
  'receive_content: job_id'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd', job_id => pg_temp.job('a'), content => '# a', parse_job_id => '')$$,
  'UP006', null, 'receive_content: parse_job_id'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd', job_id => pg_temp.job('a'), content => '# a', attempt => 0)$$,
  'UP006', null, 'receive_content: attempt'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd', job_id => pg_temp.job('a'), content => '# a', details => '[]')$$,
  'UP006', null, 'receive_content: details'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd', job_id => pg_temp.job('a'), content => '# a', correlation_id => E'\t')$$,
  'UP006', null, 'receive_content: correlation_id'
);
select results_eq(
  'select delivery_id collate "default", outcome::text from upload_pipeline.webhook_deliveries',
  $$values ('d1', 'parked')$$,
  'only the accepted delivery is recorded'
);

select * from finish();
rollback;
