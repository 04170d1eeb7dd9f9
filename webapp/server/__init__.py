"""The processes of the application: the launcher, what runs before it, and embedded Redis."""
