from tevo.report.cards import Card, choose_cards, find_video, spans_of
from tevo.structures import Span

OPTIONS = ["a", "b"]


def asked(index, video, kept=True, last=2):
    return {"id": f"q{index}", "video": video, "kept": kept, "round": last}


def answered(index, video, **more):
    return {"qid": f"t{index}", "vid": video, "pred_relevant_windows": [[0, 5, 1.0]], "options": OPTIONS} | more


POOL = [asked(i, f"{i % 40:03d}.mp4", kept=i % 3 > 0) for i in range(120)]
ANSWERS = [answered(i, f"{i // 5:03d}.mp4") for i in range(100)]


def test_a_dozen_cards_of_different_videos_half_of_each_sort():
    cards = choose_cards(POOL, ANSWERS, labelled=True)
    assert len(cards) == 12
    assert len({(card.is_labelled, card.video) for card in cards}) == 12
    assert sum(card.is_labelled for card in cards) == 6
    assert sum(bool(card.asked) and not card.asked["kept"] for card in cards) == 2


def test_the_choice_is_spread_over_the_file_and_always_the_same():
    videos = [card.video for card in choose_cards(POOL, ANSWERS, labelled=True) if card.is_labelled]
    assert videos[0] == "000.mp4" and videos[-1] > "012.mp4"
    assert choose_cards(POOL, ANSWERS, labelled=True) == choose_cards(POOL, ANSWERS, labelled=True)


def test_either_sort_alone_fills_the_dozen():
    assert len(choose_cards([], ANSWERS, labelled=True)) == 12
    cards = choose_cards(POOL, [], labelled=False)
    assert len(cards) == 12
    assert sum(card.asked["kept"] for card in cards) == 10
    assert choose_cards([], [], labelled=False) == []


def test_only_the_last_round_of_the_pool_is_shown():
    old = [asked(1000 + i, f"old{i}.mp4", last=1) for i in range(30)]
    assert all(not card.video.startswith("old") for card in choose_cards(old + POOL, [], labelled=False))


def test_an_answer_to_a_pooled_question_is_one_card_with_both():
    cards = choose_cards([asked(1, "v.mp4")], [answered(0, "v.mp4", qid="q1")], labelled=False)
    assert len(cards) == 1
    assert cards[0].asked["id"] == "q1" and cards[0].answered["qid"] == "q1"


def test_without_annotations_what_a_row_calls_its_answer_is_no_truth():
    row = answered(0, "held_out.mp4", answer="a", relevant_windows=[[0, 5]], pred_answer="a")
    (card,) = choose_cards([], [row], labelled=False)
    assert card.score is None
    assert (card.asked["answer"], card.asked["evidence"]) == ("a", [[0, 5]])
    (card,) = choose_cards([], [row], labelled=True)
    assert card.score.iou == 1


def test_the_same_name_in_train_and_test_is_never_mixed_up(tmp_path):
    """Both folders hold a 000000.mp4: the strip must come from the folder of the question."""
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "000000.mp4").touch()
    spec = {"data_root": str(tmp_path / "train"), "annotations": str(tmp_path / "test" / "annotations.jsonl")}
    assert find_video(Card("000000.mp4", asked(0, "000000.mp4"), {}), spec) == tmp_path / "train" / "000000.mp4"
    assert find_video(Card("000000.mp4", {}, answered(0, "000000.mp4"), True), spec) == tmp_path / "test" / "000000.mp4"
    (tmp_path / "test" / "000000.mp4").unlink()
    assert find_video(Card("000000.mp4", {}, answered(0, "000000.mp4"), True), spec) is None


def test_a_video_is_found_by_its_full_path_and_without_annotations(tmp_path):
    (tmp_path / "v.mp4").touch()
    card = Card(str(tmp_path / "v.mp4"), {}, answered(0, "x"), True)
    assert find_video(card, {}) == tmp_path / "v.mp4"
    assert find_video(Card("v.mp4", {}, answered(0, "v.mp4")), {"data_root": str(tmp_path)}) == tmp_path / "v.mp4"


def test_a_card_is_scored_only_against_a_truth():
    row = answered(0, "v.mp4", relevant_windows=[[0, 10]], pred_answer="b", answer="b")
    score = Card("v.mp4", {}, row, is_labelled=True).score
    assert score.iou == 0.5 and score.right is True
    assert Card("v.mp4", {}, answered(0, "v.mp4", pred_answer="b"), is_labelled=True).score is None
    assert Card("v.mp4", asked(0, "v.mp4"), {}).score is None


def test_spans_of_a_row_are_read_kindly():
    assert spans_of([[1, 2, 0.9], [3.5, 3.0], "x", [1], None]) == (Span(1.0, 2.0),)
    assert spans_of(None) == ()
    assert spans_of([None]) == ()
