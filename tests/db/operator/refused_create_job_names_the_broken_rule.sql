begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

create temporary table bad (argument text, value text, reason text);
insert into bad values
  ('owner_id', null, 'owner_id'), ('filename', null, 'filename'), ('filename', '', 'filename_is_1_to_500_characters'),
  ('filename', repeat('f', 501), 'filename_is_1_to_500_characters'),
  ('mime', 'pdf', 'mime_is_a_media_type'), ('mime', 'a b/pdf', 'mime_is_a_media_type'),
  ('bytes_len', null, 'bytes_len'), ('bytes_len', '0', 'bytes_len_is_positive'), ('bytes_len', '-1', 'bytes_len_is_positive'),
  ('file_sha256', null, 'file_sha256'), ('file_sha256', 'abc', 'sha256_is_64_lowercase_hex_digits'),
  ('file_sha256', repeat('A', 64), 'sha256_is_64_lowercase_hex_digits'),
  ('raw_path', null, 'raw_path'), ('raw_path', '', 'raw_path_is_1_to_1000_bytes'),
  ('raw_path', 'storage://raw/Résumé.pdf', 'storage_path_has_a_bucket_and_a_name'),
  ('raw_path', 'storage://raw/../a.pdf', 'storage_path_has_a_bucket_and_a_name'),
  ('raw_path', 'Storage://raw/a.pdf', 'storage_path_has_a_bucket_and_a_name'),
  ('raw_path', 'storage://parsed/a.pdf', 'raw_path_is_not_of_parsed_content'),
  ('correlation_id', '', 'correlation_id is 1 to 200 printable characters'),
  ('correlation_id', E'a\nb', 'correlation_id is 1 to 200 printable characters'),
  ('correlation_id', repeat('c', 201), 'correlation_id is 1 to 200 printable characters'),
  ('options', '[]', 'value_is_an_object_of_at_most_16_kb.*objects of at most 16 KB'),
  ('options', format('{"a": "%s"}', repeat('x', 16385)), 'value_is_an_object_of_at_most_16_kb'),
  ('metadata', '7', 'value_is_an_object_of_at_most_16_kb'), ('metadata', 'null', 'value_is_an_object_of_at_most_16_kb'),
  ('metadata', format('{"a": "%s"}', repeat('é', 8190)), 'value_is_an_object_of_at_most_16_kb'),
  ('metadata', '{"n": 1e5000}', 'numbers_are_at_most_1e300.*numbers up to 1e300'),
  ('options', format('{"n": [-1%s.5]}', repeat('0', 400)), 'numbers_are_at_most_1e300'),
  -- As text, these would have 100 MB.
  ('metadata', format('{"n": [1e100000%s]}', repeat(',1e100000', 1000)), 'numbers_are_at_most_1e300'),
  ('metadata', format('{"a": %s%s}', repeat('[', 3000), repeat(']', 3000)), 'nesting_is_at_most_50_deep.*50 levels deep'),
  ('options', format('{"a": %s1e5000%s}', repeat('[', 50), repeat(']', 50)), 'nesting_is_at_most_50_deep'),
  ('priority', '-1', 'priority_is_0_to_9'), ('priority', '10', 'priority_is_0_to_9.*priority is 0 to 9'),
  ('priority', '70000', 'smallint.*priority is 0 to 9'), ('provider', 'Not a word', 'Known are docling, .*Name one of these'),
  ('not_before', 'infinity', 'times_are_between_2000_and_9999');

create function pg_temp.create_with(argument text, value text) returns text
language plpgsql as $$
declare
  a jsonb := jsonb_build_object(
    'owner_id', pg_temp.owner('ada'), 'filename', 'a.pdf', 'mime', 'application/pdf', 'bytes_len', 10,
    'file_sha256', pg_temp.sha('a'), 'raw_path', 'storage://raw/a.pdf', 'correlation_id', 'c'
  ) || jsonb_build_object(argument, value);
  v_detail text;
  v_hint text;
begin
  perform upload_pipeline.create_job(
    owner_id => (a ->> 'owner_id')::uuid, filename => a ->> 'filename', mime => a ->> 'mime',
    bytes_len => (a ->> 'bytes_len')::bigint, file_sha256 => a ->> 'file_sha256', raw_path => a ->> 'raw_path',
    correlation_id => a ->> 'correlation_id', options => (a ->> 'options')::jsonb, metadata => (a ->> 'metadata')::jsonb,
    priority => (a ->> 'priority')::integer, provider => a ->> 'provider', not_before => (a ->> 'not_before')::timestamptz
  );
  return 'accepted';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return concat_ws(' ', sqlstate, v_detail, v_hint);
end;
$$;
select is_empty(
  $$select b.argument, left(b.value, 20), c from bad as b, pg_temp.create_with(b.argument, b.value) as c
     where c !~ ('^UP006 .*' || b.reason)$$,
  'each invalid argument raises UP006 with the rule in its detail'
);
select matches(
  pg_temp.create_with('raw_path', 'storage://raw/é.pdf'), 'Rename the object.*storage://bucket/key',
  'the hint says how to correct a path'
);
select is_empty('select * from upload_pipeline.documents', 'no document is left behind');
select is(pg_temp.create_with('correlation_id', 'ok'), 'accepted', 'valid arguments are accepted');
select is(pg_temp.create_with('raw_path', path), 'accepted', 'a raw file may be at ' || path)
  from unnest(array['storage://raw/u1/My Report (1).pdf', 's3://theirs/Résumé [1].pdf', 'C:\Résumé.pdf']) as path;

select * from finish();
rollback;
