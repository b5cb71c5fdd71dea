begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
create function pg_temp.announce(delivery_id text, content text) returns text
language sql as $$
  select pg_temp.summary(pg_temp.receive_content(
    delivery_id => announce.delivery_id, job_id => pg_temp.job('a'), content => null,
    content_sha256 => pg_temp.sha(announce.content::bytea), content_bytes => octet_length(announce.content)
  ));
$$;

select is(pg_temp.announce('d1', '# a'), 'awaited uploaded 2 #1 + .md', 'hash and size are enough to get a path');
select is(pg_temp.delivery('d1'), 'awaited a x1 #1', 'the delivery is recorded');
select is(pg_temp.announce('d2', '# b'), 'awaited uploaded 2 #2 + .2.md', 'another content gets another path');
select is(pg_temp.announce('d1', '# a'), 'awaited uploaded 2 #1 + .md', 'a redelivery gets the same path');
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 3 event #1 + .md', 'the job is parsed when the object is written'
);
select is(pg_temp.delivery('d1'), 'applied a x2 #1', 'the delivery is applied');
select is(pg_temp.announce('d1', '# a'), 'duplicate parsed 3 #1', 'the same delivery is a duplicate from now on');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
