"""German as Django has it, with a comma between date and time."""

DATETIME_FORMAT = "j. F Y, H:i"
