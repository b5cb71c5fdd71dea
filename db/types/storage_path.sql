-- The paths that every kind of storage can hold, so that objects can move from one to another. The characters are
-- those of Supabase Storage (https://github.com/supabase/storage, src/storage/limits.ts). A Linux file system allows
-- 255 bytes for a name. S3, where Supabase keeps its objects, allows 1,024 bytes for a key, to which Supabase adds
-- the project and the version; hence 950. server/hookline/storage/objects.py has the same rule, and a test compares
-- the two.
create domain upload_pipeline.storage_path as text
  constraint storage_path_has_a_bucket_and_a_name check (
    value like 'storage://_%/_%'
    and length(value) <= 950
    and substr(value, 11) !~ '[^A-Za-z0-9_/!.*''() &$=@;:+,?-]'
    -- Between two slashes there is a name, and it is not `.` or `..`.
    and substr(value, 10) || '/' !~ '/[.]{0,2}/'
    and length(split_part(value, '/', 3)) <= 100
    and (length(value) <= 255 or value !~ '[^/]{128}[^/]{128}')
  );

comment on domain upload_pipeline.storage_path is
  'Where an object is: storage://bucket/key. Only ASCII letters and digits, blanks and _/!.*''()&$=@;:+,?- are '
  'allowed. No part between two slashes is empty, `.`, `..` or longer than 255 characters. A bucket has 1 to 100 '
  'characters, the whole path at most 950.';
