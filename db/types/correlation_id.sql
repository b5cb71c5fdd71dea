create domain upload_pipeline.correlation_id as text
  constraint correlation_id_is_1_to_200_printable_characters check (
    length(value) between 1 and 200 and value !~ '[[:cntrl:]]'
  );

comment on domain upload_pipeline.correlation_id is
  'An id that follows one piece of work through every system: 1 to 200 printable characters.';
