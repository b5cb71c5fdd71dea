-- Realtime asks so: with the user's role, claims and topic it looks whether a message of that topic is seen.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(11);

delete from realtime.messages;
select pg_temp.make_job('a', owner => 'ada', confirmed => false);
select pg_temp.make_job('b', owner => 'bob', confirmed => false);
insert into realtime.messages (topic, extension, event, private)
values ('hookline:' || pg_temp.owner('ada'), 'presence', 'p', true), ('hookline:', 'broadcast', 'x', true),
       ('other:' || pg_temp.owner('ada'), 'broadcast', 'x', true);

create function pg_temp.heard(topic text, claims text, role text default 'authenticated') returns setof text
language sql as $$
  select set_config('realtime.topic', coalesce(heard.topic, ''), true);
  select a from pg_temp.answer('select topic || '' '' || event from realtime.messages', heard.claims, heard.role) as a;
$$;
select results_eq(
  format($$select * from pg_temp.heard('hookline:' || pg_temp.owner('ada'), %L, %L)$$, claims, role), heard, name
)
  from (
    values
      ('their own', pg_temp.claims('ada'), 'authenticated', array['hookline:' || pg_temp.owner('ada') || ' job_event']),
      ('not another''s', pg_temp.claims('bob'), 'authenticated', array[]::text[]),
      ('not without a user', '{}', 'authenticated', array[]::text[]),
      ('not without a token', '', 'authenticated', array[]::text[]),
      ('not as anon', pg_temp.claims('ada'), 'anon', array[]::text[])
  ) as t (name, claims, role, heard);
select is_empty($$select * from pg_temp.heard('hookline:', '{}')$$, 'a topic without an owner is nobody''s');
select is_empty(
  $$select * from pg_temp.heard('other:' || pg_temp.owner('ada'), pg_temp.claims('ada'))$$, 'no other topic'
);
select is_empty($$select * from pg_temp.heard('', pg_temp.claims('ada'))$$, 'nothing outside of a channel');
select set_config('realtime.topic', 'hookline:' || pg_temp.owner('ada'), true);
select results_eq(
  $$select left(a, 5)
      from pg_temp.answer(
        format(
          'insert into realtime.messages (topic, extension) values (%L, ''broadcast'') returning topic',
          'hookline:' || pg_temp.owner('ada')
        ),
        pg_temp.claims('ada')
      ) as a$$,
  array['42501'], 'who hears may not speak'
);

-- As Realtime's quick start has it.
create policy anybody_hears on realtime.messages for select to authenticated using (true);
create policy anybody_speaks on realtime.messages for insert to authenticated with check (true);
select is_empty(
  format($$select * from pg_temp.heard('hookline:' || pg_temp.owner('ada'), %L) as h where h like 'hookline:' || pg_temp.owner('ada') || '%%'$$, pg_temp.claims('bob')),
  'nor by an open policy of the application''s own'
);
select results_eq(
  $$select left(a, 5)
      from pg_temp.answer(
        format(
          'insert into realtime.messages (topic, extension) values (%L, ''broadcast'') returning topic',
          'hookline:' || pg_temp.owner('ada')
        ),
        pg_temp.claims('bob')
      ) as a$$,
  array['42501'], 'who may speak elsewhere may not speak here'
);

select * from finish();
rollback;
