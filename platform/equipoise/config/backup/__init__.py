"""The whole site in one file and back again: the database as it stood at one moment, and every file that it names."""
