"""One module per question, all of one form: ``NEEDS``, ``Params``, ``run``."""
