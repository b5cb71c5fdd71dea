begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'));
create temporary table ours (id text, own text collate "POSIX");
insert into ours values ('d1', 'd1');

select results_eq(
  'select d.outcome::text from upload_pipeline.delivery_log as d join ours on ours.id = d.delivery_id',
  $$values ('applied')$$, 'a text of the collation of the database'
);
select throws_ok(
  'select from upload_pipeline.delivery_log as d join ours on ours.own = d.delivery_id', '42P22', null,
  'a column with another collation'
);
select results_eq(
  'select d.outcome::text from upload_pipeline.delivery_log as d join ours on ours.own collate "C" = d.delivery_id',
  $$values ('applied')$$, 'the same column, compared by bytes'
);

select * from finish();
rollback;
