begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

create function pg_temp.stored(mime text) returns text
language plpgsql as $$
declare
  v_receipt upload_pipeline.receipt;
begin
  -- Another file each time: the document of a known file is not new.
  v_receipt := upload_pipeline.create_job(
    owner_id => pg_temp.owner('ada'), filename => 'a', mime => stored.mime, bytes_len => 10,
    file_sha256 => pg_temp.sha(convert_to(coalesce(stored.mime, 'null'), 'UTF8')), raw_path => 'storage://raw/a'
  );
  return (select d.mime from upload_pipeline.documents as d where d.document_id = v_receipt.document_id);
end;
$$;
select is(pg_temp.stored(given), stored, format('%s is stored as %s', coalesce(quote_literal(given), 'null'), stored))
  from (
    values
      (null, 'application/octet-stream'),
      ('', 'application/octet-stream'),
      (' ', 'application/octet-stream'),
      ('Application/PDF', 'application/pdf'),
      ('application/pdf; charset=binary', 'application/pdf'),
      (E'text/plain ;charset="a;b"\r\n', 'text/plain'),
      ('application/vnd.ms-excel.sheet.macroEnabled.12', 'application/vnd.ms-excel.sheet.macroenabled.12'),
      ('image/svg+xml', 'image/svg+xml'),
      ('text/plain; ' || repeat('x', 200), 'text/plain')
  ) as mimes (given, stored);

select pg_temp.make_job('b', confirmed => false);
select upload_pipeline.create_job(
  owner_id => pg_temp.owner('ada'), filename => 'b', mime => 'Text/Plain;charset=UTF-8', bytes_len => 2,
  file_sha256 => pg_temp.sha('b'), raw_path => 'storage://raw/b'
);
select is(
  (select d.mime from upload_pipeline.documents as d where d.filename = 'b'), 'text/plain',
  'a file that is described again has its new media type in the same form'
);
select throws_ok(
  $$select pg_temp.stored('pdf; charset=binary')$$, 'UP006', null, 'what is no type/subtype without its parameters is refused'
);

select * from finish();
rollback;
