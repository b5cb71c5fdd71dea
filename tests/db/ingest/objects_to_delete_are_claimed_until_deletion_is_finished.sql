begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));

select pg_temp.set_clock('2026-01-01 12:04:59+00');
select is_empty(
  'select * from upload_pipeline.claim_deletions()', 'nothing is claimed for five minutes: a write may be under way'
);
select pg_temp.set_clock('2026-01-01 12:05:00+00');
select results_eq(
  'select path, tries from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/a.pdf', 1)$$,
  'after five minutes the object is claimed'
);
select is_empty('select * from upload_pipeline.claim_deletions()', 'it is claimed only once');
select pg_temp.set_clock('2026-01-01 12:15:00+00');
select results_eq(
  'select path, tries from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/a.pdf', 2)$$,
  'ten minutes later it is claimed again'
);
select upload_pipeline.finish_deletion(path => 'storage://raw/ada/a.pdf', tries => 1);
select is(
  (select count(*) from upload_pipeline.deletions), 1::bigint,
  'finish_deletion with the number of an earlier try changes nothing'
);
select lives_ok(
  $$select upload_pipeline.finish_deletion(path => 'storage://raw/ada/a.pdf', tries => 2)$$,
  'finish_deletion with the current try is accepted'
);
select lives_ok(
  $$select upload_pipeline.finish_deletion(path => 'storage://raw/ada/a.pdf', tries => 2)$$,
  'finish_deletion may be called twice'
);
select is_empty('select * from upload_pipeline.deletions', 'no deletion is left');

select * from finish();
rollback;
