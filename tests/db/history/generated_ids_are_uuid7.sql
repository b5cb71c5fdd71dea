begin;
\ir ../search_path.psql
select plan(7);

create temp table made (number integer, before timestamptz, id uuid, after timestamptz) on commit drop;
do $$
begin
  for n in 1..300 loop
    insert into made values (n, clock_timestamp(), upload_pipeline.uuid7(), null);
    update made set after = clock_timestamp() where number = n;
    if n % 3 = 0 then
      perform pg_sleep(0.002);
    end if;
  end loop;
end;
$$;

create temp view id as
  select number, id, before, after,
         ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint as milliseconds
    from made;

select is_empty(
  $$select id from id where id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'$$,
  'every id has version 7 and variant 10'
);
select is((select count(distinct id) from id), 300::bigint, 'all ids differ');
-- Milliseconds may be rounded.
select is_empty(
  $$select id
      from id
     where milliseconds < floor(extract(epoch from before) * 1000)
        or milliseconds > ceil(extract(epoch from after) * 1000)$$,
  'an id begins with the time of its creation'
);
select is_empty(
  $$select a.id, b.id from id as a join id as b on b.number > a.number and b.milliseconds > a.milliseconds and b.id < a.id$$,
  'an id of a later millisecond is greater'
);
select is_empty(
  $$select a.id, b.id from id as a join id as b on b.number > a.number where b.milliseconds < a.milliseconds$$,
  'the time in the ids never goes backwards'
);
select cmp_ok(
  (select count(distinct right(id::text, 16)) from id), '=', 300::bigint, 'the random parts all differ'
);
select is_empty(
  $$select r.relname, a.attname
      from pg_attribute as a
      join pg_class as r on r.oid = a.attrelid
      join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
     where r.relnamespace = 'upload_pipeline'::regnamespace
       and a.atttypid = 'uuid'::regtype
       -- Rows of counts live for a minute, and nobody names them.
       and r.relname <> 'activity_counts'
       and pg_get_expr(d.adbin, d.adrelid) !~ 'uuid7\(\)'$$,
  'every uuid default of a table that keeps its rows calls uuid7'
);

select * from finish();
rollback;
