"""Works in the public domain, fetched by name from Wikisource."""
