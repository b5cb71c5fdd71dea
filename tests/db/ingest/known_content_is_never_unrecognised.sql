-- The same bytes come again, and this time their sender's shape is unknown.
begin;
\ir ../jobs.psql
select plan(13);

create function pg_temp.again(name text, delivery_id text, content bytea default '# x') returns text
language sql as $$
  select pg_temp.summary(pg_temp.receive_content(
    delivery_id => again.delivery_id, job_id => pg_temp.job(again.name), content => again.content, recognised => false
  ))
$$;
create function pg_temp.stored(name text) returns text
language sql volatile as $$
  select string_agg(format('%s %s', o.stored, o.bytes), ', ' order by o.path)
    from upload_pipeline.stored_objects as o
   where o.job_id = pg_temp.job(stored.name)
$$;

select pg_temp.make_parsed_job('parsed');
select is(pg_temp.again('parsed', 'd1'), 'duplicate parsed 3', 'the bytes of a parsed job are a duplicate');
select is(pg_temp.stored('parsed'), 't 3', 'its object counts as stored');
select throws_ok(
  $$select upload_pipeline.discard_content(job_id => pg_temp.job('parsed'), ordinal => 1)$$, 'UP001', null,
  'there is nothing to decide'
);
select is(pg_temp.again('parsed', 'd2', '{}'), 'unrecognised parsed 3 #2', 'other bytes of unknown shape wait for an operator');

select pg_temp.make_job('kept');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('kept'), content => '# x');
select is(
  pg_temp.again('kept', 'd4'), 'kept uploaded 2 #1 + .md', 'bytes that wait for storage are kept, at the path that they have'
);
select pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('kept'), ordinal => 1));
select is(pg_temp.status('kept'), 'parsed', 'and the job is parsed by them');
select is(pg_temp.delivery('d4'), 'applied kept x1 #1', 'the delivery is settled with them');

select pg_temp.make_parsed_job('cancelled');
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
select is(pg_temp.again('cancelled', 'd5'), 'stale cancelled 4', 'the bytes of a job that takes no content are stale');
select is(pg_temp.stored('cancelled'), 't 3', 'their object counts as stored');

select pg_temp.make_job('discarded');
select is(pg_temp.again('discarded', 'd6'), 'unrecognised uploaded 2 #1', 'unknown bytes wait for an operator');
select is(pg_temp.again('discarded', 'd7'), 'unrecognised uploaded 2 #1', 'and still do when they come again');
select upload_pipeline.discard_content(job_id => pg_temp.job('discarded'), ordinal => 1);
select is(pg_temp.again('discarded', 'd8'), 'ignored uploaded 2', 'bytes that an operator discarded are ignored');
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
