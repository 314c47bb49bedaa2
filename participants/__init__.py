"""One subdomain, one file: the programs that a case couples."""
