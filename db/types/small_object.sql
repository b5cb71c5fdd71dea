create domain upload_pipeline.small_object as jsonb
  constraint value_is_an_object_of_at_most_16_kb check (
    jsonb_typeof(value) = 'object' and octet_length(value::text) <= 16384
  );

comment on domain upload_pipeline.small_object is
  'A JSON object that a caller gives a job: at most 16 KB as text. It is a domain because a CHECK of a table would '
  'read it again at each step of the job.';
