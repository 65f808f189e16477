"""``python -m tevo.integrations.lmms_eval`` prints the folder of the tasks."""

from tevo.integrations.lmms_eval import TASKS

print(TASKS)
