"""Other people's programs that tevo plugs into; each is imported by the program itself, never by tevo."""
