begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));

select pg_temp.set_clock('2026-01-01 12:04:59+00');
select is_empty('select * from upload_pipeline.claim_deletions()', 'not within five minutes: a write may be under way');
select pg_temp.set_clock('2026-01-01 12:05:00+00');
select results_eq(
  'select path, tries from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/a.pdf', 1)$$, 'then'
);
select is_empty('select * from upload_pipeline.claim_deletions()', 'once');
select pg_temp.set_clock('2026-01-01 12:15:00+00');
select results_eq(
  'select path, tries from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/a.pdf', 2)$$, 'and again, if it is not done'
);
select upload_pipeline.finish_deletion(path => 'storage://raw/ada/a.pdf', tries => 1);
select is((select count(*) from upload_pipeline.deletions), 1::bigint, 'an earlier try does not have the word');
select lives_ok($$select upload_pipeline.finish_deletion(path => 'storage://raw/ada/a.pdf', tries => 2)$$, 'until it is');
select lives_ok($$select upload_pipeline.finish_deletion(path => 'storage://raw/ada/a.pdf', tries => 2)$$, 'which may be said twice');
select is_empty('select * from upload_pipeline.deletions', 'nothing is left to delete');

select * from finish();
rollback;
