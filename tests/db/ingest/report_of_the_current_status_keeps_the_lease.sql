-- A self-loop, here the note that a page was cut off, makes no step of a report that leads to where the job is.
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
select isnt(pg_temp.token('a'), null, 'whoever fetches the result goes on');

select * from finish();
rollback;
