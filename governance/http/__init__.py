"""What pages and API stand on alike: who is calling, what they may do, safe headers, and errors as documents."""
