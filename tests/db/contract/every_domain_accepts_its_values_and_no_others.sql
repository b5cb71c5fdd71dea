begin;
\ir ../raw_dml.psql
select plan(181);

create temp table word (domain text, guard text, good text[], bad text[]) on commit drop;

insert into word values
  ('correlation_id', 'correlation_id_is_1_to_200_printable_characters',
   array['x', repeat('x', 200), repeat('é', 200), 'a b:c/d?e=f', '''"; --'],
   array['', repeat('x', 201), E'a\tb', E'a\n', E'a\rb', E'\x7f', E'\x01']),
  ('event_type', 'event_type_is_known',
   array['stage_started', 'stage_done', 'stage_error', 'retry', 'finalized', 'operator'], array['', 'RETRY', 'retried']),
  ('severity', 'severity_is_known', array['info', 'warn', 'error'], array['', 'warning', 'Info']),
  ('outcome', 'outcome_is_known',
   array['applied', 'kept', 'unrecognised', 'duplicate', 'stale', 'ignored', 'parked'], array['', 'Applied', 'failed']),
  ('sha256_hex', 'sha256_is_64_lowercase_hex_digits',
   array[repeat('0', 64), repeat('f', 64), encode(sha256(''), 'hex')],
   array['', repeat('a', 63), repeat('a', 65), repeat('A', 64), repeat('g', 64), repeat('a', 64) || E'\n']),
  ('storage_path', 'storage_path_has_a_bucket_and_a_name',
   array['storage://b/k', 'storage://raw/u1/My Report (1).pdf', 'storage://b/_!.*''()&$=@;:+,?-', 'storage://b/.a/...',
         'storage://b/ a /b ', 'storage://' || repeat('b', 100) || '/' || repeat('k', 255),
         rpad('storage://b/', 950, 'kkk/')],
   array['', 'storage://', 'storage://b', 'storage://b/', 'storage:///k', 'storage://b//k', 'storage://b/./k', 'storage://b/..',
         'storage://../k', 'storage://b/é', 'storage://b/[', 'storage://b/%', 'storage://b/~', E'storage://b/k\n', 's3://b/k',
         'STORAGE://b/k', 'storage://' || repeat('b', 101) || '/k', 'storage://b/' || repeat('k', 256),
         rpad('storage://b/', 951, 'kkk/') || 'k']),
  ('small_object', 'value_is_an_object_of_at_most_16_kb',
   array['{}', '{"a": [1, {"b": null}]}', format('{"a": "%s"}', repeat('x', 16375))],
   array['[]', '7', 'null', '"{}"', format('{"a": "%s"}', repeat('x', 16376))]),
  ('small_object', 'numbers_are_at_most_1e300',
   array['{"a": [1e300, -1e300, 1e-400]}', format('{"a": "%s"}', repeat('9', 400))],
   array['{"a": 1.1e300}', '{"a": {"b": [0, -1e5000]}}', format('{"a": %s1e301%s}', repeat('[', 49), repeat(']', 49))]),
  ('small_object', 'nesting_is_at_most_50_deep',
   array[format('{"a": %s1%s}', repeat('[', 49), repeat(']', 49)), format('{"a": "%s"}', repeat('[', 400))],
   array[format('{"a": %s1%s}', repeat('[', 50), repeat(']', 50)), format('{"a": %s%s}', repeat('[', 3000), repeat(']', 3000))]);

select bag_eq(
  'select domain, guard from word',
  $$select t.typname::text, c.conname::text
      from pg_type as t
      left join pg_constraint as c on c.contypid = t.oid
     where t.typnamespace = 'upload_pipeline'::regnamespace and t.typtype = 'd'$$,
  'every domain is tested'
);

select is(
  pg_temp.result_at_commit(format('select %L::upload_pipeline.%I', value, domain)), 'passed',
  format('%s may be %s', domain, left(value, 20))
)
  from word, unnest(good) as value
 where domain not in ('event_type', 'outcome');

select is(
  (select string_agg(distinct pg_temp.result_at_commit(format('select %L::upload_pipeline.%I', value, domain)), ', ')
     from unnest(good) as value),
  'passed', format('%s may be %s', domain, good)
)
  from word
 where domain in ('event_type', 'outcome');

select pg_temp.refused_by_guard_alone(
  format('alter domain upload_pipeline.%I drop constraint %I', domain, guard), '23514 ' || guard,
  format('%s %s', domain, quote_literal(left(regexp_replace(value, '[[:cntrl:]]', '?'), 20))),
  format('select %L::upload_pipeline.%I', value, domain)
)
  from word, unnest(bad) as value;

select * from finish();
rollback;
