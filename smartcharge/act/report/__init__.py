"""The report of a day or a month: its facts gathered, put into words, written as text, page or mail."""
