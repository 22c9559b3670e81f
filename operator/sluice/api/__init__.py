"""The public API: frozen models of spec and status, the only source of the CRD's schema and defaults."""
