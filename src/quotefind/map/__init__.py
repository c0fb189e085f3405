"""Maps: a collection as a picture, in which every quote is a point, and quotes of similar meaning are close."""
