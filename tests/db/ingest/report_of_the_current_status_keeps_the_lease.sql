-- parse_ready has a self-loop (for parse_truncated). A report that leads to the current status must not use it.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'));
select pg_temp.claim('parse_ready');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => delivery_id, code => code, job_id => pg_temp.job('a'))), 'stale parse_ready 3', code
)
  from (values ('d2', 'parse_ready'), ('d3', 'parse_partial'), ('d4', 'parse_ended')) as said (delivery_id, code);
select isnt(pg_temp.token('a'), null, 'the worker that fetches the result keeps its lease');

select * from finish();
rollback;
