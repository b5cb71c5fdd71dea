-- The constraints are checked in the order of their names: the text of a huge number, which the last one writes, may be
-- many times as long as what was sent.
create domain upload_pipeline.small_object as jsonb
  constraint nesting_is_at_most_50_deep check (not value @? 'strict $.**{51}')
  constraint numbers_are_at_most_1e300 check (not value @? 'strict $.**{0 to 50} ? (@ > 1e300 || @ < -1e300)')
  constraint value_is_an_object_of_at_most_16_kb check (
    jsonb_typeof(value) = 'object' and octet_length(value::text) <= 16384
  );

comment on domain upload_pipeline.small_object is
  'A JSON object that a caller gives a job: at most 16 KB as text, at most 50 levels deep, and with no number beyond '
  '1e300, so that every reader of JSON can read it. It is a domain because a CHECK of a table would read it again at '
  'each step of the job.';
