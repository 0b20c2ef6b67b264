"""Find candidates in a radiograph; pure computation without files."""
