"""How tasks share work, wait, try again and end: trio alone, for every room above."""
