"""Everything that is said to Redis: one page of keys, one folder of Lua."""
