-- Not '^[0-9a-f]{64}$': Postgres builds the states of a counted pattern anew for each value, which costs ten times as
-- much.
create domain upload_pipeline.sha256_hex as text
  constraint sha256_is_64_lowercase_hex_digits check (length(value) = 64 and value !~ '[^0-9a-f]');

comment on domain upload_pipeline.sha256_hex is 'A SHA-256 digest as 64 lowercase hex digits.';
