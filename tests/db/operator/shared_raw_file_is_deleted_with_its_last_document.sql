begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select upload_pipeline.create_job(
  owner_id => pg_temp.owner(owner), filename => 'f.pdf', mime => 'application/pdf', bytes_len => 1,
  file_sha256 => pg_temp.sha('f'), raw_path => 'storage://raw/shared.pdf'
)
  from unnest(array['ada', 'bob']) as owner;
create function pg_temp.erase(owner text) returns bigint
language sql as $$
  select e.objects from upload_pipeline.documents as d, lateral upload_pipeline.erase_document(d.document_id) as e
   where d.owner_id = pg_temp.owner(owner)
$$;
select is(pg_temp.erase('ada'), 0::bigint, 'the raw file is kept while another document uses it');
select is(pg_temp.erase('bob'), 1::bigint, 'the raw file is deleted with the last document');
select upload_pipeline.create_job(
  owner_id => pg_temp.owner('ada'), filename => 'f.pdf', mime => 'application/pdf', bytes_len => 1,
  file_sha256 => pg_temp.sha('f'), raw_path => 's3://theirs/f.pdf'
);
select is(pg_temp.erase('ada'), 0::bigint, 'a raw file outside our storage is not deleted');

select * from finish();
rollback;
