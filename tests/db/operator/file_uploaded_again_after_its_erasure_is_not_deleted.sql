-- The deletion for the first document waits when the second document gets the same path.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a', file => 'f');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select pg_temp.make_job('b', file => 'f');
select pg_temp.set_clock('2026-01-01 13:00+00');
select is_empty(
  'select path from upload_pipeline.claim_deletions()', 'a path that a document uses is not claimed for deletion'
);
select upload_pipeline.erase_document(document_id => pg_temp.document('b'));
select pg_temp.set_clock('2026-01-01 14:00+00');
select results_eq(
  'select path from upload_pipeline.claim_deletions()', $$values ('storage://raw/ada/f.pdf')$$,
  'it is claimed once the second document is erased too'
);

select * from finish();
rollback;
