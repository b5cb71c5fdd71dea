begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(5);

create temporary table bad (argument text, value text, reason text);
insert into bad values
  ('filename', null, 'filename'), ('filename', '', 'filename_is_1_to_500_characters'),
  ('filename', repeat('f', 501), 'filename_is_1_to_500_characters'),
  ('mime', 'pdf', 'mime_is_a_media_type'),
  ('bytes_len', null, 'bytes_len'), ('bytes_len', '0', 'bytes_len_is_positive'),
  ('file_sha256', null, 'file_sha256'), ('file_sha256', '../bob/b', 'sha256_is_64_lowercase_hex_digits'),
  ('file_sha256', repeat('A', 64), 'sha256_is_64_lowercase_hex_digits');
grant select on bad to public;

create function pg_temp.create_with(argument text, value text) returns text
language plpgsql as $$
declare
  v_role text := current_setting('role');
  a jsonb := jsonb_build_object(
    'filename', 'a.pdf', 'mime', 'application/pdf', 'bytes_len', 10, 'file_sha256', pg_temp.sha('a')
  ) || jsonb_build_object(argument, value);
  v_detail text;
  v_hint text;
begin
  perform set_config('request.jwt.claims', pg_temp.claims('ada'), true);
  set local role authenticated;
  perform hookline_api.create_job(
    filename => a ->> 'filename', mime => a ->> 'mime', bytes_len => (a ->> 'bytes_len')::bigint,
    file_sha256 => a ->> 'file_sha256'
  );
  perform set_config('role', v_role, true);
  return 'accepted';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return concat_ws(' | ', sqlstate, sqlerrm, v_detail, v_hint);
end;
$$;
select is_empty(
  $$select b.argument, left(b.value, 20), c from bad as b, pg_temp.create_with(b.argument, b.value) as c
     where c not like 'UP006 | cannot create a job for file % | %' || b.reason || '% | %bytes_len > 0%required%'$$,
  'each invalid argument raises UP006 with the rule in its detail and the requirements in its hint'
);
select is_empty(
  $$select c from pg_temp.create_with('bytes_len', '-1') as c where c ~ 'storage:|hookline:' or c ~ pg_temp.sha('a')$$,
  'the error shows no path, role or hash'
);
select is_empty('select * from upload_pipeline.documents', 'no document is left behind');
select is(pg_temp.create_with('mime', 'Text/Plain; charset=UTF-8'), 'accepted', 'valid arguments are accepted');
select is(pg_temp.create_with('mime', null), 'accepted', 'a media type may be missing');

select * from finish();
rollback;
