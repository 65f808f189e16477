from dataclasses import replace

from tevo.structures import Question, Role, Span
from tevo.tasks.language.reading import CUT_OFF, read_completions

GOOD = "<answer>B</answer><glue>[(4.0, 8.0), (10.0, 11.5)]</glue>"


def test_replies_become_answers_spans_and_roles(model, video, choice, when):
    drawn = model.encode_reply([[GOOD, "<answer>Z</answer>"], ["<glue>[(1.0, 2.0)]</glue>", GOOD]])
    read = read_completions(drawn, [choice, when], [video, video])
    assert read.rollouts.answers.tolist() == [[1, -1], [-1, -1]]
    assert read.rollouts.spans[0, 0].tolist() == [[104.0, 108.0], [110.0, 111.5]]  # the model's second 0 is 100
    assert read.rollouts.span_mask.sum(-1).tolist() == [[2, 0], [1, 2]]
    assert read.parsed.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert read.replies.faults == {"no <glue>": 1, "the answer is none of the options": 1, "text outside the tags": 1}
    assert read.said == [choice.options, ()]


def test_a_tokens_role_is_that_of_its_characters(model, video, choice):
    drawn = model.encode_reply([[GOOD]])
    roles = read_completions(drawn, [choice], [video]).rollouts.roles[0, 0]
    pieces = [model.chat.decode([index])[0] for index in drawn.tokens[0, 0].tolist()]
    answers = [piece for piece, role in zip(pieces, roles.tolist(), strict=True) if role == Role.ANSWER]
    evidence = [piece for piece, role in zip(pieces, roles.tolist(), strict=True) if role == Role.EVIDENCE]
    assert len(answers) == 1 and "B" in answers[0]
    assert "".join(evidence).startswith(">[(4.0") or "".join(evidence).startswith("[(4.0")
    assert all(piece not in ("<answer", "glue") for piece in answers + evidence)


def test_a_reply_cut_off_is_at_fault_but_what_is_whole_counts(model, video, choice):
    drawn = model.encode_reply([[GOOD]])
    read = read_completions(replace(drawn, closed=~drawn.closed), [choice], [video])
    assert (
        read.parsed.tolist() == [[0.0]]
        and read.replies.faults == {CUT_OFF: 1}
        and read.rollouts.answers.tolist() == [[1]]
    )


def test_open_answers_are_the_same_when_their_words_are(model, video):
    question = Question("o", "a.mp4", "What is it?", "open", (), "a dog", (Span(104.0, 108.0),))
    texts = [f"<answer>{said}</answer><glue>[(1, 2)]</glue>" for said in ("A Dog.", "a cat", "a  dog", "A cat")]
    read = read_completions(model.encode_reply([texts]), [question], [video], ["a dog"])
    assert read.rollouts.answers.tolist() == [[0, 1, 0, 1]] and read.said == [("a dog", "a cat")]
    unknown = read_completions(model.encode_reply([texts]), [question], [video])
    assert unknown.rollouts.answers.tolist() == [[0, 1, 0, 1]] and unknown.said == [("A Dog.", "a cat")]
