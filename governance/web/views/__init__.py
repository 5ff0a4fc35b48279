"""What pages show: frozen values, made by queries from the database, or by hand in tests and for screenshots."""
