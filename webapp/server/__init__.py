"""The processes of the application: the launcher, the startup checks, and embedded Redis."""
