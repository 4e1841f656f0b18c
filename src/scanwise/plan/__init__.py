"""Network + shapes -> kernel calls over one arena of memory -> a program that native threads run."""
