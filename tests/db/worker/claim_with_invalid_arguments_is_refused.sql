begin;
\ir ../search_path.psql
select plan(14);

select throws_ok(
  format('select * from upload_pipeline.claim_jobs(status => %s, worker => %s, batch => %s, lease => %s)', status, worker, batch, lease),
  'UP006', null, name || ' is refused'
)
  from (values
    ('an unknown status', $$'nowhere'$$, $$'w'$$, '1', $$'1 min'$$),
    ('a null status', 'null', $$'w'$$, '1', $$'1 min'$$),
    ('a terminal status', $$'complete'$$, $$'w'$$, '1', $$'1 min'$$),
    ('a null worker', $$'uploaded'$$, 'null', '1', $$'1 min'$$),
    ('an empty worker name', $$'uploaded'$$, $$''$$, '1', $$'1 min'$$),
    ('a worker name of 201 characters', $$'uploaded'$$, $$repeat('w', 201)$$, '1', $$'1 min'$$),
    ('a batch of 0', $$'uploaded'$$, $$'w'$$, '0', $$'1 min'$$),
    ('a batch of 1001', $$'uploaded'$$, $$'w'$$, '1001', $$'1 min'$$),
    ('a null batch', $$'uploaded'$$, $$'w'$$, 'null', $$'1 min'$$),
    ('a lease of 0.9 s', $$'uploaded'$$, $$'w'$$, '1', $$'0.9 s'$$),
    ('a lease of 25 hours', $$'uploaded'$$, $$'w'$$, '1', $$'25 hours'$$),
    ('a null lease', $$'uploaded'$$, $$'w'$$, '1', 'null')
  ) as refused (name, status, worker, batch, lease);
select throws_ok(
  $$select * from upload_pipeline.claim_jobs(status => 'complete', worker => 'w')$$, 'UP006',
  'worker ''w'' cannot claim 1 jobs of status ''complete'' for 00:01:00', 'the message names the values'
);
select lives_ok(
  $$select * from upload_pipeline.claim_jobs(status => 'parsed', worker => repeat('w', 200), batch => 1000, lease => '1 day')$$,
  'the largest valid arguments are accepted'
);

select * from finish();
rollback;
