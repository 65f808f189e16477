"""The roles as language-model policies: prompts in, tagged text out, credit by token."""
