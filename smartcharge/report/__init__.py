"""The report of a day or a month: loading, lanes, chart, page and text."""
