"""The verbs of the command line. The face stays empty: each verb's module is imported when it is called."""
