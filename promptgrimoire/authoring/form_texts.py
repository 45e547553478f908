"""What forms say to participants: the English originals, by which the catalogues find their translations.

Owns the words only. What stands in braces is filled in after translation.
"""

from __future__ import annotations

MISSING = "Please answer this question."
TICK = "Please tick this box to go on."
ONE_ONLY = "Please give one answer only."
CHARACTER = "This text contains a character that cannot be stored ({character}). Please remove it."
TOO_LONG = "Please write at most {most} characters. Your text has {length}."
TOO_SHORT = "Please write at least {least} characters. Your text has {length}."
UNREADABLE = "This answer could not be read. Please enter it again."

WHOLE_NUMBER = "Please enter a whole number, such as 12."
NUMBER = "Please enter a number, such as 3.5."
BETWEEN = "Please enter a number from {least} to {most}."
AT_LEAST = "Please enter a number of at least {least}."
AT_MOST = "Please enter a number of at most {most}."
PLACES = "Please enter a number with no more than {places} decimal places."
STEP = "Please enter a number in steps of {step}, such as {example}."
TOO_LARGE = "This number is too large."

DATE = "Please enter a date, such as 2026-05-01."
DATE_BETWEEN = "Please enter a date from {least} to {most}."
DATE_AT_LEAST = "Please enter a date from {least} on."
DATE_AT_MOST = "Please enter a date up to {most}."

EMAIL = "Please enter an email address, such as name@example.org."
IBAN = "This is not a valid IBAN. Please compare it with your bank card or statement."
BIC = "This is not a valid BIC. It has 8 or 11 letters and digits, such as COBADEFFXXX."

NOT_OFFERED = "Please choose one of the answers that are offered."
CHOOSE_BETWEEN = "Please choose from {least} to {most}."
CHOOSE_AT_LEAST = "Please choose at least {least}."
CHOOSE_AT_MOST = "Please choose at most {most}."
CHOOSE_EXACTLY = "Please choose exactly {least}."
NOT_YET = "You cannot go on yet."
WRONG = "This answer is not correct. Please try again."

FILE_MISSING = "Please choose a file."
FILE_TYPE = "Files of this type are not accepted. Please choose one of these: {types}."
FILE_TOO_LARGE = "This file is too large. It may have at most {most}."
FILE_TOO_LARGE_HERE = "This file is too large. Please choose a smaller one."
FILE_EMPTY = "This file is empty. Please choose another one."

SUMMARY = "Please check your answers."
OPTIONAL = "optional"
PLEASE_CHOOSE = "Please choose"
YES = "Yes"
NO = "No"
NO_ANSWER_YET = "No answer yet"
FILE_SENT = "Already sent: {file}. You need not choose it again."
KEEP_FILE = "Keep this file"
