"""What a run leaves for a person: the page with everything in it, and the table printed at the end."""

from tevo.report.page import write_report as write_report
from tevo.report.tables import rounds_table as rounds_table
