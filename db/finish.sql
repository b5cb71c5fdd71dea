-- finish.sql gives the installer's role back; schema.sql took it.
do $$
begin
  perform set_config('role', current_setting('hookline.installer'), true);
end;
$$;
