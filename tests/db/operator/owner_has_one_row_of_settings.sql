begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), provider => 'docling', max_running => 3);
select upload_pipeline.set_owner(owner_id => pg_temp.owner('bob'), provider => 'local');
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), max_running => 5);
select results_eq(
  'select provider, max_running from upload_pipeline.owner_settings order by max_running',
  $$values (null, 5), ('local', null)$$, 'a call replaces what was set for the owner'
);
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'));
select results_eq(
  'select owner_id from upload_pipeline.owner_settings', $$values (pg_temp.owner('bob'))$$, 'without values it deletes the row'
);
select lives_ok($$select upload_pipeline.set_owner(owner_id => pg_temp.owner('eve'))$$, 'also if there is none');
select throws_ok(call, 'UP006', null, call)
  from unnest(array[
    $$select upload_pipeline.set_owner(owner_id => null)$$,
    $$select upload_pipeline.set_owner(owner_id => null, max_running => 5)$$,
    $$select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), max_running => 0)$$,
    $$select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), provider => 'Not a word')$$
  ]) as call;

select * from finish();
rollback;
