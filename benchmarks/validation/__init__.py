"""The validation pages: what each study found, from the JSON files in benchmarks/results.

One module for each page turns stored results into figures and tables; the prose of a page is a
template of the same name in ``templates``. ``benchmarks/validation_pages.py`` writes the pages.
"""
