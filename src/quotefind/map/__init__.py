"""Map: a collection as a picture, every quote a point placed by meaning."""
