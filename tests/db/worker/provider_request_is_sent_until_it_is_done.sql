begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(17);

select pg_temp.set_clock('2026-01-01 12:00+00');
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind)
values ('llamacloud', 'p1', 'cancel'), ('docling', 'p1', 'cancel');

create function pg_temp.state() returns text
language sql as $$
  select concat_ws(' ', r.state, r.result, r.tries, r.last_error)
    from upload_pipeline.provider_request_log as r
   where r.provider = 'llamacloud'
$$;
create function pg_temp.claimed() returns setof text
language sql as $$
  select concat_ws(' ', c.parse_job_id, c.kind, c.tries) from upload_pipeline.claim_provider_requests('llamacloud') as c
$$;
create function pg_temp.fail(tries integer, error text default 'provider_unanswered', permanent boolean default false)
returns text
language sql as $$
  select upload_pipeline.fail_provider_request('llamacloud', 'p1', 'cancel', fail.tries, fail.error, fail.permanent);
  select pg_temp.state()
$$;

select results_eq('select pg_temp.claimed()', array['p1 cancel 1'], 'a worker claims those of its provider');
select is_empty('select pg_temp.claimed()', 'once');
select pg_temp.set_clock('2026-01-01 12:04:59+00');
select is_empty('select pg_temp.claimed()', 'nobody else sends it for five minutes');
select pg_temp.set_clock('2026-01-01 12:05+00');
select results_eq('select pg_temp.claimed()', array['p1 cancel 2'], 'then its worker is taken for dead');
select is(pg_temp.fail(1), 'waiting 2', 'the failure of an earlier try changes nothing');
select is(pg_temp.fail(2, 'Bad: "X"'), 'waiting 2 Bad___X_', 'a failed try leaves its code, as a word');
select cmp_ok(run_after - '2026-01-01 12:05+00', '<=', interval '7.5 seconds', 'it is soon due again')
  from upload_pipeline.provider_request_log where provider = 'llamacloud';
update upload_pipeline.provider_requests set tries = 40;
select pg_temp.fail(40);
select ok(
  run_after - '2026-01-01 12:05+00' between interval '45 minutes' and interval '75 minutes',
  'after many tries about once an hour'
)
  from upload_pipeline.provider_request_log where provider = 'llamacloud';
select is(pg_temp.fail(40, 'provider_refused', true), 'refused 40 provider_refused', 'a refusal waits for a person');
select pg_temp.set_clock('2027-01-01 12:00+00');
select is_empty('select pg_temp.claimed()', 'and is not sent any more');
select is(upload_pipeline.settle_provider_requests(provider => 'llamacloud'), 1::bigint, 'who can send it again');
select results_eq('select pg_temp.claimed()', array['p1 cancel 1'], 'at once, with its tries counted anew');
select upload_pipeline.finish_provider_request('llamacloud', 'p1', 'cancel', 'ended');
select is(pg_temp.state(), 'done ended 1 provider_refused', 'it is done');
select upload_pipeline.finish_provider_request('llamacloud', 'p1', 'cancel', 'unknown');
select is(pg_temp.fail(1), 'done ended 1 provider_refused', 'what is done stays done');
select is(upload_pipeline.settle_provider_requests(provider => 'llamacloud'), 0::bigint, 'also for an operator');
select is(
  upload_pipeline.settle_provider_requests(provider => 'docling', parse_job_id => 'p1', by_hand => true), 1::bigint,
  'a person may say that it was done by hand'
);
select is(
  (select state || ' ' || result from upload_pipeline.provider_request_log where provider = 'docling'), 'done by_hand',
  'and so it is recorded'
);

select * from finish();
rollback;
