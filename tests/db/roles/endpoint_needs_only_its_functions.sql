-- As the role itself, which may not use pgTAP: it writes what it was answered to a table.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
create temporary table said (n integer generated always as identity, what text);
grant insert on said to hookline_ingest;
set local role hookline_ingest;
insert into said (what) select pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a')));
insert into said (what) select pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a'));
insert into said (what) select pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1));
insert into said (what) select pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('b')));
insert into said (what) select count(*)::text from upload_pipeline.claim_contents();
select upload_pipeline.count_refusals(refusals => '[{"source": "s", "reason": "no_match", "count": 1}]');
select upload_pipeline.count_deliveries(deliveries => '[{"source": "s", "outcome": "applied", "count": 1}]');
select upload_pipeline.roll_up_activity();
set constraints all immediate;
reset role;
select is(
  (select string_agg(what, ', ' order by n) from said),
  'applied parse_queued 3 event, kept parse_queued 3 #1 + .md, applied parsed 4 event #1 + .md, applied failed_parse 3 event, 0',
  'the role can do all work of the endpoint'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
