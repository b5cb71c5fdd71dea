begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(12);

select pg_temp.make_job('a');
select pg_temp.receive_content(
  delivery_id => 'd1', job_id => pg_temp.job('a'), parse_job_id => 'p1', content => '# Grüße', correlation_id => 'theirs',
  details => '{"content_length": 7, "parser_name": "lp", "parser_version": "2", "bytes": 1, "parsed_path": "theirs"}'
);
select pg_temp.set_clock('2030-01-01 12:00+00');

select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 3 event #1 + .md', 'the receipt says applied and parsed'
);
select results_eq(
  $$select pg_temp.history('a') offset 2$$,
  $$values ('parse_completed: uploaded > parsed, stage_done info')$$, 'one event parse_completed is inserted'
);
select is(
  (select payload from upload_pipeline.events where code = 'parse_completed'),
  jsonb_build_object(
    'parsed_path', format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a')),
    'content_sha256', pg_temp.sha('# Grüße'), 'content_length', 7, 'bytes', 9,
    'parser_name', 'lp', 'parser_version', '2'
  ),
  'the payload is that of the specification, with our path, hash and size'
);
select results_eq(
  $$select correlation_id::text, ts from upload_pipeline.events where code = 'parse_completed'$$,
  $$values ('theirs', timestamptz '2030-01-01 12:00+00')$$,
  'its correlation id is the delivery''s, its time that of finish_content'
);
select results_eq(
  'select parsed_path, parsed_sha256::text, parsed_bytes, deadline_at, lease_token from upload_pipeline.upload_jobs',
  $$values (format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a')), pg_temp.sha('# Grüße'),
            9::bigint, null::timestamptz, null::uuid)$$,
  'the job has the path, hash and size of its content'
);
select results_eq(
  'select content is null, stored_at, path is not null from upload_pipeline.contents',
  $$values (true, timestamptz '2030-01-01 12:00+00', true)$$, 'the bytes are deleted, the path stays'
);
select is(pg_temp.delivery('d1'), 'applied a x1 #1', 'the delivery is recorded as applied');
select throws_ok(
  $$select upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'read_content is refused, since the bytes are deleted'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'duplicate parsed 3 #1 + .md', 'finishing again is a duplicate'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# Grüße')),
  'duplicate parsed 3 #1', 'a redelivery is a duplicate'
);
select is((select count(*) from upload_pipeline.events), 3::bigint, 'the repetitions insert no event');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
