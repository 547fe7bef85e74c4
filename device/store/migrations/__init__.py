"""How the database came to be, step by step; run by Attune itself when it opens one."""
