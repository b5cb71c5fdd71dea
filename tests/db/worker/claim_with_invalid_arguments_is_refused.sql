begin;
\ir ../search_path.psql
select plan(14);

select throws_ok(
  format('select * from upload_pipeline.claim_jobs(status => %s, worker => %s, batch => %s, lease => %s)', status, worker, batch, lease),
  'UP006', null, name
)
  from (values
    ('an unknown status', $$'nowhere'$$, $$'w'$$, '1', $$'1 min'$$),
    ('no status', 'null', $$'w'$$, '1', $$'1 min'$$),
    ('a finished one', $$'complete'$$, $$'w'$$, '1', $$'1 min'$$),
    ('no worker', $$'uploaded'$$, 'null', '1', $$'1 min'$$),
    ('a worker without a name', $$'uploaded'$$, $$''$$, '1', $$'1 min'$$),
    ('a worker with too much of one', $$'uploaded'$$, $$repeat('w', 201)$$, '1', $$'1 min'$$),
    ('none', $$'uploaded'$$, $$'w'$$, '0', $$'1 min'$$),
    ('too many', $$'uploaded'$$, $$'w'$$, '1001', $$'1 min'$$),
    ('an unknown number', $$'uploaded'$$, $$'w'$$, 'null', $$'1 min'$$),
    ('for no time', $$'uploaded'$$, $$'w'$$, '1', $$'0.9 s'$$),
    ('for too long', $$'uploaded'$$, $$'w'$$, '1', $$'25 hours'$$),
    ('for an unknown time', $$'uploaded'$$, $$'w'$$, '1', 'null')
  ) as refused (name, status, worker, batch, lease);
select throws_ok(
  $$select * from upload_pipeline.claim_jobs(status => 'complete', worker => 'w')$$, 'UP006',
  'worker ''w'' cannot claim 1 jobs of status ''complete'' for 00:01:00', 'the message names the values'
);
select lives_ok(
  $$select * from upload_pipeline.claim_jobs(status => 'parsed', worker => repeat('w', 200), batch => 1000, lease => '1 day')$$,
  'the most that may be asked for'
);

select * from finish();
rollback;
