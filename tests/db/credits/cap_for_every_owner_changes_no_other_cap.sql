begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 100);
select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner('bob'), period => 'day', credits => 50);
select upload_pipeline.set_credit_cap(owner_id => null, period => 'hour', credits => 20, each_owner => true);
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 10, each_owner => true);
select bag_eq(
  'select scope, owner_id, period, credits from upload_pipeline.credit_status',
  $$values ('all', null, 'day', 100.0), ('owner', pg_temp.owner('bob'), 'day', 50),
           ('each', null, 'hour', 20), ('each', null, 'day', 10)$$,
  'a cap for every owner stands beside the others'
);
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 12, each_owner => true);
select bag_eq(
  'select scope, owner_id, period, credits from upload_pipeline.credit_status',
  $$values ('all', null, 'day', 100.0), ('owner', pg_temp.owner('bob'), 'day', 50),
           ('each', null, 'hour', 20), ('each', null, 'day', 12)$$,
  'another amount changes that cap alone'
);

select * from finish();
rollback;
