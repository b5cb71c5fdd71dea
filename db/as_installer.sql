-- Gives back the role that as_owner.sql took.
do $$
begin
  perform set_config('role', current_setting('hookline.installer'), true);
end;
$$;
