"""SQL over resources: parse, bind, plan, fetch, relate, write."""
