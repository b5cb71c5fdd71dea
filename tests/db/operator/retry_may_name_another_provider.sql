begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(11);

create function pg_temp.claim_at(provider text) returns text
language sql as $$
  select c.filename
    from upload_pipeline.claim_jobs(
      status => 'uploaded', worker => 'w', providers => array[claim_at.provider]
    ) as c
$$;
create function pg_temp.provider() returns text
language sql volatile as $$ select provider from upload_pipeline.upload_jobs $$;
create function pg_temp.break() returns text
language sql as $$
  select status
    from upload_pipeline.fail_job(
      job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), error => '{"code": "boom", "error": "It broke."}',
      permanent => true
    )
$$;

select pg_temp.make_job('a');
select pg_temp.claim_at('llamacloud');
select outcome from upload_pipeline.reserve_credits(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 9
);
select upload_pipeline.settle_credits(job_id => pg_temp.job('a'), attempt => 1, credits => 3);
select is(pg_temp.break(), 'failed_parse', 'the job has failed at its first provider');

select throws_like(
  $$select upload_pipeline.retry_job(job_id => pg_temp.job('a'), provider => 'nobody')$$,
  'there is no provider ''nobody''', 'a provider that nobody has is refused'
);
select is(
  (upload_pipeline.retry_job(job_id => pg_temp.job('a'), provider => 'docling')).outcome::text, 'applied', 'it is retried'
);
select is(pg_temp.provider(), 'docling', 'at the provider that was named');
select is(
  (select payload - 'by' from upload_pipeline.events where code = 'job_retried'),
  '{"attempt": 2, "reason": null, "provider": "docling", "from_provider": "llamacloud"}',
  'the event names both'
);
select is(pg_temp.claim_at('llamacloud'), null, 'the first provider does not get it again');
select is(pg_temp.claim_at('docling') is not null, true, 'the other one does');
select outcome from upload_pipeline.reserve_credits(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 0, provider => 'docling'
);
select results_eq(
  'select attempt, provider, reserved, billed from upload_pipeline.job_costs order by attempt',
  $$values (1, 'llamacloud', 9::numeric, 3::numeric), (2, 'docling', 0, null)$$, 'the cost of both attempts is kept'
);
select pg_temp.break();
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select is(pg_temp.provider(), 'docling', 'a retry without a provider keeps what was asked for last');

-- A job that named none.
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.make_job('b');
select pg_temp.claim_at('llamacloud');
select upload_pipeline.retry_job(job_id => pg_temp.job('b'));
select is(
  (select provider from upload_pipeline.upload_jobs where job_id = pg_temp.job('b')), null,
  'a job that named none names none again'
);
select is(pg_temp.claim_at('docling') is not null, true, 'so any worker takes it');

select * from finish();
rollback;
