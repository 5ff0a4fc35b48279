"""JSON over HTTP for programs, our own command line included."""
