begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

create function pg_temp.receive(source text, delivery_id text, parse_job_id text)
returns upload_pipeline.receipt
language sql as $$
  select upload_pipeline.receive_event(
    source => receive.source, delivery_id => receive.delivery_id,
    body_sha256 => pg_temp.sha(convert_to(receive.delivery_id, 'UTF8')), event_type => 'done', code => 'parse_ready',
    parse_job_id => receive.parse_job_id
  )
$$;

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select is((pg_temp.receive('acme', 'early', '1')).outcome, 'parked', 'an event of an unknown provider job is parked');
select upload_pipeline.record_submission(pg_temp.job('a'), 1, '1');
select is(pg_temp.status('a'), 'parse_queued', 'the same id at LlamaCloud does not apply it');
select is(upload_pipeline.apply_parked(), null, 'apply_parked does not take one provider for the other either');
select upload_pipeline.record_submission(pg_temp.job('b'), 1, '1', provider => 'acme');
select is(pg_temp.status('b'), 'parse_ready', 'the id at its own provider applies it');
select is(
  (pg_temp.receive('llamacloud', 'late', '1')).job_id, pg_temp.job('a'), 'an event finds the job of its own provider'
);
select is(pg_temp.status('a'), 'parse_ready', 'and moves it');
select is((pg_temp.receive('acme', 'other', '2')).outcome, 'parked', 'an event of a third provider job is parked');
select throws_ok(
  $$select upload_pipeline.settle_parked('2')$$, 'UP001',
  'no delivery is parked for provider job ''2'' of ''llamacloud''',
  'settle_parked decides for one provider'
);
select is(
  (upload_pipeline.settle_parked('2', provider => 'acme')).outcome, 'ignored', 'namely for the one that is named'
);

select * from finish();
rollback;
