"""Whether what is about to run passed the controls that its department requires."""
