"""The dashboard: pages for people, on the admin side. Complete without JavaScript."""
